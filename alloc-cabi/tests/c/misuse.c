/* One misuse, by name, after the same work done right. */
#include "check.h"

static void right(void) {
  void *block[100];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 100; i++) {
      block[i] = malloc(unknown((size_t)i * 20));
      CHECK(block[i] != NULL);
      fill(block[i], (size_t)i * 20, 1);
    }
    for (int i = 0; i < 100; i++) free(block[i]);
  }
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  check_served();
  right();
  const char *what = arguments[1];
  char *block = malloc(unknown(100));
  char *other = malloc(unknown(100));
  char on_stack[256] __attribute__((aligned(16)));
  memset(opaque(block), 0, 100);
  memset(opaque(on_stack), 0, sizeof on_stack);
  if (strcmp(what, "double") == 0) {
    free(block);
    free(opaque(block));
  } else if (strcmp(what, "interleaved") == 0) {
    free(block);
    free(other);
    free(opaque(block));
  } else if (strcmp(what, "stack") == 0) {
    free(opaque(on_stack + 64));
  } else if (strcmp(what, "misaligned") == 0) {
    free(opaque(block + 1));
  } else if (strcmp(what, "interior") == 0) {
    free(opaque(block + 48));
  } else if (strcmp(what, "sized") == 0) {
    void (*free_sized)(void *, size_t);
    LOOK_UP(free_sized, "free_sized");
    free_sized(opaque(block), 100000);
  } else {
    free(block);
    free(other);
  }
  return 0;
}
