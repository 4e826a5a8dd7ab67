/* Uses a strategy through the two words of its handle. Returns 0, or the line of the first check that failed. */
#include <string.h>

#include "strata/handle.h"

#define CHECK(condition) \
  do {                   \
    if (!(condition)) return __LINE__; \
  } while (0)

static uint32_t count(void *context, const strata_step *step) {
  (void)step;
  ++*(size_t *)context;
  return 0;
}

static int is_filled(const unsigned char *bytes, unsigned char value, size_t size) {
  for (size_t i = 0; i < size; ++i)
    if (bytes[i] != value) return 0;
  return 1;
}

int use_handle(strata_handle heap, const char *expected_name) {
  const strata_vtable *table = heap.vtable;
  CHECK(table->abi == STRATA_VTABLE_ABI);

  size_t length = 0;
  const char *name = table->name(heap.data, &length);
  CHECK(length == strlen(expected_name) && memcmp(name, expected_name, length) == 0);

  for (size_t align = 1; align <= 4096; align *= 2) {
    unsigned char *block = table->allocate(heap.data, align, 100);
    CHECK(block != NULL && (uintptr_t)block % align == 0);
    memset(block, 0xa5, 100);
    block = table->grow(heap.data, block, align, 100, 10000);
    CHECK(block != NULL && (uintptr_t)block % align == 0 && is_filled(block, 0xa5, 100));
    block = table->shrink(heap.data, block, align, 10000, 50);
    CHECK(block != NULL && (uintptr_t)block % align == 0 && is_filled(block, 0xa5, 50));
    block = table->grow_zeroed(heap.data, block, align, 50, 500);
    CHECK(block != NULL && is_filled(block, 0xa5, 50) && is_filled(block + 50, 0, 450));
    table->deallocate(heap.data, block, align, 500);
  }

  unsigned char *zeroed = table->allocate_zeroed(heap.data, 64, 300);
  CHECK(zeroed != NULL && is_filled(zeroed, 0, 300));
  CHECK(table->owns(heap.data, zeroed) != STRATA_OWNS_NO);
  table->deallocate(heap.data, zeroed, 64, 300);

  /* Impossible requests are null, not crashes. */
  CHECK(table->allocate(heap.data, 3, 8) == NULL);
  CHECK(table->allocate(heap.data, 0, 8) == NULL);
  CHECK(table->allocate(heap.data, 8, SIZE_MAX) == NULL);

  if (table->free != NULL) {
    unsigned char *block = table->allocate(heap.data, 16, 24);
    CHECK(block != NULL && table->usable_size(heap.data, block) >= 24);
    memset(block, 0x5a, 24);
    block = table->reallocate(heap.data, block, 5000);
    CHECK(block != NULL && is_filled(block, 0x5a, 24));
    CHECK(table->usable_size(heap.data, block) >= 5000);
    table->free(heap.data, block);
  }

  strata_stats stats;
  memset(&stats, 0, sizeof stats);
  table->stats(heap.data, &stats);
  CHECK(stats.committed == STRATA_UNKNOWN || stats.committed > 0);

  size_t steps = 0;
  uint32_t walked = table->walk(heap.data, count, &steps);
  CHECK(walked == STRATA_WALK_UNSUPPORTED || (walked == STRATA_WALK_COMPLETE && steps > 0));
  table->trim(heap.data, 0);
  return 0;
}

/* The sizes that this compiler gives the types, for comparison with Rust's. */
size_t size_of_handle(void) { return sizeof(strata_handle); }
size_t size_of_vtable(void) { return sizeof(strata_vtable); }
size_t size_of_stats(void) { return sizeof(strata_stats); }
size_t size_of_step(void) { return sizeof(strata_step); }
size_t size_of_field(void) { return sizeof(strata_field); }
size_t size_of_look(void) { return sizeof(strata_look); }
