//! Bins: lists of free chunks by size.
//!
//! ```text
//!  heads   [ -  | unsorted | 2: 32 bytes | 3: 48 | ... | 63: 1008 | 64: 1024 .. 1072 | ... | 319 ]     map: one bit each
//!                   |            |                                      |
//!                   v            v                                      v
//!                 ring of      ring of                                ring of chunks from the smallest to the largest,
//!                 any sizes    one size                               and through it a ring of the first of each size
//! ```
//!
//! A head is the chunk that is next to be taken: the oldest, and in large bins the smallest. A chunk is put in at the tail,
//! so that equal chunks are reused first in, first out, which gives their neighbours time to become free too (Lea). Every
//! chunk in a bin is free and merged with its free neighbours.

pub(crate) mod fast;
mod large;
pub(crate) mod map;
mod small;
#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a chunk in one go")]
mod tests;
mod unsorted;

use alloc_core::Misuse;

use crate::chunk::Chunk;
use crate::links::BIN;
use map::{BINS, Binmap, MIN_LARGE, UNSORTED};

/// The unsorted bin, the small bins and the large bins.
#[derive(Debug)]
pub(crate) struct Bins {
    heads: [Option<Chunk>; BINS],
    map: Binmap,
}

impl Bins {
    /// Bins without chunks.
    pub(crate) const fn new() -> Self {
        Self { heads: [None; BINS], map: Binmap::EMPTY }
    }

    /// The head of a bin.
    #[inline]
    pub(crate) fn head(&self, bin: usize) -> Option<Chunk> {
        self.heads.get(bin).copied().flatten()
    }

    /// Which bins hold chunks, the unsorted bin apart.
    pub(crate) fn map(&self) -> &Binmap {
        &self.map
    }

    #[inline]
    fn set_head(&mut self, bin: usize, head: Option<Chunk>) {
        if let Some(place) = self.heads.get_mut(bin) {
            *place = head;
        }
    }

    /// Puts a free chunk in the bin of its size.
    ///
    /// # Safety
    /// The chunk is free, of `size`, merged with its neighbours, and on no list.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when the bin's links contradict each other. The bin is forgotten, and starts anew with this
    /// chunk.
    #[inline(always)]
    pub(crate) unsafe fn insert(&mut self, chunk: Chunk, size: usize) -> Result<(), Misuse> {
        if size < MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.insert_small(chunk, size) }
        } else {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.insert_large(chunk, size) }
        }
    }

    /// Takes a chunk off whatever list it is on.
    ///
    /// # Safety
    /// The chunk is free and of `size`, which is at least a smallest chunk's and does not leave its heap.
    ///
    /// # Errors
    /// [`Misuse::CorruptedHeader`] when its foot is not its size, [`Misuse::CorruptedLink`] when its list does not lead back to
    /// it. It stays there.
    #[inline(always)]
    pub(crate) unsafe fn unlink(&mut self, chunk: Chunk, size: usize) -> Result<(), Misuse> {
        // SAFETY: `size` does not leave the heap, where a chunk follows.
        let next = unsafe { chunk.at_offset(size) };
        // SAFETY: a word of the heap.
        if unsafe { next.prev_size() } != size {
            return Err(Misuse::CorruptedHeader);
        }
        if size >= MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.unlink_size(chunk) }?;
        }
        // SAFETY: a free chunk has these links.
        let after = unsafe { BIN.remove(chunk) }?;
        let bin = map::index(size);
        if self.head(bin) == Some(chunk) {
            if after == chunk {
                self.set_head(bin, None);
                self.map.clear(bin);
            } else {
                self.set_head(bin, Some(after));
            }
        } else if self.head(UNSORTED) == Some(chunk) {
            self.set_head(UNSORTED, (after != chunk).then_some(after));
        }
        Ok(())
    }

    /// A chunk of the smallest size from `size` on that is not in the unsorted bin; the oldest of these.
    ///
    /// # Safety
    /// The arena is held.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`], with the bin.
    #[inline]
    pub(crate) unsafe fn best_fit(&self, size: usize) -> Result<Option<Chunk>, (Misuse, usize)> {
        let bin = map::index(size);
        let above = if size < MIN_LARGE {
            bin
        } else {
            // SAFETY: the caller's promise.
            match unsafe { self.fit_in(bin, size) } {
                Ok(None) => bin + 1,
                Ok(found) => return Ok(found),
                Err(misuse) => return Err((misuse, bin)),
            }
        };
        Ok(self.map.next(above).and_then(|bin| self.head(bin)))
    }

    /// Forgets the chunks of a bin, because their list cannot be trusted.
    #[cold]
    pub(crate) fn forget(&mut self, bin: usize) {
        self.set_head(bin, None);
        if bin != UNSORTED {
            self.map.clear(bin);
        }
    }

    /// Puts a chunk at the tail of a bin that is one ring without order.
    ///
    /// # Safety
    /// As for [`insert`](Self::insert).
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    #[inline]
    unsafe fn append(&mut self, bin: usize, chunk: Chunk) -> Result<(), Misuse> {
        let Some(head) = self.head(bin) else {
            // SAFETY: the chunk is free and on no list.
            unsafe { BIN.alone(chunk) };
            self.set_head(bin, Some(chunk));
            return Ok(());
        };
        // SAFETY: a head is a free chunk; `chunk` is one that is on no list.
        let appended = unsafe { BIN.insert_before(head, chunk) };
        if appended.is_err() {
            // SAFETY: as above.
            unsafe { BIN.alone(chunk) };
            self.set_head(bin, Some(chunk));
        }
        appended
    }
}
