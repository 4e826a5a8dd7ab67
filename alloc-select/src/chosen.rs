//! The global allocator that is chosen when the program starts.

use alloc_core::Handle;
use alloc_core::compat::Global;
use alloc_core::line::Line;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::names::{Named, find, strategies};

/// The environment variable that names the strategy.
pub const VARIABLE: &str = "STRATA_STRATEGY";

const VARIABLE_C: &CStr = c"STRATA_STRATEGY";

/// The strategy that `STRATA_STRATEGY` names, among those compiled in, as a program's global allocator.
///
/// The variable is read once, at the first allocation, without allocating. It is ignored in set-user-ID programs. Unset or
/// empty means the default; a name that was not compiled in gives one line on standard error, and the default.
#[derive(Debug)]
pub struct Chosen {
    // Null until the first request; then an entry of the static table, for good.
    choice: AtomicPtr<Named>,
}

impl Chosen {
    /// For a `#[global_allocator]` static.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made for statics, which need a constant")]
    pub const fn new() -> Self {
        Self { choice: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The strategy in use.
    #[inline]
    #[must_use]
    pub fn handle(&self) -> Handle<'static> {
        // Relaxed: what the pointer leads to is a static that never changes.
        let choice = self.choice.load(Ordering::Relaxed);
        if choice.is_null() {
            return self.choose();
        }
        // SAFETY: only references to entries of the static table are stored.
        unsafe { (*choice).handle }
    }

    #[cold]
    #[inline(never)]
    fn choose(&self) -> Handle<'static> {
        let chosen = std::ptr::from_ref(from_environment()).cast_mut();
        // The first thread to get here decides: a block must go back to the strategy that it came from, and the variable
        // might change in between.
        match self.choice.compare_exchange(std::ptr::null_mut(), chosen, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => self.handle(),
            // SAFETY: only references to entries of the static table are stored.
            Err(first) => unsafe { (*first).handle },
        }
    }
}

fn from_environment() -> &'static Named {
    let default = &strategies()[0];
    // SAFETY: a query without effect.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return default;
    }
    // SAFETY: the name ends with a zero byte. The environment is read while the first allocation of the process is made,
    // before its own code could change it from another thread.
    let value = unsafe { libc::getenv(VARIABLE_C.as_ptr()) };
    if value.is_null() {
        return default;
    }
    // SAFETY: `getenv` answers null or a string that ends with a zero byte.
    let value = unsafe { CStr::from_ptr(value) };
    let name = value.to_str().unwrap_or("(not UTF-8)");
    if name.is_empty() {
        return default;
    }
    if let Some(named) = find(name) {
        return named;
    }
    let mut line = Line::new().text("strata: ").text(VARIABLE).text("=").text(name);
    line = line.text(": no such strategy was compiled in (");
    for (index, named) in strategies().iter().enumerate() {
        line = line.text(if index == 0 { "" } else { ", " }).text(named.name);
    }
    line.text("); going on with ").text(default.name).emit();
    default
}

// SAFETY: `Global` keeps these promises for any strategy, and `handle` answers with the same strategy at every call.
unsafe impl GlobalAlloc for Chosen {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Global::new(self.handle()).alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Global::new(self.handle()).alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Global::new(self.handle()).dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Global::new(self.handle()).realloc(block, layout, new_size) }
    }
}
