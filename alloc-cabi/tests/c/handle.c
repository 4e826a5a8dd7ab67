/* Handles from C, linked with -lstrata. Compiled as C and as C++. */
#include "check.h"

static uint32_t a_block(void *context, const strata_step *step) {
  if (step->state != STRATA_USED) return 0;
  *(strata_step *)context = *step;
  return 1;
}

static uint32_t peek(void *context, uintptr_t address, unsigned char *into, size_t length) {
  (void)context;
  memcpy(into, (const void *)address, length);
  return 1;
}

static void show(void *context, const strata_field *field) {
  CHECK(field->length > 0 && field->form <= STRATA_FLAG);
  if (field->length == 4 && memcmp(field->name, "size", 4) == 0) *(uint64_t *)context = field->value;
}

/* The size in the header of a block that is in use; 0 where there is none. */
static uint64_t size_in_header(strata_handle heap) {
  strata_step block = {0, 0, 0};
  uint64_t size = 0;
  strata_look look = {&size, peek, show};
  heap.vtable->walk(heap.data, a_block, &block);
  if (block.state == STRATA_USED) heap.vtable->header(heap.data, &block, &look);
  CHECK(size == 0 || size >= block.size);
  return size;
}

static void use(strata_handle heap) {
  const strata_vtable *table = heap.vtable;
  CHECK(table->abi == STRATA_VTABLE_ABI);
  CHECK(!strata_is_null(heap));
  void *block = table->allocate(heap.data, 64, 1000);
  CHECK(block != NULL && (uintptr_t)block % 64 == 0);
  fill(block, 1000, 1);
  block = table->grow(heap.data, block, 64, 1000, 5000);
  CHECK(block != NULL && (uintptr_t)block % 64 == 0 && verify(block, 1000, 1));
  block = table->shrink(heap.data, block, 64, 5000, 10);
  CHECK(block != NULL && verify(block, 10, 1));
  table->deallocate(heap.data, block, 64, 10);
  char *zeroed = (char *)table->allocate_zeroed(heap.data, 16, 100);
  CHECK(zeroed != NULL);
  for (int i = 0; i < 100; i++) CHECK(zeroed[i] == 0);
  CHECK(table->usable_size(heap.data, zeroed) >= 100);
  block = table->reallocate(heap.data, zeroed, 3000);
  CHECK(block != NULL);
  table->free(heap.data, block);
  strata_stats stats;
  table->stats(heap.data, &stats);
  CHECK(stats.committed != 0);
}

int main(void) {
  static const char *const names[] = {"ptmalloc", "freelist", "mem_io", "bump", "libc"};
  CHECK(strcmp(strata_version(), "0.1.0") == 0);
  CHECK(strata_is_null(strata_null()));
  CHECK(strata_is_null(strata_named("nosuch")));
  CHECK(strata_is_null(strata_named(NULL)));
  CHECK(strata_null().vtable->allocate(strata_null().data, 16, 1) == NULL);
  use(strata_active());
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    strata_handle heap = strata_named(names[i]);
    size_t length;
    const char *name = heap.vtable->name(heap.data, &length);
    CHECK(length == strlen(names[i]) && memcmp(name, names[i], length) == 0);
    use(heap);
    void *kept = heap.vtable->allocate(heap.data, 16, 100);
    CHECK(kept != NULL);
    /* An arena's blocks carry nothing, and the C library shows none. */
    CHECK((size_in_header(heap) >= 16) == (strcmp(names[i], "bump") != 0 && strcmp(names[i], "libc") != 0));
    heap.vtable->free(heap.data, kept);
  }
  /* The active strategy and malloc are one. */
  strata_handle active = strata_active();
  void *block = malloc(unknown(100));
  CHECK(active.vtable->usable_size(active.data, block) >= 100);
  active.vtable->free(active.data, block);
  free(active.vtable->allocate(active.data, 16, 100));
  puts("ok");
  return 0;
}
