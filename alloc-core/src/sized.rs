//! The second trait: strategies that know the size of their own blocks.
//!
//! The C interface stands on it, since `free(p)` carries no size. Every strategy but `bump` has it. The words *live
//! block*, *fits*, *owner* and *usable size* are those of [`strategy`](crate::strategy).

use core::ptr::NonNull;

use crate::error::AllocError;
use crate::strategy::Strategy;

/// A strategy whose blocks can be given back, measured and resized by pointer alone.
///
/// # Safety
///
/// Implementors promise, beyond [`Strategy`], that the size which `usable_size` tells may be read and written to its
/// end while the block is live, and that all methods here accept the blocks of every method of [`Strategy`].
pub unsafe trait SizedBlocks: Strategy {
    /// Gives a block back by its pointer.
    ///
    /// # Safety
    /// `block` is a live block whose owner is `self`.
    unsafe fn free(&self, block: NonNull<u8>);

    /// The block's usable size in bytes. It stays the same until the block is resized or given back.
    ///
    /// # Safety
    /// `block` is a live block whose owner is `self`.
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize;

    /// Resizes a block as C's `realloc` does: contents are kept up to the smaller of both sizes. Whatever the block's
    /// alignment was, two words (that of plain C allocation) are promised for the result, and a layout of `new_size`
    /// with that alignment or less fits it from then on. On `Err` the old block is still live.
    ///
    /// # Safety
    /// `block` is a live block whose owner is `self`.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError>;
}

// SAFETY: every method forwards to the same method of `S` with the same arguments, so `S`'s promises are ours.
unsafe impl<S: SizedBlocks + ?Sized> SizedBlocks for &S {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).free(block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).usable_size(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).reallocate(block, new_size) }
    }
}
