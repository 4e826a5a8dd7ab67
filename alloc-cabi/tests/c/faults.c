/* One fault around a block, by name, then more work, in which it is found at the latest. */
#include "check.h"

#include <malloc.h>

static void work(void) {
  for (int round = 0; round < 3; round++) {
    void *block[300];
    for (int i = 0; i < 300; i++) {
      block[i] = malloc(unknown((size_t)i * 20));
      CHECK(block[i] != NULL);
      fill(block[i], (size_t)i * 20, 1);
    }
    for (int i = 0; i < 300; i++) {
      block[i] = realloc(block[i], unknown((size_t)i * 13 + 1));
      CHECK(block[i] != NULL && verify(block[i], (size_t)i * 13, 1));
    }
    for (int i = 0; i < 300; i++) free(block[i]);
  }
}

__attribute__((noinline)) static char *make(void) {
  char *block = malloc(unknown(100));
  CHECK(block != NULL && malloc_usable_size(block) >= 100);
  fill(block, 100, 3);
  return opaque(block);
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  check_served();
  work();
  const char *what = arguments[1];
  char *block = make();
  printf("0x%lx\n", (unsigned long)(uintptr_t)block);
  fflush(stdout);
  if (strcmp(what, "overrun") == 0) {
    block[unknown(100)] = 'x';
    free(block);
  } else if (strcmp(what, "underrun") == 0) {
    block[unknown((size_t)-3)] = 'x';
    free(block);
  } else if (strcmp(what, "freed") == 0) {
    free(block);
    ((char *)opaque(block))[50] = 'x';
  } else if (strcmp(what, "double") == 0) {
    free(block);
    free(opaque(block));
  } else if (strcmp(what, "far") == 0) {
    /* Past the rounding that an alignment of 16 leaves behind the block on its page. */
    block[unknown(100 + 16)] = 'x';
  } else if (strcmp(what, "walk") == 0) {
    void (*show)(void);
    LOOK_UP(show, "show_alloc_mem_ex");
    block[unknown(100)] = 'x';
    show();
    _exit(0);
  } else {
    free(block);
  }
  work();
  puts("ok");
  return 0;
}
