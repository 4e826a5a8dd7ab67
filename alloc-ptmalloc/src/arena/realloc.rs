//! Resizing a chunk where it is.
//!
//! A chunk shrinks by cutting its tail off, and grows into the free chunk after it, or into top, which grows with it. That the
//! last block of a heap grows for nothing is a strength of ptmalloc: a vector that is filled does not move.

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use super::State;
use super::free::MUCH;
use crate::chunk::{Chunk, PREV_IN_USE};
use crate::size::MIN_CHUNK;
use crate::source::Source;

/// A tail is cut off if it is at least an eighth of the chunk and at least this, so that a block which shrinks and grows a little
/// keeps its chunk, and the bins are spared the splinters.
const TAIL_LEAST: usize = 64;
/// One of this size always is: a page.
const TAIL_MOST: usize = 4096;

impl State {
    /// Makes a chunk in use `size` bytes large or a little larger, where it is. `false`, with nothing changed, when what comes
    /// after it is in use.
    ///
    /// # Safety
    /// `size` is a chunk size, the chunk is in use and of this arena, its holder asked for this, and `source` is the arena's.
    pub(crate) unsafe fn resize<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        size: usize,
    ) -> bool {
        // SAFETY: the caller's promise.
        let have = unsafe { chunk.size() };
        if have < MIN_CHUNK || !chunk.is_near(chunk.address().wrapping_add(have)) {
            source.misuse(Misuse::CorruptedHeader, chunk.block());
            return false;
        }
        if size > have {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.widen(source, chunk, have, size) };
        }
        let tail = have - size;
        if tail >= TAIL_MOST || (tail >= TAIL_LEAST && tail >= have / 8) {
            // SAFETY: the chunk is in use and larger than `size`.
            unsafe { self.cut_tail(source, chunk, have, size) };
        }
        true
    }

    /// Makes a chunk larger.
    ///
    /// # Safety
    /// As for [`resize`](Self::resize); the chunk is of `have` bytes, less than `size`.
    unsafe fn widen<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        have: usize,
        size: usize,
    ) -> bool {
        // SAFETY: the size was looked at: the address lies in the heap.
        let next = unsafe { chunk.at_offset(have) };
        let lacks = size - have;
        if next == self.top {
            // SAFETY: the caller's promise.
            if !unsafe { self.extend_top(source, lacks) } {
                return false;
            }
            // Where it lies is clear: right after the chunk.
            // SAFETY: as above; both sizes are multiples of 16.
            if unsafe { self.carve_top(source, lacks) }.is_none() {
                return false;
            }
            // SAFETY: the chunk and what was cut off top are neighbours, and one chunk from here on. The new top says already
            // that what is before it is in use.
            unsafe { chunk.set_size_keep_flags(size) };
            return true;
        }
        // SAFETY: a chunk follows.
        let room = unsafe { next.size() };
        let after = next.address().wrapping_add(room);
        // The last chunk of an old heap is its fence, which is in use and whose next has a size of 0.
        if room < lacks || room < MIN_CHUNK || !next.is_near(after) {
            return false;
        }
        // SAFETY: the sizes were looked at: a chunk follows that one, too.
        if unsafe { next.in_use() } {
            return false;
        }
        // SAFETY: it is marked free, and its size does not leave the heap.
        if !unsafe { self.take_out(source, next, room) } {
            return false;
        }
        // SAFETY: both are the arena's, next to each other and on no list: one chunk in use from here on.
        unsafe { chunk.set_size_keep_flags(have + room) };
        // SAFETY: as above.
        unsafe { chunk.set_prev_in_use_of_next(true) };
        // SAFETY: as above.
        unsafe { self.cut_tail(source, chunk, have + room, size) };
        true
    }

    /// Cuts a chunk in use of `have` bytes down to `size`, and gives the tail back if that can be a chunk.
    ///
    /// # Safety
    /// The chunk is in use, of `have` bytes, and nobody uses what is beyond `size`, which is a chunk size; `source` is the
    /// arena's.
    pub(super) unsafe fn cut_tail<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        have: usize,
        size: usize,
    ) {
        let left = have - size;
        if left < MIN_CHUNK {
            return;
        }
        // SAFETY: the chunk is the arena's to shape.
        unsafe { chunk.set_size_keep_flags(size) };
        // SAFETY: the tail lies in the chunk.
        let tail = unsafe { chunk.at_offset(size) };
        // SAFETY: as above. The chunk before it is in use.
        unsafe { tail.set_head(left | PREV_IN_USE | self.flags) };
        // SAFETY: the tail has the head of a chunk in use, the next one says so too, and nobody holds it.
        unsafe { self.release(source, tail) };
        if left >= MUCH {
            // SAFETY: the caller's promise.
            unsafe { self.after_free(source, left) };
        }
    }
}
