//! Resizing: in place where that can be, by the kernel's page tables for mapped blocks, by moving otherwise.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::Backend;

use crate::chunk::Chunk;
use crate::class::{self, MAX_CACHED, MAX_SMALL};
use crate::config::Era;
use crate::heap;
use crate::instance::Instance;
use crate::owner;
use crate::ptmalloc::Ptmalloc;
use crate::size::{self, ALIGN, MOVES_BELOW};
use crate::tcache::slot::Slot;

/// A block of a heap that grows to this size or more moves to a mapping, so that from then on the kernel moves its pages. A
/// vector that grew to 100 MiB in an arena left a peak of 123 MB, and 105 MB this way, which is glibc's.
const MAPS_FROM: usize = 8 << 20;

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// Resizes a block of `layout`.
    ///
    /// # Safety
    /// As for `Strategy::grow` and `Strategy::shrink`.
    #[inline]
    pub(crate) unsafe fn resize_layout(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if old.size().max(new.size()) > MAX_SMALL || old.align() > ALIGN {
            // SAFETY: the caller's promise.
            return unsafe { self.resize_block(block, old.size(), new) };
        }
        // Small blocks: what there is to know is in the layouts, and no header is read.
        let (had, needs) = (class::of_request(old.size()), class::of_request(new.size()));
        // A shrink that is worth a smaller block moves; any other stays.
        if had == needs || (needs < had && needs > had / 2) {
            return Ok(block);
        }
        let moved = self.allocate_layout(new)?;
        // SAFETY: two live blocks do not overlap; each has as many bytes.
        unsafe { moved.copy_from_nonoverlapping(block, old.size().min(new.size())) };
        // SAFETY: the caller gave the block up, which its layout fits.
        unsafe { self.free_layout(block, old) };
        Ok(moved)
    }

    /// Resizes a block, of whose contents `used` bytes matter, to `new`.
    ///
    /// # Safety
    /// `block` is a live block of this heap, with `used` bytes or more, at a multiple of `new.align()`.
    #[inline(never)]
    pub(crate) unsafe fn resize_block(
        &self,
        block: NonNull<u8>,
        used: usize,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let need = self.chunk_size(new.size())?;
        let instance = self.used().ok_or(AllocError)?;
        let source = &instance.source;
        if heap::holds(block.addr().get()) {
            if new.size() >= MAPS_FROM
                && new.size() > used
                && new.align() <= ALIGN
                && let Some(moved) = self.map(instance, new.size())
            {
                // SAFETY: a new block of so many bytes.
                unsafe { source.perturb_new(moved, new.size()) };
                // SAFETY: both are live blocks of this heap, each of so many bytes.
                unsafe { self.replace(block, moved, used) };
                return Ok(moved);
            }
            // SAFETY: a live block in a heap is a chunk's.
            let chunk = unsafe { Chunk::of_block(block) };
            // SAFETY: as above.
            if unsafe { self.resize_chunk(instance, chunk, need) } {
                return Ok(block);
            }
        } else if new.size() > MAX_CACHED && new.align() <= ALIGN {
            // Blocks that a magazine may hold never have a mapping.
            let inside = self.enter().ok_or(AllocError)?;
            // SAFETY: a live block of this heap that lies in none of its heaps is a mapping's.
            if let Some(moved) = unsafe { source.mapped.resize(source, block, new.size()) } {
                return Ok(moved);
            }
            drop(inside);
        }
        let moved = self.allocate_layout(new)?;
        // SAFETY: both are live blocks of this heap, each of so many bytes.
        unsafe { self.replace(block, moved, used.min(new.size())) };
        Ok(moved)
    }

    /// A block of `bytes` with a mapping of its own, if one can be had.
    fn map(&self, instance: &Instance<B>, bytes: usize) -> Option<NonNull<u8>> {
        let _inside = self.enter()?;
        instance.source.mapped.allocate(&instance.source, bytes, ALIGN).map(|(block, _)| block)
    }

    /// Copies `bytes` from one block to another, and frees the former.
    ///
    /// # Safety
    /// Both are live blocks of this heap, each of so many bytes or more, and the first is given up by its holder.
    unsafe fn replace(&self, block: NonNull<u8>, moved: NonNull<u8>, bytes: usize) {
        // SAFETY: two live blocks do not overlap; each has so many bytes.
        unsafe { moved.copy_from_nonoverlapping(block, bytes) };
        // SAFETY: the caller's promise.
        unsafe { self.free_block(block) };
    }

    /// Makes a chunk at least `need` large, in place, and gives back what is much more than that. Whether it could.
    ///
    /// # Safety
    /// The chunk is in use, and its holder calls this.
    unsafe fn resize_chunk(&self, instance: &Instance<B>, chunk: Chunk, need: usize) -> bool {
        // SAFETY: the caller's promise.
        let size = unsafe { chunk.size() };
        if size::serves(size, need) {
            return true;
        }
        if size < MOVES_BELOW {
            return size::stays(size, need);
        }
        let Some(arena) = owner::arena_of(owner::of(chunk.address())) else { return false };
        // SAFETY: arenas live as long as their instance.
        let arena = unsafe { arena.as_ref() };
        let Some(_inside) = self.enter() else { return need <= size };
        let mut state = arena.state.lock();
        // SAFETY: the arena is locked; the caller's promise.
        let resized = unsafe { state.resize(&instance.source, chunk, need) };
        resized || need <= size
    }

    /// 0 for a handler that interrupted the heap at work: no byte beyond what was asked for is promised then.
    fn usable_of_mapped(&self, block: NonNull<u8>) -> usize {
        let Some(_inside) = self.enter() else { return 0 };
        self.used().and_then(|instance| instance.source.mapped.usable_size(block)).unwrap_or(0)
    }

    /// The bytes that a live block's holder may use.
    ///
    /// # Safety
    /// As for `SizedBlocks::usable_size`.
    #[inline]
    pub(crate) unsafe fn usable(&self, block: NonNull<u8>) -> usize {
        if !heap::holds(block.addr().get()) {
            return self.usable_of_mapped(block);
        }
        // SAFETY: a live block in a heap is a chunk's.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: as above.
        let chunk_size = unsafe { chunk.size() };
        match class::of_chunk(chunk_size) {
            // Whoever asks may give the block back with any size up to the answer: that must not be of a larger class.
            Some(class) if self.era() == Era::Ours => size::usable(class::chunk_size(class)),
            _ => size::usable(chunk_size),
        }
    }
}
