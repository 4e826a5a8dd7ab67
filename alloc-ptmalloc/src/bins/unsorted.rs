//! The unsorted bin: a queue of chunks of any size that get one chance to be used as they are before they are sorted.
//!
//! ```text
//!  heads[1] --> oldest <-> ... <-> newest
//!               looked at first    freed, or left by a split, just now
//! ```
//!
//! Eras `Classic` and `Modern`. A large chunk here is on no ring of sizes, and says so.

use alloc_core::Misuse;

use super::Bins;
use super::map::{MIN_LARGE, UNSORTED};
use crate::chunk::Chunk;
use crate::links::{BIN, SIZES};

impl Bins {
    /// The chunk that has waited longest.
    #[inline]
    pub(crate) fn oldest_unsorted(&self) -> Option<Chunk> {
        self.head(UNSORTED)
    }

    /// Whether `chunk`, which is in the unsorted bin, is alone there.
    ///
    /// # Safety
    /// It is.
    #[inline]
    pub(crate) unsafe fn is_only_unsorted(&self, chunk: Chunk) -> bool {
        // SAFETY: the caller's promise.
        unsafe { BIN.after(chunk) == Some(chunk) }
    }

    /// Puts a free chunk at the end of the queue.
    ///
    /// # Safety
    /// As for [`insert`](Bins::insert).
    ///
    /// # Errors
    /// As for [`insert`](Bins::insert).
    #[inline]
    pub(crate) unsafe fn push_unsorted(&mut self, chunk: Chunk, size: usize) -> Result<(), Misuse> {
        if size >= MIN_LARGE {
            // SAFETY: the chunk is free, large, and on no list.
            unsafe { SIZES.leave_blank(chunk) };
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.append(UNSORTED, chunk) }
    }
}
