//! Who forks: the thread that holds all locks between the handlers around a fork, and what its own signal handlers find.
//!
//! A handler that interrupted its thread at work in the heap of a library finds locks that it cannot wait for. It forks
//! without them: in both processes the interrupted work is done when the handler returns. Locks that other threads hold at that
//! moment stay locked in its child, as under glibc.

use core::ptr;

use alloc_core::sync::static_atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::tcache::ThreadCache;
use crate::tcache::slot::{CacheRef, LibrarySlot, Slot, token};

/// The token of the thread that holds the locks; 0 for none. Relaxed throughout, here and below: the others only ask whether
/// it is themselves, and all else is that thread's, or its child's.
static THREAD: AtomicUsize = AtomicUsize::new(0);
/// What its slot had.
static CACHE: AtomicPtr<ThreadCache> = AtomicPtr::new(ptr::null_mut());
/// Forks of its signal handlers that are under way.
static NESTED: AtomicUsize = AtomicUsize::new(0);
/// The heap of a library needs no number to be found.
static NO_ID: AtomicU64 = AtomicU64::new(0);

fn is_me() -> bool {
    THREAD.load(Ordering::Relaxed) == token()
}

/// Before a fork: whether the calling thread is to take the locks, by `hold`, which is called with the thread marked.
pub(crate) fn begin(hold: impl FnOnce()) {
    match LibrarySlot::enter(&NO_ID) {
        Some(CacheRef(cache)) => {
            hold();
            CACHE.store(ptr::from_ref(cache).cast_mut(), Ordering::Relaxed);
            THREAD.store(token(), Ordering::Relaxed);
        }
        None if is_me() => {
            NESTED.fetch_add(1, Ordering::Relaxed);
        }
        None => {}
    }
}

/// After a fork, in the parent and in the child: gives the locks back by `release`, if the calling thread, or the one that it
/// continues, took them for this fork.
pub(crate) fn end(release: impl FnOnce()) {
    if !is_me() {
        return;
    }
    if NESTED.load(Ordering::Relaxed) != 0 {
        NESTED.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let cache = CACHE.load(Ordering::Relaxed);
    THREAD.store(0, Ordering::Relaxed);
    release();
    // SAFETY: a reference to a cache, stored by `begin`.
    LibrarySlot::leave(CacheRef(unsafe { &*cache }));
}

/// Runs `work`, which takes locks, with the calling thread marked.
pub(crate) fn marked(work: impl FnOnce()) {
    let cache = LibrarySlot::enter(&NO_ID);
    work();
    if let Some(cache) = cache {
        LibrarySlot::leave(cache);
    }
}
