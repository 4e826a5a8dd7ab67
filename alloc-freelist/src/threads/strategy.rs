//! Heaps with thread caches as strategies.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, SizedBlocks, Strategy, move_block};

use super::SyncFreeList;
use super::class::{class_for, class_of};
use crate::config::Config;
use crate::header::{Header, KnowsSize};
use crate::zone::{bytes, granules};

/// Blocks of at most so many bytes are moved rather than resized in place, which takes the heap's lock.
const MOVED: usize = 1024;

impl<C: Config, B: Backend, W: Backend> SyncFreeList<C, B, W> {
    /// The class of a request that any block of the class serves.
    #[inline(always)]
    fn class(layout: Layout) -> Option<usize> {
        if layout.align() > C::Header::GRANULE { None } else { Self::class_of_freed(layout) }
    }

    /// The class of a block that is given back, where caches take it: blocks have the size of their class at any alignment.
    #[inline(always)]
    fn class_of_freed(layout: Layout) -> Option<usize> {
        if !Self::CACHES { None } else { Self::class_of_bytes(layout.size()) }
    }

    /// The class of blocks for so many bytes: never of wide ones.
    #[inline(always)]
    fn class_of_bytes(size: usize) -> Option<usize> {
        if size >= C::WIDE { None } else { class_for(granules::<C>(size + C::Header::BYTES), C::Header::MIN) }
    }

    #[inline(always)]
    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        let cache = self.front()?;
        if !cache.enter() {
            return None;
        }
        let taken = cache.bin(class).pop();
        if let Some(block) = taken {
            // Before others may look: they count blocks by their marks.
            // SAFETY: a block of a cache is of this heap, and held by nobody.
            unsafe { C::Header::note_used(block) };
        }
        cache.leave();
        taken
    }

    /// A block that happens to lie well for an alignment beyond the granule.
    #[inline(never)]
    fn take_aligned(&self, layout: Layout) -> Option<NonNull<u8>> {
        let class = Self::class_of_freed(layout)?;
        let cache = self.front()?;
        if !cache.enter() {
            return None;
        }
        let taken = cache.bin(class).pop_aligned(layout.align());
        if let Some(block) = taken {
            // SAFETY: as in `take`.
            unsafe { C::Header::note_used(block) };
        }
        cache.leave();
        taken
    }

    /// # Safety
    /// `block` is of this class, and given up by its holder.
    #[inline(always)]
    unsafe fn give(&self, class: usize, block: NonNull<u8>) {
        if let Some(cache) = self.front() {
            if cache.enter() {
                let bin = cache.bin(class);
                if bin.count.get() < bin.limit.get() {
                    // SAFETY: the caller gives the block up.
                    unsafe { C::Header::note_cached(block) };
                    // SAFETY: as above; it has 16 bytes less a header of at most 8, and is aligned.
                    unsafe { bin.push(block) };
                    cache.leave();
                    return;
                }
                cache.leave();
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.give_slow(class, block) };
    }

    /// Whether a block of `old` bytes is better moved than asked of the heap to be `new` bytes large in place.
    #[inline]
    fn moves(old: Layout, new: Layout) -> bool {
        Self::CACHES && old.size().max(new.size()) <= MOVED && old.align() <= C::Header::GRANULE
    }

    /// Whether blocks for both layouts are of one size.
    #[inline]
    fn is_same_block(old: Layout, new: Layout) -> bool {
        let both = (Self::class_of_bytes(old.size()), Self::class_of_bytes(new.size()));
        Self::CACHES && both.0.is_some() && both.0 == both.1
    }
}

// SAFETY: blocks in caches are the heap's blocks in use, and given to one holder each: a cache's bins are touched by one
// thread at a time (`cache`), and the heap by one with its lock held. All else is the heap's own.
unsafe impl<C: Config, B: Backend, W: Backend> Strategy for SyncFreeList<C, B, W> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let Some(class) = Self::class(layout) else {
            if let Some(block) = self.take_aligned(layout) {
                return Ok(block);
            }
            return self.list.allocate(layout).or_else(|_| self.reclaim(layout));
        };
        match self.take(class) {
            Some(block) => Ok(block),
            None => self.take_slow(class, layout),
        }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if Self::class(layout).is_none() {
            return self.list.allocate_zeroed(layout).or_else(|_| {
                let block = self.reclaim(layout)?;
                // SAFETY: a new block of so many bytes.
                unsafe { block.write_bytes(0, layout.size()) };
                Ok(block)
            });
        }
        let block = self.allocate(layout)?;
        // SAFETY: a new block of so many bytes.
        unsafe { block.write_bytes(0, layout.size()) };
        Ok(block)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        match Self::class_of_freed(layout) {
            // SAFETY: the caller gives up a block that the layout fits: blocks of one class have one size.
            Some(class) => unsafe { self.give(class, block) },
            // SAFETY: the caller's promises are the callee's.
            None => unsafe { self.list.deallocate(block, layout) },
        }
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if Self::is_same_block(old, new) {
            return Ok(block);
        }
        if !Self::moves(old, new) {
            // SAFETY: the caller's promises are the callee's.
            if let Some(grown) = unsafe { self.list.grow_uncopied(block, old, new) }? {
                return Ok(grown);
            }
        }
        // SAFETY: as above.
        unsafe { move_block(self, block, old, new) }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if Self::is_same_block(old, new) {
            return Ok(block);
        }
        if !Self::moves(old, new) {
            // SAFETY: the caller's promises are the callee's.
            if let Some(shrunk) = unsafe { self.list.shrink_in_place(block, old, new) }? {
                return Ok(shrunk);
            }
        }
        // SAFETY: as above.
        if let Ok(moved) = unsafe { move_block(self, block, old, new) } {
            return Ok(moved);
        }
        // Memory is short. Whoever frees the block by its new layout must give back all of it, so it has to be cut.
        // SAFETY: as above; the block is as it was.
        unsafe { self.list.shrink_in_place(block, old, new) }?.ok_or(AllocError)
    }
}

// SAFETY: as for `FreeList`, and a cached block's header goes on telling its size.
unsafe impl<C: Config, B: Backend, W: Backend> SizedBlocks for SyncFreeList<C, B, W>
where
    C::Header: KnowsSize,
{
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        if Self::CACHES {
            // SAFETY: the caller promises a live block of ours, whose header stands before it.
            if let Some(class) = class_of(unsafe { C::Header::noted_size(block) }) {
                // SAFETY: the caller gives the block up, and its header told its size.
                return unsafe { self.give(class, block) };
            }
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.free(block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        if Self::CACHES {
            // SAFETY: the caller promises a live block of ours, whose header stands before it.
            let size = unsafe { C::Header::noted_size(block) };
            if size != 0 {
                return bytes::<C>(size) - C::Header::BYTES;
            }
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.usable_size(block) }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        if !Self::CACHES {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.list.reallocate(block, new_size) };
        }
        let layout = Layout::from_size_align(new_size, C::Header::GRANULE).map_err(|_| AllocError)?;
        // SAFETY: a live block of ours, as the caller promises.
        let old = unsafe { self.usable_size(block) };
        let was = Layout::from_size_align(old, C::Header::GRANULE).map_err(|_| AllocError)?;
        if Self::is_same_block(was, layout) {
            return Ok(block);
        }
        if !Self::moves(was, layout) {
            // SAFETY: the caller's promises are the callee's.
            if let Some(resized) = unsafe { self.list.resize_uncopied(block, new_size) }? {
                return Ok(resized);
            }
        }
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

alloc_core::impl_allocator_api2!([C: Config, B: Backend, W: Backend] SyncFreeList<C, B, W>);
