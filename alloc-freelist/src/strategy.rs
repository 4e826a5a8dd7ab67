//! Heaps as strategies.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, SizedBlocks, Strategy, move_block};

use crate::config::Config;
use crate::freelist::FreeList;
use crate::header::{Header, KnowsSize};
use crate::lock::{Held, Lock};
use crate::size::GRANULE;

impl<B: Backend, C: Config, W: Backend, L: Lock> FreeList<B, C, W, L> {
    /// Whether a block may be resized: always, but for headers that are checked.
    fn trusts(&self, block: NonNull<u8>, layout: Option<Layout>) -> bool {
        if !C::Header::TRUSTED {
            return true;
        }
        let _held = Held::acquire(&self.lock);
        match self.heap.examine(block, layout) {
            Ok(_) => true,
            Err(misuse) => {
                self.heap.report(misuse, block.addr().get());
                false
            }
        }
    }

    /// # Safety
    /// `block` is a live block of ours, requested with `old` bytes.
    unsafe fn extend(&self, block: NonNull<u8>, old: usize, new: usize) -> bool {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promise; the source of wide blocks is always the same.
        unsafe { self.heap.extend(&self.wide, block, old, new) }
    }

    /// # Safety
    /// As for [`extend`](Self::extend), and the block does not become larger.
    unsafe fn shrink_in_place(&self, block: NonNull<u8>, old: usize, new: usize) -> bool {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.heap.shrink(block, old, new) }
    }
}

// SAFETY: a block is cut from a free one and leaves the index with it, so that blocks never overlap (`zone::carve`); they
// lie in zones or spans of their own, which the heap does not move, and stay until it is reset or dropped, both
// exclusive. Nothing here unwinds, and the lock keeps threads apart.
unsafe impl<B: Backend, C: Config, W: Backend, L: Lock> Strategy for FreeList<B, C, W, L> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let _held = Held::acquire(&self.lock);
        self.heap.allocate(&self.backend, &self.wide, layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.heap.deallocate(&self.wide, block, layout) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if !self.trusts(block, Some(old)) {
            return Err(AllocError);
        }
        // SAFETY: the caller promises a live block of ours that `old` fits.
        if unsafe { self.extend(block, old.size(), new.size()) } {
            return Ok(block);
        }
        // SAFETY: as above.
        unsafe { move_block(self, block, old, new) }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if !self.trusts(block, Some(old)) {
            return Err(AllocError);
        }
        // SAFETY: the caller promises a live block of ours that `old` fits, and that it does not become larger.
        if unsafe { self.shrink_in_place(block, old.size(), new.size()) } {
            return Ok(block);
        }
        // SAFETY: as above. Where nothing smaller is to be had, the block stays as it is.
        Ok(unsafe { move_block(self, block, old, new) }.unwrap_or(block))
    }
}

// SAFETY: the header's size is that of the block, which is its holder's after the header; all methods of `Strategy`
// write such headers, and wide blocks know their span.
unsafe impl<B: Backend, C: Config, W: Backend, L: Lock> SizedBlocks for FreeList<B, C, W, L>
where
    C::Header: KnowsSize,
{
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller promises a live block of ours, and its header knows its size.
        unsafe { self.heap.free(&self.wide, block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        if !self.trusts(block, None) {
            return 0;
        }
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller promises a live block of ours.
        unsafe { self.heap.usable_size(block) }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        if !self.trusts(block, None) {
            return Err(AllocError);
        }
        let old = {
            let _held = Held::acquire(&self.lock);
            // SAFETY: the caller promises a live block of ours.
            unsafe { self.heap.usable_size(block) }
        };
        let in_place = if new_size <= old {
            // SAFETY: as above, and it does not become larger.
            unsafe { self.shrink_in_place(block, old, new_size) }
        } else {
            // SAFETY: as above.
            unsafe { self.extend(block, old, new_size) }
        };
        if in_place {
            return Ok(block);
        }
        let layout = Layout::from_size_align(new_size, GRANULE).map_err(|_| AllocError)?;
        let Ok(moved) = self.allocate(layout) else {
            return if new_size <= old { Ok(block) } else { Err(AllocError) };
        };
        // SAFETY: both are live, hence do not overlap, and each has as many bytes.
        unsafe { moved.copy_from_nonoverlapping(block, old.min(new_size)) };
        // SAFETY: the caller gives the old block up.
        unsafe { self.free(block) };
        Ok(moved)
    }
}

alloc_core::impl_allocator_api2!([B: Backend, C: Config, W: Backend, L: Lock] FreeList<B, C, W, L>);
