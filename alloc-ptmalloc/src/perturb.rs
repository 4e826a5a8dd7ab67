//! Filling blocks with a byte of the user's choice: `M_PERTURB`.
//!
//! A new block is filled with the byte's complement, unless zeroes were asked for, and a freed one with the byte, so that a
//! program which reads what it never wrote, or what it gave back, sees it at once. A block that sits in a thread cache is
//! neither new nor freed: while a byte is chosen, no thread gets a cache.

use core::ptr::NonNull;

use alloc_core::backend::Backend;

use crate::arena::State;
use crate::chunk::Chunk;
use crate::config::Tunables;
use crate::magazine::Node;
use crate::size;
use crate::source::Source;

impl<B: Backend> Source<B> {
    /// The byte; `None` while there is none.
    #[inline]
    pub(crate) fn perturb(&self) -> Option<u8> {
        let byte = Tunables::get(&self.tunables.perturb) as u8;
        if byte == 0 { None } else { Some(byte) }
    }

    /// Fills a new block of `bytes`.
    ///
    /// # Safety
    /// The block has so many bytes, and nobody holds it yet.
    #[inline]
    pub(crate) unsafe fn perturb_new(&self, block: NonNull<u8>, bytes: usize) {
        if let Some(byte) = self.perturb() {
            // SAFETY: the caller's promise.
            unsafe { block.write_bytes(!byte, bytes) };
        }
    }
}

impl State {
    /// Fills the block of a chunk that is about to be freed, if it can be: one that contradicts its neighbours, or bears the
    /// key, stays as it is for whoever reports it.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    #[cold]
    pub(crate) unsafe fn perturb_freed<B: Backend>(&self, source: &Source<B>, chunk: Chunk, byte: u8) {
        // SAFETY: the caller's promise.
        let sound = unsafe { self.sound(chunk) };
        // SAFETY: the block lies in a heap.
        let cached = unsafe { Node::key(Node::of(chunk.block())) } == source.key;
        if sound.is_err() || cached {
            return;
        }
        // SAFETY: a chunk is here.
        let size = unsafe { chunk.size() };
        // SAFETY: what surrounds the chunk agrees with its size, and its holder gave it up.
        unsafe { chunk.block().write_bytes(byte, size::usable(size)) };
    }
}
