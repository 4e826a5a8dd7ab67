//! What an arena does with a chunk or a bin that contradicts itself: it says so, and goes on without it.

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use super::State;
use crate::bins::map::{self, UNSORTED};
use crate::chunk::Chunk;
use crate::source::Source;

impl State {
    /// Reports a chunk and leaves it out: it counts as in use from now on, and the bins that it may be in start anew.
    ///
    /// # Safety
    /// As for [`take_out`](Self::take_out).
    #[cold]
    pub(super) unsafe fn distrust<B: Backend>(
        &mut self,
        source: &Source<B>,
        misuse: Misuse,
        chunk: Chunk,
        size: usize,
    ) {
        self.forget(source, misuse, chunk);
        self.bins.forget(map::index(size));
        self.bins.forget(UNSORTED);
        // SAFETY: the size does not leave the heap.
        let next = unsafe { chunk.at_offset(size) };
        // SAFETY: a word of the heap.
        if unsafe { next.prev_size() } == size {
            // SAFETY: the size is the one that the foot tells, so that a chunk follows.
            unsafe { next.set_prev_in_use(true) };
        }
    }

    /// Reports a bin's links, and starts the bin anew.
    #[cold]
    pub(super) fn distrust_bin<B: Backend>(&mut self, source: &Source<B>, misuse: Misuse, bin: usize) {
        if let Some(head) = self.bins.head(bin) {
            source.misuse(misuse, head.block());
        }
        self.bins.forget(bin);
    }

    /// Reports a chunk, whose size word may be anything, and starts the bins that it heads anew.
    #[cold]
    pub(super) fn forget<B: Backend>(&mut self, source: &Source<B>, misuse: Misuse, chunk: Chunk) {
        source.misuse(misuse, chunk.block());
        for bin in UNSORTED..map::BINS {
            if self.bins.head(bin) == Some(chunk) {
                self.bins.forget(bin);
            }
        }
    }

    /// Says what went wrong when a chunk was put in a bin, which has started anew with it.
    #[inline]
    pub(super) fn report<B: Backend>(&self, source: &Source<B>, put: Result<(), Misuse>, chunk: Chunk) {
        if let Err(misuse) = put {
            source.misuse(misuse, chunk.block());
        }
    }
}
