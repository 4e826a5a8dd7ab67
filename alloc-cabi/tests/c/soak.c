/* soak SECONDS MEBIBYTES: threads x sizes x resizing x alignments x forks, with the contents of every block verified.
 *
 * Threads live for a while, hand blocks to each other through a table, and are replaced. One more thread forks; its
 * children verify the blocks that they inherit, and allocate. Bounded in time, in operations, and in bytes asked for
 * (MEBIBYTES, for strategies that never reuse memory; 0 for no bound). */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 4, SLOTS = 200, TABLE = 256, LIFETIME = 40000, OPERATIONS = 400000000 };

struct block {
  uint32_t seed;
  size_t size; /* of all of it; contents follow this structure */
};

static struct block *table[TABLE];
static uint64_t operations, bytes, refused, forks, threads;
static uint64_t budget;
static time_t end;

static int over(void) {
  return time(NULL) >= end || __atomic_load_n(&operations, __ATOMIC_RELAXED) > OPERATIONS ||
         (budget != 0 && __atomic_load_n(&bytes, __ATOMIC_RELAXED) > budget);
}

static void write_block(struct block *block, uint32_t seed, size_t size) {
  block->seed = seed;
  block->size = size;
  fill(block + 1, size - sizeof *block, seed);
}

static void check_block(struct block *block) {
  CHECK(verify(block + 1, block->size - sizeof *block, block->seed));
  CHECK(malloc_usable_size(block) >= block->size);
}

static size_t any_size(uint32_t *random) {
  uint32_t kind = next_random(random) % 1000;
  size_t most = kind < 700 ? 256 : kind < 950 ? 4096 : kind < 998 ? 100000 : 2000000;
  return sizeof(struct block) + next_random(random) % most;
}

static struct block *make(uint32_t *random) {
  size_t size = any_size(random);
  struct block *block;
  __atomic_add_fetch(&bytes, size, __ATOMIC_RELAXED);
  switch (next_random(random) % 8) {
    case 0: {
      unsigned char *zeroed = calloc(1, size);
      for (size_t at = 0; zeroed != NULL && at < size; at++) CHECK(zeroed[at] == 0);
      block = (struct block *)zeroed;
      break;
    }
    case 1: {
      size_t align = (size_t)16 << next_random(random) % 9;
      block = aligned_alloc(align, size);
      CHECK((uintptr_t)block % align == 0);
      break;
    }
    case 2: {
      void *place = NULL;
      if (posix_memalign(&place, 64, size) != 0) place = NULL;
      block = place;
      break;
    }
    default: block = malloc(size);
  }
  if (block == NULL) {
    __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
    return NULL;
  }
  write_block(block, next_random(random), size);
  return block;
}

static struct block *resize(struct block *block, uint32_t *random) {
  size_t size = any_size(random);
  size_t common = (size < block->size ? size : block->size) - sizeof *block;
  uint32_t seed = block->seed;
  __atomic_add_fetch(&bytes, size, __ATOMIC_RELAXED);
  struct block *resized = realloc(block, size);
  if (resized == NULL) {
    __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
    check_block(block);
    return block;
  }
  CHECK(resized->seed == seed && verify(resized + 1, common, seed));
  write_block(resized, next_random(random), size);
  return resized;
}

static void *work(void *number) {
  struct block *slot[SLOTS] = {0};
  uint32_t random = (uint32_t)(uintptr_t)number * 2654435761u + 1;
  for (int i = 0; i < LIFETIME && (i % 256 != 0 || !over()); i++) {
    struct block **at = &slot[next_random(&random) % SLOTS];
    if (*at == NULL) {
      *at = make(&random);
    } else {
      check_block(*at);
      switch (next_random(&random) % 4) {
        case 0: *at = resize(*at, &random); break;
        case 1: *at = __atomic_exchange_n(&table[next_random(&random) % TABLE], *at, __ATOMIC_ACQ_REL); break;
        default: free(*at); *at = NULL;
      }
    }
    __atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
  }
  for (int i = 0; i < SLOTS; i++) {
    if (slot[i] != NULL) check_block(slot[i]);
    free(slot[i]);
  }
  return NULL;
}

static void *fork_often(void *unused) {
  uint32_t random = 77;
  (void)unused;
  while (!over()) {
    struct block *inherited = make(&random);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
      alarm(30);
      if (inherited != NULL) check_block(inherited);
      free(inherited);
      for (int i = 0; i < 200; i++) {
        struct block *block = make(&random);
        if (block == NULL) break;
        block = resize(block, &random);
        check_block(block);
        free(block);
      }
      _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(inherited);
    forks++;
    usleep(2000);
  }
  return NULL;
}

int main(int count, char **arguments) {
  CHECK(count == 3);
  check_served();
  end = time(NULL) + atoi(arguments[1]);
  budget = (uint64_t)atoi(arguments[2]) << 20;
  pthread_t thread[THREADS], forker;
  CHECK(pthread_create(&forker, NULL, fork_often, NULL) == 0);
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, work, (void *)i) == 0);
  for (threads = THREADS; !over(); threads++) {
    int at = (int)(threads % THREADS);
    CHECK(pthread_join(thread[at], NULL) == 0);
    CHECK(pthread_create(&thread[at], NULL, work, (void *)(uintptr_t)threads) == 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  CHECK(pthread_join(forker, NULL) == 0);
  for (int i = 0; i < TABLE; i++) {
    if (table[i] != NULL) check_block(table[i]);
    free(table[i]);
  }
  CHECK(operations > 1000 && forks > 0 && refused == 0);
  printf("%lu operations, %lu MiB asked for, %lu threads, %lu forks\n", (unsigned long)operations,
         (unsigned long)(bytes >> 20), (unsigned long)threads, (unsigned long)forks);
  return 0;
}
