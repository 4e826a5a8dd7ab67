/* A library that is loaded and unloaded: allocates in its constructor, its destructor and its thread-locals. */
#include "check.h"

static void *held;
static __thread char large[4000];

__attribute__((constructor)) static void begin(void) {
  held = malloc(unknown(5000));
  fill(held, 5000, 9);
}

__attribute__((destructor)) static void end(void) {
  CHECK(verify(held, 5000, 9));
  free(held);
  free(malloc(unknown(70)));
}

void *plugin_make(size_t size) {
  void *block = malloc(unknown(size));
  fill(large, sizeof large, 1);
  fill(block, size, 8);
  return block;
}
