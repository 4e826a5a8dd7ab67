//! Small bins: one for each chunk size below 1024, first in, first out.
//!
//! ```text
//!  heads[size / 16] --> oldest <-> ... <-> newest
//!                       taken              put
//! ```

use alloc_core::Misuse;

use super::Bins;
use super::map::MIN_LARGE;
use crate::chunk::Chunk;
use crate::links::BIN;
use crate::size::ALIGN;

impl Bins {
    /// The chunk of exactly `size`, which is small, that is next to be taken.
    #[inline]
    pub(crate) fn small(&self, size: usize) -> Option<Chunk> {
        debug_assert!(size < MIN_LARGE);
        self.head(size / ALIGN)
    }

    /// Puts a small chunk in its bin.
    ///
    /// # Safety
    /// As for [`insert`](Bins::insert), and `size` is small.
    ///
    /// # Errors
    /// As for [`insert`](Bins::insert).
    #[inline]
    pub(crate) unsafe fn insert_small(&mut self, chunk: Chunk, size: usize) -> Result<(), Misuse> {
        debug_assert!(size < MIN_LARGE);
        let bin = size / ALIGN;
        self.map.set(bin);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.append(bin, chunk) }
    }

    /// Takes up to `most` chunks of exactly `size`, which is small, the oldest first, and shows each to `take`, which may write
    /// to its block and must leave it in use. Stops early at a chunk that contradicts itself or the list, which stays at the
    /// head.
    ///
    /// One cut for all of them: half the work of taking each off by itself.
    ///
    /// # Safety
    /// The arena is held.
    #[inline]
    pub(crate) unsafe fn take_small(&mut self, size: usize, most: usize, mut take: impl FnMut(Chunk)) {
        let Some(head) = self.small(size) else { return };
        // SAFETY: a head is a free chunk.
        let Some(tail) = (unsafe { BIN.before(head) }) else { return };
        // SAFETY: a chunk could be there.
        if unsafe { BIN.leads(tail) } != Some(head) {
            return;
        }
        let mut at = head;
        for _ in 0..most {
            // SAFETY: the list leads to chunks of this arena.
            let Some(after) = (unsafe { sound(at, tail, size) }) else { break };
            take(at);
            if at == tail {
                self.set_head(size / ALIGN, None);
                self.map.clear(size / ALIGN);
                return;
            }
            at = after;
        }
        if at != head {
            // SAFETY: both are chunks on the list, of which those from the head up to `at` are taken.
            unsafe { BIN.join(tail, at) };
            self.set_head(size / ALIGN, Some(at));
        }
    }
}

/// The chunk after one in a small bin, if that agrees with its foot and with its neighbour on the list.
///
/// # Safety
/// A chunk of an arena that is held could be here, and at `tail` is one that leads to the head.
#[inline]
unsafe fn sound(chunk: Chunk, tail: Chunk, size: usize) -> Option<Chunk> {
    // SAFETY: a chunk could be here.
    if unsafe { chunk.size() } != size || !chunk.is_near(chunk.address() + size) {
        return None;
    }
    // SAFETY: the address is in the same heap.
    let next = unsafe { chunk.at_offset(size) };
    // SAFETY: a word of the heap.
    if unsafe { next.prev_size() } != size {
        return None;
    }
    // SAFETY: the chunk is free.
    let after = unsafe { BIN.after(chunk) }?;
    // The head was taken before the tail is reached: its links are not there any more.
    // SAFETY: a chunk could be there.
    (chunk == tail || unsafe { BIN.leads_back(after) } == Some(chunk)).then_some(after)
}
