//! The calling thread's `errno`, which `free`, diagnostics and the OS floor must leave as it was.

use core::ffi::c_int;

/// Puts `errno` back, when dropped, to what it was when this was made.
#[derive(Debug)]
pub struct KeepErrno {
    place: *mut c_int,
    before: c_int,
}

impl KeepErrno {
    /// Remembers the calling thread's `errno`.
    #[inline]
    #[must_use = "`errno` is put back when this is dropped"]
    pub fn new() -> Self {
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

impl Default for KeepErrno {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for KeepErrno {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as for `now`, and writable.
        unsafe { self.place.write(self.before) };
    }
}
