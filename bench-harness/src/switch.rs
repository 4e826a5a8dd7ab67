//! The global allocator of the binary: one call through the handle of the strategy that the process was started for.
//!
//! The choice is made once, by a function that the loader runs before `main`, when the program has made no allocation and
//! has one thread. Nothing of it changes later, so a request reads two words and makes one indirect call, the same for
//! every strategy and the baseline. The harness itself, which starts without [`VARIABLE`], runs on `system`.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ffi::CStr;

use alloc_core::Handle;
use alloc_core::compat::Global;

use crate::registry::{self, Entry};

/// The environment variable that names the strategy of a cell's process.
pub const VARIABLE: &CStr = c"STRATA_CELL";

struct Chosen {
    handle: UnsafeCell<Handle<'static>>,
    entry: UnsafeCell<Option<&'static Entry>>,
}

// SAFETY: written by `choose` alone, which runs when there is one thread and before anything reads; constant from then on.
unsafe impl Sync for Chosen {}

static CHOSEN: Chosen = Chosen { handle: UnsafeCell::new(registry::system()), entry: UnsafeCell::new(None) };

/// Chooses the strategy that the environment names; without the variable, or for an unknown name, `system` stays.
///
/// # Safety
/// Runs once, before the first allocation of the Rust program and while the process has one thread: from the table of
/// functions that the loader calls before `main`.
pub unsafe extern "C" fn choose() {
    // SAFETY: a string that a zero byte ends; no other thread changes the environment.
    let value = unsafe { libc::getenv(VARIABLE.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: not null, hence a string of the environment that a zero byte ends.
    let name = unsafe { CStr::from_ptr(value) };
    let Some(entry) = registry::find(name.to_bytes()) else { return };
    let handle = (entry.open)();
    // SAFETY: nobody reads while this runs, by this function's own condition.
    unsafe { CHOSEN.handle.get().write(handle) };
    // SAFETY: as above.
    unsafe { CHOSEN.entry.get().write(Some(entry)) };
}

/// The entry that [`choose`] chose; `None` when the process was not started for a cell.
#[must_use]
pub fn chosen() -> Option<&'static Entry> {
    // SAFETY: constant since before `main`.
    unsafe { *CHOSEN.entry.get() }
}

/// The global allocator over the chosen strategy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switch;

#[inline]
fn global() -> Global<Handle<'static>> {
    // SAFETY: constant since before the first allocation.
    Global::new(unsafe { *CHOSEN.handle.get() })
}

// SAFETY: every method is that of `Global` over a handle that never changes, which keeps the promises.
unsafe impl GlobalAlloc for Switch {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { global().alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { global().alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { global().dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { global().realloc(block, layout, new_size) }
    }
}
