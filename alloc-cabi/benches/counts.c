/* Calls to be counted by callgrind, each in a function of its own: `ci/count-cabi.sh`. */
#include <stdlib.h>

void free_sized(void *block, size_t size) __attribute__((weak));

enum { CALLS = 1000 };

static void *block[CALLS];

__attribute__((noinline)) void count_nothing(void *volatile *place, size_t size) {
  __asm__ volatile("" : : "r"(place), "r"(size) : "memory");
}
__attribute__((noinline)) void count_malloc(void *volatile *place, size_t size) {
  *place = malloc(size);
  __asm__ volatile("");
}
__attribute__((noinline)) void count_free(void *volatile *place, size_t size) {
  __asm__ volatile("" : : "r"(size));
  free(*place);
  __asm__ volatile("");
}

int main(void) {
  for (int warm = 0; warm < 20; warm++) {
    for (int i = 0; i < CALLS; i++) block[i] = malloc(40);
    for (int i = 0; i < CALLS; i++) free(block[i]);
  }
  /* One block at a time: every call finds what it needs in front. */
  for (int i = 0; i < CALLS; i++) {
    count_nothing(&block[0], 40);
    count_malloc(&block[0], 40);
    count_free(&block[0], 40);
  }
  return 0;
}
