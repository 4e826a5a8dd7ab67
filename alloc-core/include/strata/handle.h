/* The C form of a Strata handle: any allocation strategy in two words.
 *
 * A handle is a data pointer and a pointer to a table of functions. It is copied by value; copies stand for the same
 * strategy. All sizes and alignments are bytes, alignments are powers of two, and a null result is a failed request. The
 * functions may be called from any thread. This file declares what `alloc_core::handle::VTable` lays out.
 *
 * Licence: MIT OR Apache-2.0.
 */
#ifndef STRATA_HANDLE_H
#define STRATA_HANDLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STRATA_VTABLE_ABI 2u

/* A figure of strata_stats that the strategy does not know. */
#define STRATA_UNKNOWN UINT64_MAX

/* What a strategy holds at one moment: bytes, and numbers of blocks. */
typedef struct strata_stats {
  uint64_t reserved;       /* address space taken from the source */
  uint64_t committed;      /* readable and writable bytes taken from the source */
  uint64_t committed_peak; /* the highest `committed` so far */
  uint64_t live;           /* usable bytes in live blocks */
  uint64_t live_blocks;
  uint64_t cached;         /* freed bytes held back for reuse in front of the heap */
  uint64_t cached_blocks;
  uint64_t free;           /* bytes that can be handed out without the source */
  uint64_t free_blocks;
  uint64_t free_largest;
  uint64_t mapped;         /* bytes in blocks with a mapping of their own */
  uint64_t mapped_blocks;
  uint64_t metadata;       /* headers, tables, padding */
} strata_stats;

/* What a step of a walk shows. */
typedef enum strata_state {
  STRATA_ZONE = 0, /* a range taken from the source begins; blocks within it follow */
  STRATA_USED = 1,
  STRATA_FREE = 2,
  STRATA_CACHED = 3,
  STRATA_MAPPED = 4,
  STRATA_CORRUPTED = 5,
  STRATA_METADATA = 6
} strata_state;

typedef struct strata_step {
  uint32_t state; /* strata_state; skip values that this header does not name */
  uintptr_t address;
  size_t size;
} strata_step;

/* Sees one step; returns 0 to go on. Must not use the strategy that is being walked. */
typedef uint32_t (*strata_visitor)(void *context, const strata_step *step);

/* One field, or one flag, of a block's header. */
typedef enum strata_form { STRATA_NUMBER = 0, STRATA_WORD = 1, STRATA_FLAG = 2 } strata_form;

typedef struct strata_field {
  const char *name; /* lives as long as the program; not ended by zero */
  size_t length;
  uint64_t value;
  uint32_t form; /* strata_form */
} strata_field;

/* What a look at a header works with; both functions get the context. */
typedef struct strata_look {
  void *context;
  /* Reads memory that may be gone: fills the bytes and returns 1, or returns 0. */
  uint32_t (*peek)(void *context, uintptr_t address, unsigned char *into, size_t length);
  void (*show)(void *context, const strata_field *field);
} strata_look;

/* Answers of `walk` and `owns`. */
enum { STRATA_WALK_COMPLETE = 0, STRATA_WALK_STOPPED = 1, STRATA_WALK_UNSUPPORTED = 2 };
enum { STRATA_OWNS_NO = 0, STRATA_OWNS_YES = 1, STRATA_OWNS_UNKNOWN = 2 };

/* The functions of one kind of strategy. `data` is the handle's data word. A block is given back, or resized, with the
 * alignment it was requested with and its last size. */
typedef struct strata_vtable {
  uint32_t abi; /* STRATA_VTABLE_ABI */
  uint32_t reserved;
  /* Returns the first byte of the name, which is not ended by zero, and stores its length. */
  const char *(*name)(const void *data, size_t *length);
  void *(*allocate)(const void *data, size_t align, size_t size);
  void *(*allocate_zeroed)(const void *data, size_t align, size_t size);
  void (*deallocate)(const void *data, void *block, size_t align, size_t size);
  /* On null the old block is still live. `grow_zeroed` zeroes the bytes that are new. */
  void *(*grow)(const void *data, void *block, size_t align, size_t old_size, size_t new_size);
  void *(*grow_zeroed)(const void *data, void *block, size_t align, size_t old_size, size_t new_size);
  void *(*shrink)(const void *data, void *block, size_t align, size_t old_size, size_t new_size);
  /* The next three are null for strategies that do not know the sizes of their blocks. */
  void (*free)(const void *data, void *block);
  size_t (*usable_size)(const void *data, const void *block);
  void *(*reallocate)(const void *data, void *block, size_t size);
  void (*stats)(const void *data, strata_stats *stats);
  uint32_t (*walk)(const void *data, strata_visitor visit, void *context);
  uint32_t (*owns)(const void *data, const void *address);
  size_t (*trim)(const void *data, size_t keep);
  /* Shows what the strategy keeps beside a block that a walk showed: nothing where blocks carry nothing. */
  void (*header)(const void *data, const strata_step *block, const strata_look *look);
} strata_vtable;

typedef struct strata_handle {
  const void *data;
  const strata_vtable *vtable;
} strata_handle;

#ifdef __cplusplus
}
#endif

#endif /* STRATA_HANDLE_H */
