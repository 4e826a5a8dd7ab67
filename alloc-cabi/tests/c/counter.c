/* Preloaded before libstrata.so: counts what a program asks of malloc and its family, and passes it on by glibc's inner names,
 * which the library has too. When the program ends, it ends the trace, and writes the counts of the same stretch of time to
 * the file $COUNTER_FOLDER/counts.PROCESS. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_reallocarray(void *, size_t, size_t), *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t), *__libc_pvalloc(size_t);
extern int __posix_memalign(void **, size_t, size_t);
extern void __libc_free(void *);
extern void strata_finish(void);

static unsigned long allocs, frees, bytes;
static pid_t process;

static void add(unsigned long *to, size_t number) { __atomic_fetch_add(to, number, __ATOMIC_RELAXED); }

/* Requests for no bytes are served as such for one. */
static void *came(void *block, size_t size) {
  if (block != NULL) {
    add(&allocs, 1);
    add(&bytes, size != 0 ? size : 1);
  }
  return block;
}

static void *resized(void *old, void *block, size_t size) {
  if (old != NULL && (block != NULL || size == 0)) add(&frees, 1);
  return size == 0 && old != NULL ? block : came(block, size);
}

void *malloc(size_t size) { return came(__libc_malloc(size), size); }
void *calloc(size_t count, size_t size) { return came(__libc_calloc(count, size), count * size); }
void *realloc(void *old, size_t size) { return resized(old, __libc_realloc(old, size), size); }
void *reallocarray(void *old, size_t count, size_t size) {
  return resized(old, __libc_reallocarray(old, count, size), count * size);
}
void *memalign(size_t align, size_t size) { return came(__libc_memalign(align, size), size); }
void *aligned_alloc(size_t align, size_t size) { return came(__libc_memalign(align, size), size); }
void *valloc(size_t size) { return came(__libc_valloc(size), size); }
void *pvalloc(size_t size) { return came(__libc_pvalloc(size), (size + 4095) / 4096 * 4096); }
int posix_memalign(void **place, size_t align, size_t size) {
  int answer = __posix_memalign(place, align, size);
  if (answer == 0) came(*place, size);
  return answer;
}
void free(void *block) {
  if (block == NULL) return;
  add(&frees, 1);
  __libc_free(block);
}

/* operator delete: libstrata.so has it too, and would free without being asked by way of free. */
#define DELETE(symbol, ...) \
  void symbol(__VA_ARGS__); \
  void symbol(__VA_ARGS__) { free(block); }
DELETE(_ZdlPv, void *block)
DELETE(_ZdaPv, void *block)
DELETE(_ZdlPvm, void *block, size_t size __attribute__((unused)))
DELETE(_ZdaPvm, void *block, size_t size __attribute__((unused)))
DELETE(_ZdlPvSt11align_val_t, void *block, size_t align __attribute__((unused)))
DELETE(_ZdaPvSt11align_val_t, void *block, size_t align __attribute__((unused)))
DELETE(_ZdlPvmSt11align_val_t, void *block, size_t size __attribute__((unused)), size_t align __attribute__((unused)))
DELETE(_ZdaPvmSt11align_val_t, void *block, size_t size __attribute__((unused)), size_t align __attribute__((unused)))
DELETE(_ZdlPvRKSt9nothrow_t, void *block, const void *nothrow __attribute__((unused)))
DELETE(_ZdaPvRKSt9nothrow_t, void *block, const void *nothrow __attribute__((unused)))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, void *block, size_t align __attribute__((unused)),
       const void *nothrow __attribute__((unused)))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, void *block, size_t align __attribute__((unused)),
       const void *nothrow __attribute__((unused)))

__attribute__((constructor)) static void begin(void) { process = getpid(); }

__attribute__((destructor)) static void end(void) {
  /* A child of a fork has its parent's counts. */
  const char *folder = getenv("COUNTER_FOLDER");
  if (folder == NULL || process != getpid()) return;
  strata_finish();
  char text[256];
  snprintf(text, sizeof text, "%s/counts.%d", folder, (int)process);
  int file = open(text, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int length = snprintf(text, sizeof text, "%lu %lu %lu\n", allocs, frees, bytes);
  if (write(file, text, (size_t)length) != length) _exit(99);
  close(file);
}
