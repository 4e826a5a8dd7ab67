/* The edges of the interface: they are glibc's, for every strategy. */
#include "check.h"

#include <errno.h>
#include <malloc.h>

void *__libc_malloc(size_t size);
void __libc_free(void *block);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);

#define HUGE_SIZES 4
static const size_t huge[HUGE_SIZES] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 15, SIZE_MAX};

static int aligned_to(void *block, size_t align) { return (uintptr_t)block % align == 0; }

static void sizes(void) {
  void *zero[64];
  for (int i = 0; i < 64; i++) {
    zero[i] = malloc(unknown(0));
    CHECK(zero[i] != NULL);
    CHECK(aligned_to(zero[i], 16));
    for (int j = 0; j < i; j++) CHECK(zero[i] != zero[j]);
  }
  for (int i = 0; i < 64; i++) free(zero[i]);

  for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
    unsigned char *block = malloc(unknown(size));
    CHECK(block != NULL);
    CHECK(aligned_to(block, 16));
    size_t usable = malloc_usable_size(block);
    CHECK(usable >= size);
    fill(block, usable, (unsigned)size);
    CHECK(verify(block, usable, (unsigned)size));
    CHECK(malloc_usable_size(block) == usable);
    free(block);
  }
  CHECK(malloc_usable_size(NULL) == 0);
  free(opaque(NULL));
}

static void impossible(void) {
  void *live = malloc(100);
  fill(live, 100, 7);
  for (int i = 0; i < HUGE_SIZES; i++) {
    size_t size = unknown(huge[i]);
    errno = 0;
    CHECK(malloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(size, unknown(1)) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(realloc(live, size) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(aligned_alloc(64, size) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(memalign(4096, size) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(valloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(pvalloc(size) == NULL && errno == ENOMEM);
    void *place = &place;
    errno = 5;
    CHECK(posix_memalign(&place, 64, size) == ENOMEM && errno == 5);
    CHECK(place == &place);
  }
  errno = 0;
  CHECK(calloc(unknown((size_t)1 << 33), unknown((size_t)1 << 33)) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(reallocarray(live, unknown((size_t)1 << 33), unknown((size_t)1 << 33)) == NULL && errno == ENOMEM);
  CHECK(verify(live, 100, 7));
  free(live);
}

static void zeroed(void) {
  for (int round = 0; round < 3; round++) {
    for (size_t size = 1; size < 2000000; size = size * 5 / 2) {
      unsigned char *dirty = malloc(unknown(size));
      CHECK(dirty != NULL);
      memset(opaque(dirty), 0xA5, size);
      free(dirty);
      unsigned char *block = calloc(unknown(size), unknown(1));
      CHECK(block != NULL);
      for (size_t at = 0; at < size; at++) CHECK(block[at] == 0);
      memset(opaque(block), 0x5A, size);
      free(block);
    }
  }
  void *none = calloc(unknown(0), unknown(8));
  CHECK(none != NULL);
  free(none);
}

static void resizing(void) {
  errno = 77;
  void *block = realloc(NULL, unknown(40));
  CHECK(block != NULL);
  fill(block, 40, 1);
  size_t size = 40;
  static const size_t steps[] = {41, 4000, 300, 300000, 16, 1, 2000000, 70000, 70001, 24};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    size_t common = size < steps[i] ? size : steps[i];
    block = realloc(block, unknown(steps[i]));
    CHECK(block != NULL);
    CHECK(aligned_to(block, 16));
    CHECK(verify(block, common, 1));
    CHECK(malloc_usable_size(block) >= steps[i]);
    size = steps[i];
    fill(block, size, 1);
  }
  CHECK(realloc(block, unknown(0)) == NULL);
  CHECK(errno == 77);
  void *none = realloc(NULL, unknown(0));
  CHECK(none != NULL);
  free(none);
  int *numbers = reallocarray(NULL, unknown(10), sizeof *numbers);
  CHECK(numbers != NULL);
  numbers = reallocarray(numbers, unknown(1000), sizeof *numbers);
  CHECK(numbers != NULL);
  free(numbers);
}

/* What a resized block may hold is what it says, and all of it moves along: step by step, among blocks whose freeing and
 * splitting leaves chunks of all sizes. */
static void steps(void) {
  enum { SLOTS = 64, TURNS = 4000 };
  char *slot[SLOTS] = {0};
  size_t size[SLOTS] = {0};
  uint32_t random = 11;
  for (int turn = 0; turn < TURNS; turn++) {
    unsigned at = next_random(&random) % SLOTS;
    if (slot[at] == NULL || next_random(&random) % 8 == 0) {
      free(slot[at]);
      size[at] = 1 + next_random(&random) % (turn % 3 == 0 ? 70000 : turn % 3 == 1 ? 3000 : 600);
      slot[at] = malloc(size[at]);
      CHECK(slot[at] != NULL);
    } else {
      size_t old = size[at];
      size[at] = next_random(&random) % 4 == 0 ? 1 + old / 2 : old + next_random(&random) % 40;
      slot[at] = realloc(slot[at], size[at]);
      CHECK(slot[at] != NULL);
      CHECK(verify(slot[at], old < size[at] ? old : size[at], at));
    }
    size_t usable = malloc_usable_size(slot[at]);
    CHECK(usable >= size[at] || usable == 0);
    fill(slot[at], size[at], at);
  }
  for (unsigned at = 0; at < SLOTS; at++) {
    if (slot[at] != NULL) CHECK(verify(slot[at], size[at], at));
    free(slot[at]);
  }
}

static void alignments(void) {
  for (size_t align = 1; align <= (size_t)1 << 24; align *= 2) {
    for (size_t size = 0; size < 200000; size = size * 7 + 3) {
      void *block = memalign(align, unknown(size));
      CHECK(block != NULL && aligned_to(block, align) && aligned_to(block, 16));
      fill(block, size, (unsigned)align);
      void *other = aligned_alloc(align, unknown(size));
      CHECK(other != NULL && aligned_to(other, align) && other != block);
      CHECK(malloc_usable_size(other) >= size);
      fill(other, malloc_usable_size(other), 3);
      CHECK(verify(block, size, (unsigned)align));
      void *moved = realloc(block, unknown(size + 1000));
      CHECK(moved != NULL && verify(moved, size, (unsigned)align));
      free(moved);
      free(other);
    }
  }
  for (size_t align = (size_t)1 << 25; align <= (size_t)1 << 30; align *= 2) {
    void *block = aligned_alloc(align, unknown(100));
    CHECK(block != NULL && aligned_to(block, align));
    fill(block, 100, 9);
    CHECK(verify(block, 100, 9));
    free(block);
  }
  /* As glibc's: any number counts as the next power of two, and sizes need not be multiples. */
  void *block = aligned_alloc(unknown(3), 12);
  CHECK(block != NULL);
  free(block);
  block = memalign(unknown(100), 65);
  CHECK(block != NULL && aligned_to(block, 128));
  free(block);
  block = memalign(unknown(0), 65);
  CHECK(block != NULL);
  free(block);
  for (int bit = 40; bit < 63; bit++) {
    errno = 0;
    CHECK(memalign(unknown((size_t)1 << bit), unknown((size_t)PTRDIFF_MAX - 4096)) == NULL && errno == ENOMEM);
    errno = 0;
    if (bit >= 47) CHECK(memalign(unknown((size_t)1 << bit), 100) == NULL && errno == ENOMEM);
  }
  errno = 0;
  CHECK(memalign(unknown(((size_t)1 << 63) + 1), 100) == NULL && errno == EINVAL);

  void *place = &place;
  static const size_t bad[] = {0, 1, 2, 3, 4, 7, 12, 24, 100, SIZE_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    errno = 3;
    CHECK(posix_memalign(&place, unknown(bad[i]), 10) == EINVAL && errno == 3);
    CHECK(place == &place);
  }
  errno = 3;
  CHECK(posix_memalign(&place, 8, unknown(0)) == 0 && place != NULL && errno == 3);
  free(place);
  CHECK(posix_memalign(&place, 1 << 20, unknown(10)) == 0 && aligned_to(place, 1 << 20));
  free(place);

  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  block = valloc(unknown(10));
  CHECK(block != NULL && aligned_to(block, page));
  free(block);
  block = pvalloc(unknown(page + 1));
  CHECK(block != NULL && aligned_to(block, page) && malloc_usable_size(block) >= 2 * page);
  free(block);
}

static void other_names(void) {
  void (*free_sized)(void *, size_t);
  void (*free_aligned_sized)(void *, size_t, size_t);
  void (*cfree)(void *);
  LOOK_UP(free_sized, "free_sized");
  LOOK_UP(free_aligned_sized, "free_aligned_sized");
  LOOK_UP(cfree, "cfree");
  void *block = malloc(unknown(100));
  free_sized(block, 100);
  free_sized(opaque(NULL), 100);
  block = aligned_alloc(256, unknown(100));
  free_aligned_sized(block, 256, 100);
  free_aligned_sized(opaque(NULL), 256, 100);
  block = malloc(unknown(5));
  cfree(block);
  /* Blocks pass between the names freely. */
  block = __libc_malloc(unknown(50));
  CHECK(block != NULL);
  block = realloc(block, 500);
  block = __libc_realloc(block, 5000);
  CHECK(block != NULL);
  free(block);
  block = __libc_calloc(unknown(5), 10);
  CHECK(block != NULL && ((char *)block)[49] == 0);
  __libc_free(block);
  block = __libc_memalign(512, 10);
  CHECK(block != NULL && aligned_to(block, 512));
  free(block);
}

static void errno_is_kept(void) {
  for (size_t size = 1; size < (size_t)64 << 20; size *= 4) {
    errno = 4242;
    void *block = malloc(unknown(size));
    CHECK(block != NULL);
    memset(opaque(block), 1, size);
    free(block);
    CHECK(errno == 4242);
  }
}

int main(void) {
  check_served();
  sizes();
  impossible();
  zeroed();
  resizing();
  steps();
  alignments();
  other_names();
  errno_is_kept();
  puts("ok");
  return 0;
}
