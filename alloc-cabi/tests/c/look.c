/* The functions that look into the allocator, answered truthfully. */
#include "check.h"

#include <errno.h>
#include <malloc.h>

static void figures(int is_bump) {
  struct mallinfo2 before = mallinfo2();
  void *block[200];
  for (int i = 0; i < 200; i++) {
    block[i] = malloc(unknown(5000));
    CHECK(block[i] != NULL);
  }
  struct mallinfo2 during = mallinfo2();
  CHECK(during.uordblks + during.hblkhd >= before.uordblks + before.hblkhd + 200 * 5000);
  CHECK(during.arena + during.hblkhd >= during.uordblks + during.hblkhd);
  struct mallinfo old = mallinfo();
  CHECK((size_t)old.uordblks == during.uordblks && (size_t)old.arena == during.arena);
  for (int i = 0; i < 200; i++) free(block[i]);
  struct mallinfo2 after = mallinfo2();
  if (!is_bump) CHECK(after.uordblks + after.hblkhd <= before.uordblks + before.hblkhd + 50000);
  CHECK(malloc_trim(0) == 0 || malloc_trim(0) == 0);
}

static void xml(void) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  CHECK(stream != NULL);
  CHECK(malloc_info(1, stream) == EINVAL);
  CHECK(malloc_info(0, stream) == 0);
  CHECK(fclose(stream) == 0);
  CHECK(strncmp(text, "<malloc version=\"1\">\n<heap nr=\"0\"", 33) == 0);
  CHECK(strcmp(text + size - 10, "</malloc>\n") == 0);
  CHECK(strstr(text, "<system type=\"current\" size=\"") != NULL);
  free(text);
}

static void perturbed(void) {
  CHECK(mallopt(M_PERTURB, 0x5A) == 1);
  unsigned char *block = malloc(unknown(1000));
  for (int i = 0; i < 1000; i++) CHECK(((unsigned char *)opaque(block))[i] == 0xA5);
  free(block);
  unsigned char *zeroed = calloc(unknown(1000), 1);
  for (int i = 0; i < 1000; i++) CHECK(((unsigned char *)opaque(zeroed))[i] == 0);
  free(zeroed);
  CHECK(mallopt(M_PERTURB, 0) == 1);
}

/* Thresholds that change while the program runs show in where blocks come from. */
static void tuned(void) {
  CHECK(mallopt(M_MMAP_THRESHOLD, 100000) == 1);
  size_t mapped = mallinfo2().hblks;
  void *block = malloc(unknown(150000));
  CHECK(mallinfo2().hblks == mapped + 1);
  free(block);
  CHECK(mallopt(M_MMAP_MAX, 0) == 1);
  mapped = mallinfo2().hblks;
  block = malloc(unknown(150000));
  CHECK(mallinfo2().hblks == mapped);
  free(block);
  CHECK(mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1 && mallopt(M_TOP_PAD, 1 << 16) == 1 && mallopt(M_ARENA_MAX, 2) == 1);
  CHECK(mallopt(4711, 1) == 0);
}

int main(void) {
  check_served();
  const char *strategy = getenv("STRATA_STRATEGY");
  figures(strcmp(strategy, "bump") == 0);
  xml();
  if (strcmp(strategy, "libc") != 0) perturbed();
  if (strcmp(strategy, "ptmalloc") == 0) tuned();
  malloc_stats();
  char *seen = malloc(unknown(4321));
  strcpy(opaque(seen), "look at me");
  printf("%zu at 0x%lX\n", malloc_usable_size(seen), (unsigned long)(uintptr_t)seen);
  fflush(stdout);
  void (*show)(void);
  LOOK_UP(show, "show_alloc_mem");
  show();
  LOOK_UP(show, "show_alloc_mem_ex");
  show();
  free(seen);
  puts("ok");
  return 0;
}
