//! What the exported functions of a library do before they ask which strategy serves the process: take a block that lies at
//! hand in the calling thread's loaded magazine, put one back there, exchange one for another.
//!
//! They look at a word of their own, which is the heap's only where it serves its callers directly
//! ([`LibrarySlot::serve_at_hand`]). Everywhere else (before the choice, under another strategy, under a decorator that must see every
//! call, in a thread at work beyond its magazines) it leads to a cache without blocks, without room and near no address, so that each of these
//! answers that there is nothing, without a test for any of that.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::Backend;

use crate::chunk::Chunk;
use crate::class::{self, MAX_CACHED, MAX_SMALL, TINY};
use crate::magazine::Node;
use crate::ptmalloc::Ptmalloc;
use crate::size::{self, ALIGN, MIN_CHUNK};
use crate::tcache::slot::{LibrarySlot, at_hand};

impl LibrarySlot {
    /// A block of `request` bytes or more, aligned to 16 bytes, where one lies at hand.
    #[inline(always)]
    #[must_use]
    pub fn take(request: usize) -> Option<NonNull<u8>> {
        let at = if request <= MAX_SMALL {
            class::small_at(request)
        } else if request <= MAX_CACHED {
            class::medium(request) * ALIGN
        } else {
            return None;
        };
        let cache = at_hand().0;
        // SAFETY: the calling thread's cache, or one without blocks; a class.
        let taken = unsafe { cache.pop_at(at) };
        if taken.is_none() && at == TINY * ALIGN {
            // Frees that go by the chunk alone put its blocks there: who asks for more than 8 bytes is not asked which it was.
            // SAFETY: as above.
            return unsafe { cache.pop_at(MIN_CHUNK) };
        }
        taken
    }

    /// Puts a block back where there is room at hand. Whether there was; if not, the block is as it was.
    ///
    /// # Safety
    /// The block is given up by its holder. What is not a live block is found out where that is affordable.
    #[inline(always)]
    pub unsafe fn put(block: NonNull<u8>) -> bool {
        let cache = at_hand().0;
        if !cache.is_near(block.addr().get()) {
            return false;
        }
        // SAFETY: in a heap, hence the words before and of the block can be read.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: as above.
        let size = unsafe { chunk.size() };
        // SAFETY: as above.
        let mark = unsafe { Node::key(Node::of(block)) };
        let key = cache.key();
        let at = if size < class::FIRST_MEDIUM * ALIGN {
            size
        } else {
            // The eras that keep no such sizes have no room for them.
            let Some(class) = class::of_chunk(size) else { return false };
            class * ALIGN
        };
        // SAFETY: the calling thread's cache; the chunk's own class.
        mark != key && unsafe { cache.push_marked(at, block, key) }
    }

    /// Resizes a block to `request` bytes where that needs no arena: it stays where it is, or moves to a block at hand. `free`
    /// takes the old block where there is no room for it. `None` where the heap is to be asked; the block is as it was.
    ///
    /// # Safety
    /// The block is live, and `request` is not 0.
    #[inline(always)]
    pub unsafe fn resize(
        block: NonNull<u8>,
        request: usize,
        free: impl FnOnce(NonNull<u8>),
    ) -> Option<NonNull<u8>> {
        let need = size::chunk_size(request)?;
        if !at_hand().0.is_near(block.addr().get()) {
            return None;
        }
        // SAFETY: in a heap, hence the words before the block can be read.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: as above.
        let size = unsafe { chunk.size() };
        // A larger chunk may have some bytes more than its class, which its holder must not use.
        if size >= size::MOVES_BELOW {
            return None;
        }
        if size::serves(size, need) || size::stays(size, need) {
            return Some(block);
        }
        let moved = Self::take(request)?;
        // SAFETY: two live blocks do not overlap; each has so many bytes.
        unsafe { moved.copy_from_nonoverlapping(block, size::usable(size).min(request)) };
        // SAFETY: live, and replaced by the other.
        if !unsafe { Self::put(block) } {
            free(block);
        }
        Some(moved)
    }
}

/// What the heap does where nothing lay at hand, without looking there again.
impl<B: Backend> Ptmalloc<B, LibrarySlot> {
    /// As [`malloc`](Self::malloc), after [`LibrarySlot::take`] found nothing.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    pub fn malloc_beyond_hand(&self, request: usize) -> Result<NonNull<u8>, AllocError> {
        if request <= MAX_SMALL {
            self.miss(class::any_small_at(request))
        } else {
            self.allocate_beyond(request)
        }
    }

    /// As `SizedBlocks::free`, after [`LibrarySlot::put`] put nothing back.
    ///
    /// # Safety
    /// As for `SizedBlocks::free`.
    #[inline]
    pub unsafe fn free_beyond_hand(&self, block: NonNull<u8>) {
        if self.here().is_near(block.addr().get()) {
            // SAFETY: the caller's promise.
            unsafe { self.free_beyond(block) };
        } else {
            // SAFETY: as above.
            unsafe { self.free_block(block) };
        }
    }
}
