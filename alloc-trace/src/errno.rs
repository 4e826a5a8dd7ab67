//! The calling thread's `errno`, which `free` and all diagnostics leave as it was.

use core::ffi::c_int;

/// Puts `errno` back, when dropped, to what it was when this was made.
#[derive(Debug)]
pub(crate) struct KeepErrno {
    place: *mut c_int,
    before: c_int,
}

impl KeepErrno {
    #[inline]
    pub(crate) fn new() -> Self {
        // SAFETY: may be called from any thread at any time.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: the place is the calling thread's own, valid for as long as the thread runs.
        let before = unsafe { place.read() };
        Self { place, before }
    }

    /// What `errno` is now.
    #[inline]
    pub(crate) fn now(&self) -> c_int {
        // SAFETY: the raw pointer keeps this guard on the thread that owns the place.
        unsafe { self.place.read() }
    }
}

impl Drop for KeepErrno {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as for `now`, and writable.
        unsafe { self.place.write(self.before) };
    }
}
