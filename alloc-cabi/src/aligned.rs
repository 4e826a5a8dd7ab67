//! The functions that take an alignment. They behave as glibc's.

use core::ffi::{c_int, c_void};
use core::ptr;

use alloc_core::arith::align_up;
use alloc_core::errno::KeepErrno;
use alloc_core::os::Pages;
use alloc_core::os::unix::Os;

use crate::cold;
use crate::errno;
use crate::spare::C_ALIGN;

/// `memalign`. As in `c`, exported functions share private ones.
pub(crate) fn at(align: usize, size: usize) -> *mut c_void {
    match align.checked_next_power_of_two() {
        Some(align) => cold::allocate(size, align.max(C_ALIGN)).cast(),
        None => {
            errno::set(libc::EINVAL);
            ptr::null_mut()
        }
    }
}

/// `posix_memalign`.
///
/// # Safety
/// `place` may be written to.
pub(crate) unsafe fn store_at(place: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let _errno = KeepErrno::new();
    match cold::try_allocate(size, align.max(C_ALIGN)) {
        Ok(block) => {
            // SAFETY: promised by the caller.
            unsafe { place.write(block.as_ptr().cast()) };
            0
        }
        Err(_) => libc::ENOMEM,
    }
}

/// `valloc`.
pub(crate) fn on_page(size: usize) -> *mut c_void {
    cold::allocate(size, Os.page_size()).cast()
}

/// `pvalloc`.
pub(crate) fn pages(size: usize) -> *mut c_void {
    let page = Os.page_size();
    match align_up(size, page) {
        Some(size) => cold::allocate(size, page).cast(),
        None => cold::no_memory().cast(),
    }
}

/// A block at a multiple of `align`. As glibc's, an alignment that is no power of two counts as the next one; beyond the
/// largest one, null with `EINVAL`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    at(align, size)
}

/// C11's name for [`memalign`]. As glibc's, it takes any size.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    at(align, size)
}

/// Stores a block at a multiple of `align` in `*place`. Answers 0, `EINVAL` for an alignment that is no power of two or
/// less than a word, or `ENOMEM`; `errno` stays as it is, and so does `*place` on failure.
///
/// # Safety
/// `place` may be written to.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, align: usize, size: usize) -> c_int {
    // SAFETY: the caller's promise is the callee's.
    unsafe { store_at(place, align, size) }
}

/// A block on a page boundary.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn valloc(size: usize) -> *mut c_void {
    on_page(size)
}

/// Whole pages: a block on a page boundary with the size rounded up to a page.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn pvalloc(size: usize) -> *mut c_void {
    pages(size)
}
