//! Heaps as strategies.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, SizedBlocks, Strategy, move_block};

use crate::coalesce::Coalesce;
use crate::config::Config;
use crate::freelist::FreeList;
use crate::header::{Header, KnowsSize};
use crate::lock::{Held, Lock};
use crate::size::ALIGN;
use crate::zone::Zone;

/// Blocks of at most so many bytes are moved rather than resized in place, where quick lists serve all sizes.
const MOVED: usize = 4096;

impl<B: Backend, C: Config, W: Backend, L: Lock> FreeList<B, C, W, L> {
    /// Whether a block for `old` does for `new` as it is, and tells nothing of either. Not for wide ones, which are as large as was
    /// asked for, whatever their class would be.
    #[inline(always)]
    fn is_same_block(&self, block: NonNull<u8>, old: Layout, new: Layout) -> bool {
        let lists = (Zone::<C>::list_for(old.size()), Zone::<C>::list_for(new.size()));
        !C::Header::SIZED
            && lists.0.is_some()
            && lists.0 == lists.1
            && new.size() < C::WIDE
            && (!Zone::<C>::TIGHT || self.is_classed(block))
    }

    /// Whether a block is as large as its class.
    fn is_classed(&self, block: NonNull<u8>) -> bool {
        let _held = Held::acquire(&self.lock);
        let zone = self.heap.zone_of(block.addr().get());
        zone.is_some_and(|zone| !zone.is_tight(zone.position(block)))
    }

    /// Whether a block is moved without a look at what follows it: quick lists take less time than bins do, and a block that is
    /// cut leaves less than a block of its class, to be merged later.
    #[inline(always)]
    fn moves(old: Layout, new: Layout) -> bool {
        C::Coalesce::CLASSES
            && !C::Header::TRUSTED
            && new.size() <= MOVED
            && new.size() < C::WIDE
            && old.align() <= ALIGN
    }

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
    /// `block` is a live block of ours, requested with `old` bytes. On `Some`, only that address is used from then on.
    unsafe fn extend(&self, block: NonNull<u8>, old: usize, new: usize, align: usize) -> Option<NonNull<u8>> {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promise; the source of wide blocks is always the same.
        unsafe { self.heap.extend(&self.wide, block, old, new, align) }
    }

    /// # Safety
    /// `block` is a live block of ours, requested with `old` bytes, and does not become larger.
    unsafe fn cut(&self, block: NonNull<u8>, old: usize, new: usize) -> bool {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.heap.shrink(block, old, new) }
    }

    /// [`Strategy::grow`] without copying. `None` where that does not do.
    ///
    /// # Safety
    /// As for [`Strategy::grow`].
    pub(crate) unsafe fn grow_uncopied(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<Option<NonNull<u8>>, AllocError> {
        if !self.trusts(block, Some(old)) {
            return Err(AllocError);
        }
        // SAFETY: the caller promises a live block of ours that `old` fits.
        Ok(unsafe { self.extend(block, old.size(), new.size(), new.align()) })
    }

    /// [`Strategy::shrink`] without moving. `None` where that does not do.
    ///
    /// # Safety
    /// As for [`Strategy::shrink`].
    pub(crate) unsafe fn shrink_in_place(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<Option<NonNull<u8>>, AllocError> {
        if !self.trusts(block, Some(old)) {
            return Err(AllocError);
        }
        // SAFETY: the caller promises a live block of ours that `old` fits, and that it does not become larger.
        Ok(unsafe { self.cut(block, old.size(), new.size()) }.then_some(block))
    }

    /// [`SizedBlocks::reallocate`] without copying. `None` where that does not do.
    ///
    /// # Safety
    /// As for [`SizedBlocks::reallocate`].
    pub(crate) unsafe fn resize_uncopied(
        &self,
        block: NonNull<u8>,
        new_size: usize,
    ) -> Result<Option<NonNull<u8>>, AllocError> {
        if !self.trusts(block, None) {
            return Err(AllocError);
        }
        let old = {
            let _held = Held::acquire(&self.lock);
            // SAFETY: the caller promises a live block of ours.
            unsafe { self.heap.usable_size(block) }
        };
        Ok(if new_size <= old {
            // SAFETY: as above, and it does not become larger.
            unsafe { self.cut(block, old, new_size) }.then_some(block)
        } else {
            // SAFETY: as above. Plain alignments are below any source's granule.
            unsafe { self.extend(block, old, new_size, C::Header::GRANULE) }
        })
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
        unsafe { self.heap.deallocate(&self.backend, &self.wide, block, layout) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if self.is_same_block(block, old, new) {
            return Ok(block);
        }
        if Self::moves(old, new) {
            // SAFETY: the caller's promises are the callee's. Refused, the block may still grow where it is.
            if let Ok(moved) = unsafe { move_block(self, block, old, new) } {
                return Ok(moved);
            }
        }
        // SAFETY: the caller's promises are the callee's.
        match unsafe { self.grow_uncopied(block, old, new) }? {
            Some(grown) => Ok(grown),
            // SAFETY: as above.
            None => unsafe { move_block(self, block, old, new) },
        }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if self.is_same_block(block, old, new) {
            return Ok(block);
        }
        if Self::moves(old, new) {
            // SAFETY: the caller's promises are the callee's. Refused, the block may still be cut where it is.
            if let Ok(moved) = unsafe { move_block(self, block, old, new) } {
                return Ok(moved);
            }
        }
        // SAFETY: the caller's promises are the callee's.
        match unsafe { self.shrink_in_place(block, old, new) }? {
            Some(shrunk) => Ok(shrunk),
            None => {
                // SAFETY: as above.
                let moved = unsafe { move_block(self, block, old, new) };
                // Where nothing smaller is to be had, a wide block stays as it is; others whose size is the layout's would be
                // freed as smaller ones than they are.
                if C::Header::EXACT { moved } else { Ok(moved.unwrap_or(block)) }
            }
        }
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
        unsafe { self.heap.free(&self.backend, &self.wide, block) };
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
        // SAFETY: the caller's promises are the callee's.
        if let Some(resized) = unsafe { self.resize_uncopied(block, new_size) }? {
            return Ok(resized);
        }
        // SAFETY: a live block of ours, found to be one.
        let old = unsafe { self.usable_size(block) };
        let layout = Layout::from_size_align(new_size, C::Header::GRANULE).map_err(|_| AllocError)?;
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
