//! The search of the eras of glibc, and its sweep through the unsorted bin.

use alloc_core::backend::Backend;

use super::State;
use crate::bins::map::MIN_LARGE;
use crate::chunk::Chunk;
use crate::links::Mask;
use crate::size::MIN_CHUNK;
use crate::source::Source;

/// Chunks that one request sorts out of the unsorted bin at most, as in glibc.
const SWEEP_LIMIT: usize = 10_000;

impl State {
    /// Eras `Classic` and `Modern`: glibc's `_int_malloc` up to the use of top.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    pub(super) unsafe fn search_as_glibc<B: Backend>(
        &mut self,
        source: &Source<B>,
        size: usize,
    ) -> Option<Chunk> {
        if self.fastbins.chunks() > 0 {
            // SAFETY: the arena is held.
            match unsafe { self.fastbins.pop(size, Mask::new(source.config.check)) } {
                Ok(None) => {}
                Ok(chunk) => return chunk,
                Err((misuse, chunk)) => source.misuse(misuse, chunk.block()),
            }
        }
        if size < MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            if let Some(chunk) = unsafe { self.take_exact(source, size) } {
                return Some(chunk);
            }
        } else if self.fastbins.chunks() > 0 {
            // SAFETY: as above.
            unsafe { self.consolidate(source) };
        }
        // SAFETY: as above.
        if let Some(chunk) = unsafe { self.sweep(source, size) } {
            return Some(chunk);
        }
        // SAFETY: as above.
        let (chunk, have) = unsafe { self.take_fit(source, size) }?;
        // SAFETY: the chunk is free, off its list, and as large.
        unsafe { self.split(source, chunk, have, size) };
        Some(chunk)
    }

    /// Gives each chunk of the unsorted bin, from the oldest on, its one chance, and sorts it if it does not take it.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    unsafe fn sweep<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Chunk> {
        for _ in 0..SWEEP_LIMIT {
            let chunk = self.bins.oldest_unsorted()?;
            // SAFETY: a chunk in a bin is free.
            let have = unsafe { chunk.size() };
            // Only for small requests, only if nothing else waits: runs of small requests get neighbouring memory.
            let cut = size < MIN_LARGE
                && have > size + MIN_CHUNK
                && self.last_remainder == Some(chunk)
                // SAFETY: it is in the unsorted bin.
                && unsafe { self.bins.is_only_unsorted(chunk) };
            // SAFETY: the chunk is on a list.
            if !unsafe { self.take_sound(source, chunk, have, MIN_CHUNK) } {
                continue;
            }
            if cut {
                // SAFETY: the chunk is free, off its list, and larger than `size`.
                unsafe { self.split(source, chunk, have, size) };
                return Some(chunk);
            }
            if have == size {
                // SAFETY: the chunk is off its list, and the arena's.
                unsafe { chunk.set_used(size, self.flags) };
                return Some(chunk);
            }
            // SAFETY: the chunk is free, of this size, merged, and off its list.
            unsafe { self.sort(source, chunk, have) };
        }
        None
    }
}
