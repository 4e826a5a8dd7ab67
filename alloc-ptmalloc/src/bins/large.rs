//! Large bins: chunks from 1024 bytes on, several sizes to a bin, sorted.
//!
//! ```text
//!  heads[bin] --> 1024 <-> 1024 <-> 1024 <-> 1040 <-> 1072 <-> 1072 --+     fd, bk: all chunks, rising,
//!            +->  oldest            newest                            |     and back to the head
//!            |     |                         |        |               |
//!            |     +---------- <-> ----------+- <-> --+--+            |     fd_nextsize, bk_nextsize: the oldest of
//!            +-----^-------------------------------------+------------+     each size, and back to the head
//! ```
//!
//! The search steps from size to size, not from chunk to chunk. What it finds is the smallest chunk that fits, and the
//! oldest of its size. Unlike in glibc, where the chunk with the size links is passed over so as not to move them, ties
//! really are first in, first out; moving them costs four writes.

use alloc_core::Misuse;

use super::Bins;
use super::map;
use crate::chunk::Chunk;
use crate::links::{BIN, SIZES};

impl Bins {
    /// The oldest chunk of the smallest size from `size` on in a large bin.
    ///
    /// # Safety
    /// The arena is held.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when the links between sizes contradict each other.
    #[inline]
    pub(super) unsafe fn fit_in(&self, bin: usize, size: usize) -> Result<Option<Chunk>, Misuse> {
        let Some(head) = self.head(bin) else { return Ok(None) };
        // SAFETY: a head is a free chunk.
        let smallest = unsafe { head.size() };
        if smallest >= size {
            return Ok(Some(head));
        }
        // SAFETY: the head of a large bin is on the ring of sizes.
        unsafe { step_to(head, smallest, size) }
    }

    /// Puts a large chunk in its bin.
    ///
    /// # Safety
    /// As for [`insert`](Bins::insert), and `size` is large.
    ///
    /// # Errors
    /// As for [`insert`](Bins::insert).
    pub(super) unsafe fn insert_large(&mut self, chunk: Chunk, size: usize) -> Result<(), Misuse> {
        let bin = map::large_index(size);
        let placed = match self.head(bin) {
            None => {
                // SAFETY: the caller's promises are the callee's.
                unsafe { self.start_large(bin, chunk) };
                return Ok(());
            }
            // SAFETY: a head is a free chunk.
            Some(head) => unsafe { self.place_large(bin, head, chunk, size) },
        };
        if placed.is_err() {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.start_large(bin, chunk) };
        }
        placed
    }

    /// Makes `chunk` the only one of a large bin.
    ///
    /// # Safety
    /// As for [`insert_large`](Self::insert_large).
    unsafe fn start_large(&mut self, bin: usize, chunk: Chunk) {
        // SAFETY: the chunk is free, large and on no list.
        unsafe { BIN.alone(chunk) };
        // SAFETY: as above.
        unsafe { SIZES.alone(chunk) };
        self.set_head(bin, Some(chunk));
        self.map.set(bin);
    }

    /// # Safety
    /// As for [`insert_large`](Self::insert_large); `head` is the bin's.
    unsafe fn place_large(
        &mut self,
        bin: usize,
        head: Chunk,
        chunk: Chunk,
        size: usize,
    ) -> Result<(), Misuse> {
        // SAFETY: a head is a free chunk.
        let smallest = unsafe { head.size() };
        // SAFETY: the head of a large bin is on the ring of sizes.
        let at = if smallest >= size { Some(head) } else { unsafe { step_to(head, smallest, size) }? };
        // SAFETY: what the search finds is a free chunk.
        if let Some(oldest) = at.filter(|at| unsafe { at.size() } == size) {
            // A tie: the newest of its size goes before the next size, or to the end, which is before the head.
            // SAFETY: `oldest` is on the ring of sizes.
            let Some(larger) = (unsafe { SIZES.after(oldest) }) else { return Err(Misuse::CorruptedLink) };
            // SAFETY: both are free chunks, and `chunk` is on no list.
            unsafe { BIN.insert_before(larger, chunk) }?;
            // SAFETY: the chunk is large.
            unsafe { SIZES.leave_blank(chunk) };
            return Ok(());
        }
        // A new size: before the next larger one, or at the end.
        let before = at.unwrap_or(head);
        // SAFETY: both are free chunks, and `chunk` is on no list.
        unsafe { BIN.insert_before(before, chunk) }?;
        // SAFETY: as above; `before` is on the ring of sizes.
        unsafe { SIZES.insert_before(before, chunk) }?;
        if at == Some(head) {
            self.set_head(bin, Some(chunk));
        }
        Ok(())
    }

    /// Takes a chunk off the ring of sizes, if it is on it. The next chunk of its size takes its place.
    ///
    /// # Safety
    /// The chunk is free and large.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when a ring does not lead back to the chunk.
    pub(super) unsafe fn unlink_size(&mut self, chunk: Chunk) -> Result<(), Misuse> {
        // SAFETY: the caller's promise.
        if !unsafe { SIZES.is_on(chunk) } {
            return Ok(());
        }
        // SAFETY: as above.
        let Some(heir) = (unsafe { BIN.after(chunk) }) else { return Err(Misuse::CorruptedLink) };
        // SAFETY: the ring of the bin leads to large chunks only.
        let inherits = heir != chunk && !unsafe { SIZES.is_on(heir) };
        // SAFETY: the chunk is on the ring of sizes.
        let larger = unsafe { SIZES.remove(chunk) }?;
        if !inherits {
            return Ok(());
        }
        if larger == chunk {
            // SAFETY: the heir is a free large chunk.
            unsafe { SIZES.alone(heir) };
            return Ok(());
        }
        // SAFETY: both are free large chunks, and the heir is not on the ring.
        unsafe { SIZES.insert_before(larger, heir) }
    }
}

/// The first size from `size` on, going up from `head`, whose size is `smallest`, less than `size`. `None` when all are
/// smaller.
///
/// # Safety
/// `head` is the head of a large bin.
///
/// # Errors
/// [`Misuse::CorruptedLink`] when sizes do not rise from one to the next. Hence the search ends whatever the links are.
#[inline]
unsafe fn step_to(head: Chunk, smallest: usize, size: usize) -> Result<Option<Chunk>, Misuse> {
    // SAFETY: `head` is on the ring of sizes.
    let Some(last) = (unsafe { SIZES.before(head) }) else { return Err(Misuse::CorruptedLink) };
    // SAFETY: a chunk could be there.
    if unsafe { last.size() } < size {
        return Ok(None);
    }
    let (mut at, mut reached) = (head, smallest);
    while reached < size {
        // SAFETY: `at` is on the ring.
        let Some(next) = (unsafe { SIZES.after(at) }) else { return Err(Misuse::CorruptedLink) };
        // SAFETY: a chunk could be there.
        let next_size = unsafe { next.size() };
        if next_size <= reached {
            return Err(Misuse::CorruptedLink);
        }
        (at, reached) = (next, next_size);
    }
    Ok(Some(at))
}
