/* Forks while threads allocate, with atfork handlers that allocate before and after ours, and again from the child. */
#include "check.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

enum { FORKS = 300, THREADS = 3 };

static int done;
static void *from_handler;

static void prepare(void) {
  from_handler = malloc(unknown(200));
  CHECK(from_handler != NULL);
  fill(from_handler, 200, 1);
  from_handler = realloc(from_handler, 2000);
  CHECK(from_handler != NULL);
}

static void parent_or_child(void) {
  CHECK(verify(from_handler, 200, 1));
  free(from_handler);
  free(calloc(unknown(9), 9));
}

/* Registered by the loader's own order: some before the library's handlers, some after. */
__attribute__((constructor)) static void register_early(void) {
  pthread_atfork(prepare, parent_or_child, parent_or_child);
}

static void work(unsigned seed, int count) {
  uint32_t random = seed * 2654435761u + 1;
  for (int i = 0; i < count; i++) {
    size_t size = 1 + next_random(&random) % 2000;
    void *block = malloc(size);
    CHECK(block != NULL);
    fill(block, size, seed);
    CHECK(verify(block, size, seed));
    free(block);
  }
}

static void *allocate_always(void *seed) {
  while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) work((unsigned)(uintptr_t)seed, 50);
  return NULL;
}

static void *in_child(void *unused) {
  (void)unused;
  work(99, 100);
  return NULL;
}

static void wait_for(pid_t child) {
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child(int round, void *inherited) {
  alarm(20);
  CHECK(verify(inherited, 500, 3));
  free(inherited);
  work((unsigned)round, 100);
  if (round % 10 == 0) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_child, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pid_t grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild == 0) {
      work(5, 100);
      _exit(0);
    }
    wait_for(grandchild);
  }
  _exit(0);
}

extern char **environ;

int main(void) {
  check_served();
  alarm(100);
  pthread_atfork(prepare, NULL, NULL);
  pthread_t thread[THREADS];
  for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, allocate_always, (void *)i) == 0);
  for (int round = 0; round < FORKS; round++) {
    void *inherited = malloc(unknown(500));
    fill(inherited, 500, 3);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) child(round, inherited);
    CHECK(verify(inherited, 500, 3));
    free(inherited);
    wait_for(pid);
  }
  for (int round = 0; round < 50; round++) {
    pid_t pid = vfork();
    CHECK(pid >= 0);
    if (pid == 0) {
      free(malloc(unknown(100)));
      execl("/bin/true", "true", (char *)NULL);
      _exit(1);
    }
    wait_for(pid);
    char *arguments[] = {(char *)"true", NULL};
    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0);
    wait_for(pid);
  }
  CHECK(system("true") == 0);
  __atomic_store_n(&done, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  puts("ok");
  return 0;
}
