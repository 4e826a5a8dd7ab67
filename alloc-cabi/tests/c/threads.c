/* Threads: blocks that change hands, and threads that end with blocks alive. */
#include "check.h"

#include <pthread.h>

enum { BLOCKS = 100000, THREADS = 4, SHORT_LIVED = 200 };

static void *handed[BLOCKS];

static size_t size_of_block(int index) { return 1 + (size_t)index * 7919 % 700; }

static void *free_handed(void *first) {
  for (int i = (int)(intptr_t)first; i < BLOCKS; i += THREADS) {
    CHECK(verify(handed[i], size_of_block(i), (unsigned)i));
    free(handed[i]);
  }
  return NULL;
}

static void *churn(void *seed) {
  enum { SLOTS = 64 };
  void *slot[SLOTS] = {0};
  size_t size[SLOTS];
  uint32_t random = (uint32_t)(uintptr_t)seed + 1;
  for (int i = 0; i < 20000; i++) {
    unsigned at = next_random(&random) % SLOTS;
    if (slot[at] != NULL) {
      CHECK(verify(slot[at], size[at], at));
      if (next_random(&random) % 3 == 0) {
        size_t larger = 1 + next_random(&random) % 3000;
        slot[at] = realloc(slot[at], larger);
        CHECK(slot[at] != NULL);
        CHECK(verify(slot[at], size[at] < larger ? size[at] : larger, at));
        size[at] = larger;
        fill(slot[at], larger, at);
        continue;
      }
      free(slot[at]);
    }
    size[at] = 1 + next_random(&random) % (i % 100 == 0 ? 200000 : 1000);
    slot[at] = malloc(size[at]);
    CHECK(slot[at] != NULL);
    fill(slot[at], size[at], at);
  }
  for (int at = 0; at < SLOTS; at++) free(slot[at]);
  return NULL;
}

static void *leave_one(void *unused) {
  (void)unused;
  free(malloc(unknown(3000)));
  void *block = malloc(unknown(333));
  fill(block, 333, 5);
  return block;
}

int main(void) {
  check_served();
  pthread_t thread[THREADS];
  for (int i = 0; i < BLOCKS; i++) {
    handed[i] = malloc(size_of_block(i));
    CHECK(handed[i] != NULL);
    fill(handed[i], size_of_block(i), (unsigned)i);
  }
  for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, free_handed, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&thread[i], NULL, churn, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(thread[i], NULL) == 0);
  void *left[SHORT_LIVED];
  for (int i = 0; i < SHORT_LIVED; i++) {
    pthread_t one;
    CHECK(pthread_create(&one, NULL, leave_one, NULL) == 0);
    CHECK(pthread_join(one, &left[i]) == 0);
  }
  for (int i = 0; i < SHORT_LIVED; i++) {
    CHECK(verify(left[i], 333, 5));
    free(left[i]);
  }
  puts("ok");
  return 0;
}
