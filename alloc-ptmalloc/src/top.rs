//! Top: the chunk at the end of the newest heap, which grows and shrinks.
//!
//! Top is in no bin, and never smaller than a smallest chunk, so that there is always a next chunk to tell whether the last
//! one is in use. Its size ends where the arena's accounting (`system_mem`) does, not where the heap's memory does: the
//! heap goes on behind it, so that growing is arithmetic (see [`heap`](crate::heap)).
//!
//! Beyond the heap's `fresh` mark nothing was touched: where the backend's spans read as zero, every byte there does. Top's
//! own size word is the last thing written below the mark:
//!
//! ```text
//! top before ---+                        top after ---+
//!               v                                     v
//! | ... in use  | foot | size | fresh ...             | foot | size | fresh ...
//!                             ^                                     ^
//!                             mark before                           mark after
//! ```

use alloc_core::backend::Backend;

use crate::arena::{Found, State};
use crate::chunk::PREV_IN_USE;
use crate::size::{MIN_CHUNK, TO_BLOCK};
use crate::source::Source;

impl State {
    /// The largest chunk that top can give as it is.
    #[inline]
    pub(crate) fn top_room(&self) -> usize {
        // SAFETY: top is a chunk.
        (unsafe { self.top.size() }) - MIN_CHUNK
    }

    /// Cuts a chunk in use of `size` bytes off the low end of top. `None` when top is too small.
    ///
    /// # Safety
    /// `size` is a chunk size, and `source` is the arena's.
    #[inline]
    pub(crate) unsafe fn carve_top<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Found> {
        let _ = source;
        let chunk = self.top;
        // SAFETY: top is a chunk.
        let have = unsafe { chunk.size() };
        if size > have - MIN_CHUNK {
            return None;
        }
        // SAFETY: `size` bytes and a smallest chunk lie in top.
        let top = unsafe { chunk.at_offset(size) };
        // SAFETY: top is the arena's to shape. What is before it is in use, since free chunks merge with top.
        unsafe { chunk.set_head(size | PREV_IN_USE | self.flags) };
        // SAFETY: as above; the chunk cut off is in use.
        unsafe { top.set_head((have - size) | PREV_IN_USE) };
        self.top = top;
        self.purge.used_to(top.address());
        let untouched = self.touch_to(top.address() + TO_BLOCK).max(chunk.address() + TO_BLOCK);
        Some(Found { chunk, clean_from: if B::ZEROED { untouched } else { usize::MAX } })
    }

    /// Says that bytes below `address` may be written from now on. Returns where the bytes that read as zero began.
    #[inline]
    pub(crate) fn touch_to(&mut self, address: usize) -> usize {
        // SAFETY: the newest heap is live, and its header is the arena's alone.
        let heap = unsafe { self.heap.as_mut() };
        let before = heap.fresh;
        if address > before {
            heap.fresh = address;
        }
        before
    }

    /// The address that top ends at.
    pub(crate) fn top_end(&self) -> usize {
        // SAFETY: top is a chunk.
        self.top.address() + unsafe { self.top.size() }
    }

    /// Moves the end of top to `end`, within the heap.
    ///
    /// # Safety
    /// `end` is a multiple of 16, at least a smallest chunk beyond top and at most the heap's end.
    pub(crate) unsafe fn set_top_end(&mut self, end: usize) {
        let before = self.top_end();
        // SAFETY: top is the arena's to shape, and the memory up to the heap's end is.
        unsafe { self.top.set_size_keep_flags(end - self.top.address()) };
        if end >= before {
            self.system_mem += end - before;
            self.max_system_mem = self.max_system_mem.max(self.system_mem);
        } else {
            self.system_mem -= before - end;
        }
    }
}
