/* What libstrata.so offers beyond C's own functions: the strategies of the process as handles, a look at what is allocated,
 * and what the tracer knows.
 *
 * Link with -lstrata, or look the functions up with dlsym(RTLD_DEFAULT, ...) in a program that may or may not run with the
 * library preloaded. A handle is called through its table:
 *
 *   strata_handle heap = strata_named("freelist");
 *   void *block = heap.vtable->allocate(heap.data, 16, 100);
 *   heap.vtable->deallocate(heap.data, block, 16, 100);
 *
 * All functions may be called from any thread, at any time. `handle.h` describes the types.
 *
 * Licence: MIT OR Apache-2.0.
 */
#ifndef STRATA_STRATA_H
#define STRATA_STRATA_H

#include "strata/handle.h"

enum { STRATA_MAP_TEXT = 0, STRATA_MAP_SVG = 1, STRATA_MAP_HTML = 2 };

#ifdef __cplusplus
extern "C" {
#endif

/* The strategy that serves malloc in this process. Blocks of malloc may be given back through it and the other way round
 * (`free` and `reallocate` of its table). The null handle only while the very first call is being served. */
strata_handle strata_active(void);

/* The process's instance of the strategy `ptmalloc`, `freelist`, `mem_io`, `bump` or `libc`, whichever serves malloc. The null handle
 * where there is none of that name, and for a null name. */
strata_handle strata_named(const char *name);

/* The handle without a strategy: every request fails. */
strata_handle strata_null(void);

/* 1 for the null handle, else 0. */
int strata_is_null(strata_handle handle);

/* The library's version, as "0.1.0". */
const char *strata_version(void);

/* Prints every live block of malloc to standard output, by address, zone by zone, and the sum of their bytes:
 *
 *   ZONE : 0x7F2A40000000
 *   0x7F2A40000020 - 0x7F2A4000004A : 42 bytes
 *   Total : 42 bytes
 */
void show_alloc_mem(void);

/* The same with blocks that are not live, the state of each, and the first 64 bytes of every live one. */
void show_alloc_mem_ex(void);

/* The functions below write to a file descriptor, and allocate nothing. They answer 0, or an error number of errno.h where
 * the descriptor does not take the text; errno stays as it is. The heap's locks may be held while they write: the other end
 * of a pipe must be another process's, or large enough. */

/* All that is known of an address: the strategy, zone, block, the block's header decoded, and neighbours there, what happened
 * to it as far as the history remembers (STRATA_HISTORY), with stacks, and a hexdump that says what each byte is. */
int strata_explain(const void *address, int descriptor);

/* The events that the history remembers, with their stacks, from the oldest on: of blocks that contained this address, or
 * for NULL, all. ENODATA where STRATA_HISTORY did not ask for one. */
int strata_history(const void *address, int descriptor);

/* What is live by the stack that allocated it, the most bytes first. ENODATA where STRATA_TRACE asks for none of the modes
 * aggregate, sampled and leaks. */
int strata_leaks(int descriptor);

/* Draws the heap page by page, with an account of every byte, in one of the forms above. EINVAL for others. */
int strata_map(int form, int descriptor);

/* Ends tracing, as the end of the process does: writes what is pending, the leak report and the map. For programs that end by
 * _exit. Threads that allocate at this moment may lose an event each. */
void strata_finish(void);

#ifdef __cplusplus
}
#endif

#endif /* STRATA_STRATA_H */
