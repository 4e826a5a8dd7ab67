//! Arenas: independent heaps, so that threads need not wait for each other.
//!
//! The fields are those of ptmalloc's `malloc_state`, in three groups by who may touch them:
//!
//! ```text
//! line 0   id, main            constant once the arena is published
//!          next                set once, when the next arena is published
//!          next_free,          behind the registry's lock
//!          attached_threads
//! line 2   inbox               any thread, one atomic operation
//! line 4   mutex -> State      whoever holds the mutex: flags, fastbinsY, top, last_remainder,
//!                              bins, binmap, system_mem, max_system_mem, depot
//! ```
//!
//! An arena lives in its first heap, behind that heap's header, and is never given back: threads that come find it again.
//! The verbs on [`State`] are one file each.

mod aligned;
mod alloc;
mod batch;
mod consolidate;
mod distrust;
mod free;
mod grow;
mod purge;
mod realloc;
mod rebuild;
mod strays;
mod sweep;
#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a chunk in one go")]
mod tests;

pub(crate) use alloc::Found;
pub(crate) use grow::{create_arena, destroy_arena};
use purge::Purge;

use core::ptr;

use alloc_core::sync::atomic::{AtomicPtr, AtomicUsize};
use alloc_core::sync::{CachePadded, RankedMutex};

use crate::bins::Bins;
use crate::bins::fast::Fastbins;
use crate::chunk::Chunk;
use crate::depot::Depot;
use crate::heap::Heap;
use crate::inbox::Inbox;
use crate::magazine::Stack;
use crate::ranks;

/// An arena: `malloc_state`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Arena {
    /// What the owner table says of this arena's heaps. Not 0.
    pub(crate) id: u16,
    /// Whether this is the first arena of its instance; chunks of the others carry the flag A.
    pub(crate) main: bool,
    /// Threads attached. Written behind the registry's lock.
    pub(crate) attached_threads: AtomicUsize,
    /// The arena made after this one. Never changes back to null.
    pub(crate) next: AtomicPtr<Arena>,
    /// The next arena that no thread is attached to. Behind the registry's lock.
    pub(crate) next_free: AtomicPtr<Arena>,
    /// Magazines that threads of other arenas hand over.
    pub(crate) inbox: CachePadded<Inbox>,
    /// The rest, behind the mutex.
    pub(crate) state: CachePadded<RankedMutex<{ ranks::ARENA }, State>>,
}

/// What an arena's mutex protects.
#[derive(Debug)]
pub(crate) struct State {
    /// `NON_MAIN_ARENA`, or 0 for the main arena: goes into every size word.
    pub(crate) flags: usize,
    /// Chunks of one size each, singly linked, LIFO, in use as far as their neighbours see. Era `Classic`.
    pub(crate) fastbins: Fastbins,
    /// The unsorted bin, the small bins, the large bins and their binmap.
    pub(crate) bins: Bins,
    /// Magazines that were flushed here and not yet taken apart. Era `Ours`; what fastbins are to `Classic`.
    pub(crate) depot: Depot,
    /// Blocks of other arenas that were found in the depot. Empty whenever the lock is free.
    pub(crate) strays: Stack,
    /// The chunk at the end of the newest heap. Always at least a smallest chunk, never in a bin.
    pub(crate) top: Chunk,
    /// What the last split of a small request left, or `None`.
    pub(crate) last_remainder: Option<Chunk>,
    /// The newest heap, which `top` ends.
    pub(crate) heap: ptr::NonNull<Heap>,
    /// What is known of free memory that nobody wants.
    pub(crate) purge: Purge,
    /// Bytes of its heaps that are, or may be, in use: up to the end of top.
    pub(crate) system_mem: usize,
    /// The highest `system_mem` so far.
    pub(crate) max_system_mem: usize,
}

// SAFETY: a state's chunks and heaps are the arena's own, bound to no thread, and reached through its mutex alone.
unsafe impl Send for State {}
