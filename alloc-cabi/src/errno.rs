//! The calling thread's `errno`, set where a request fails.

use core::ffi::c_int;

/// Sets `errno`.
pub(crate) fn set(value: c_int) {
    // SAFETY: may be called from any thread at any time.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is the calling thread's own.
    unsafe { place.write(value) };
}
