//! The functions of C: `malloc` and its family, and what C23 added to it.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use alloc_ptmalloc::LibrarySlot;

use crate::cold;

/// A block of C as one of ours.
#[inline]
fn block(pointer: *mut c_void) -> Option<NonNull<u8>> {
    NonNull::new(pointer.cast())
}

/// `free`. Exported functions call each other by such private names: a call by an exported one might reach another library,
/// and a compiler reads more into C's names than is meant here.
///
/// # Safety
/// `pointer` is null or a live block.
#[inline]
pub(crate) unsafe fn give_back(pointer: *mut c_void) {
    let Some(block) = block(pointer) else { return };
    // SAFETY: the caller's promise; a block in the heap in front is of the process's strategy.
    if !unsafe { LibrarySlot::put(block) } {
        // SAFETY: as above.
        unsafe { cold::free(block) };
    }
}

/// `free_sized`.
///
/// # Safety
/// `pointer` is null, or a live block that was requested with this size.
#[inline]
pub(crate) unsafe fn give_back_sized(pointer: *mut c_void, size: usize) {
    if let Some(block) = block(pointer) {
        // SAFETY: the caller's promise.
        unsafe { cold::free_sized(block, size) };
    }
}

/// `malloc`.
#[inline]
pub(crate) fn allocate(size: usize) -> *mut c_void {
    match LibrarySlot::take(size) {
        Some(block) => block.as_ptr().cast(),
        None => cold::malloc(size).cast(),
    }
}

/// `calloc`.
#[inline]
pub(crate) fn allocate_zeroed(count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else { return cold::no_memory().cast() };
    match LibrarySlot::take(size) {
        Some(block) => {
            // SAFETY: a new block of at least so many bytes.
            unsafe { block.write_bytes(0, size) };
            block.as_ptr().cast()
        }
        None => cold::allocate_zeroed(size).cast(),
    }
}

/// `realloc`.
///
/// # Safety
/// `pointer` is null or a live block.
#[inline]
pub(crate) unsafe fn resize(pointer: *mut c_void, size: usize) -> *mut c_void {
    match block(pointer) {
        None => allocate(size),
        Some(_) if size == 0 => {
            // SAFETY: the caller's promise.
            unsafe { give_back(pointer) };
            ptr::null_mut()
        }
        Some(block) => {
            // SAFETY: a live block that was replaced.
            let free = |block| unsafe { cold::free(block) };
            // SAFETY: the caller's promise.
            match unsafe { LibrarySlot::resize(block, size, free) } {
                Some(resized) => resized.as_ptr().cast(),
                // SAFETY: as above.
                None => unsafe { cold::reallocate(block, size) }.cast(),
            }
        }
    }
}

/// `reallocarray`.
///
/// # Safety
/// `pointer` is null or a live block.
#[inline]
pub(crate) unsafe fn resize_array(pointer: *mut c_void, count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the caller's promise.
        Some(size) => unsafe { resize(pointer, size) },
        None => cold::no_memory().cast(),
    }
}

/// A new block of at least `size` bytes, at a multiple of 16; of no bytes too, each at an address of its own. Null with
/// `ENOMEM` where there is no memory.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn malloc(size: usize) -> *mut c_void {
    allocate(size)
}

/// Gives a block back. Null is no block. Leaves `errno` as it is.
///
/// # Safety
/// `pointer` is null or a live block.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free(pointer: *mut c_void) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { give_back(pointer) };
}

/// As [`malloc`], for `count` times `size` zero bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    allocate_zeroed(count, size)
}

/// Resizes a block, moving it where needed. As glibc's: null is a new block; to no bytes gives the block back and answers
/// null; on failure the block is live still.
///
/// # Safety
/// `pointer` is null or a live block.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise is the callee's.
    unsafe { resize(pointer, size) }
}

/// [`realloc`] to `count` times `size` bytes. Null with `ENOMEM` where that is no number.
///
/// # Safety
/// As for [`realloc`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn reallocarray(pointer: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise is the callee's.
    unsafe { resize_array(pointer, count, size) }
}

/// The bytes of a block that may be used; 0 for null.
///
/// # Safety
/// As for [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn malloc_usable_size(pointer: *mut c_void) -> usize {
    // SAFETY: the caller's promise.
    block(pointer).map_or(0, |block| unsafe { cold::usable_size(block) })
}

/// [`free`], by the name that SunOS gave it.
///
/// # Safety
/// As for [`free`].
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn cfree(pointer: *mut c_void) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { give_back(pointer) };
}

/// C23: [`free`] by a caller that knows the size.
///
/// # Safety
/// `pointer` is null, or a live block that was requested with this size.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free_sized(pointer: *mut c_void, size: usize) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { give_back_sized(pointer, size) };
}

/// C23: [`free`] by a caller that knows alignment and size.
///
/// # Safety
/// `pointer` is null, or a live block that was requested with this alignment and size.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn free_aligned_sized(pointer: *mut c_void, _align: usize, size: usize) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { give_back_sized(pointer, size) };
}
