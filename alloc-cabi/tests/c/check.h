/* What the C programs of these tests share: a check that names its line, and the proof of who serves. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "strata/strata.h"

#define CHECK(condition)                                                                         \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      char line[256];                                                                            \
      int length = snprintf(line, sizeof line, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
      if (write(2, line, (size_t)length) < 0) _exit(3);                                          \
      _exit(1);                                                                                  \
    }                                                                                            \
  } while (0)

/* Makes `pointer`, of a function type, the function of this name of whatever library has it. */
#define LOOK_UP(pointer, name)                          \
  do {                                                  \
    void *found_function = dlsym(RTLD_DEFAULT, name);   \
    CHECK(found_function != NULL);                      \
    memcpy(&(pointer), &found_function, sizeof(pointer)); \
  } while (0)

/* Fails unless the process is served by the preloaded library, with the strategy that the environment names. */
static inline void check_served(void) {
  strata_handle (*active)(void);
  const char *wanted = getenv("STRATA_STRATEGY");
  CHECK(wanted != NULL);
  LOOK_UP(active, "strata_active");
  strata_handle handle = active();
  size_t length = 0;
  const char *name = handle.vtable->name(handle.data, &length);
  /* A variant of a strategy has a longer name that begins with it. */
  CHECK(length >= strlen(wanted));
  CHECK(memcmp(name, wanted, strlen(wanted)) == 0);
}

/* Keeps the compiler from knowing what a pointer points to, so that it drops no call and no store. */
static inline void *opaque(void *pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

/* Keeps the compiler from knowing a number. */
static inline size_t unknown(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}

/* Fills a block with what `verify` expects of this seed. */
static inline void fill(void *block, size_t size, unsigned seed) {
  unsigned char *bytes = (unsigned char *)opaque(block);
  for (size_t at = 0; at < size; at++) bytes[at] = (unsigned char)(seed + at * 31);
}

static inline int verify(const void *block, size_t size, unsigned seed) {
  const unsigned char *bytes = (const unsigned char *)opaque((void *)(uintptr_t)block);
  for (size_t at = 0; at < size; at++)
    if (bytes[at] != (unsigned char)(seed + at * 31)) return 0;
  return 1;
}

/* The next number of a sequence (xorshift, George Marsaglia). */
static inline uint32_t next_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

#endif
