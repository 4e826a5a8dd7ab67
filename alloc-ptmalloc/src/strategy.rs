//! The contract's side of the front door.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, SizedBlocks, Strategy};

use crate::ptmalloc::Ptmalloc;
use crate::size::ALIGN;
use crate::tcache::slot::Slot;

// SAFETY: a block is a chunk in use or a mapping, of the size and alignment asked for, and nobody else's until it is given
// back: chunks do not overlap, which the walkers of `check` hold in tests; moving the front door moves no instance; nothing
// here unwinds or allocates from this heap; sizes beyond `MAX_REQUEST` and exhaustion are errors.
unsafe impl<B: Backend, S: Slot> Strategy for Ptmalloc<B, S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocate_layout(layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocate_layout_zeroed(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.free_layout(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.resize_layout(block, old, new) }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.resize_layout(block, old, new) }
    }
}

// SAFETY: the usable size is the chunk's or mapping's, of which the holder has all but the size word; every block of
// `Strategy` has a header that tells it.
unsafe impl<B: Backend, S: Slot> SizedBlocks for Ptmalloc<B, S> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.free_block(block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.usable(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        let new = Layout::from_size_align(new_size, ALIGN).map_err(|_| AllocError)?;
        // SAFETY: the caller's promise.
        let used = unsafe { self.usable(block) };
        // SAFETY: as above; whatever the block's alignment was, it is at a multiple of 16.
        unsafe { self.resize_block(block, used, new) }
    }
}
