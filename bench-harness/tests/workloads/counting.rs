//! The system's allocator, counting, and on demand faulty.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static REQUESTED: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static ALONE: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread's zeroed blocks are not.
    static DIRTY: Cell<bool> = const { Cell::new(false) };
}

/// Bytes requested since the process began, and bytes not yet freed.
pub(crate) struct Totals {
    pub(crate) requested: u64,
    pub(crate) live: i64,
}

/// The counters now.
pub(crate) fn totals() -> Totals {
    Totals { requested: REQUESTED.load(Ordering::SeqCst), live: LIVE.load(Ordering::SeqCst) }
}

/// Keeps other tests from counting until it is dropped.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `work` while one byte of each large zeroed block that this thread gets is not zero.
pub(crate) fn with_dirty_zeroes<T>(work: impl FnOnce() -> T) -> T {
    DIRTY.set(true);
    let result = work();
    DIRTY.set(false);
    result
}

fn came(size: usize) {
    REQUESTED.fetch_add(size as u64, Ordering::Relaxed);
    LIVE.fetch_add(size as i64, Ordering::Relaxed);
}

fn went(size: usize) {
    LIVE.fetch_sub(size as i64, Ordering::Relaxed);
}

// SAFETY: every request goes to `System` as it came, and what is done beside neither allocates nor panics. The dirty
// byte breaks `alloc_zeroed` on purpose, in blocks of words whose every content is valid, on one thread that asked.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        let block = unsafe { System.alloc_zeroed(layout) };
        if DIRTY.get() && layout.size() >= 256 && !block.is_null() {
            // SAFETY: the block has 256 bytes at least and nobody else knows it yet; a byte asks for no alignment.
            unsafe { block.write(1) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        came(size);
        went(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        went(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(block, layout) }
    }
}
