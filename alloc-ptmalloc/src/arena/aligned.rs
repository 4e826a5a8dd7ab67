//! Blocks at multiples of more than 16.
//!
//! ```text
//!  what was found   | lead                 | chunk                     | tail            |
//!                                                 ^ block: a multiple of the alignment
//! ```
//!
//! The lead is none, or at least a smallest chunk, and goes back, as the tail does. From top, which is of no size, only the
//! lead and the chunk are cut, so that nothing beyond is touched.

use alloc_core::arith::padding;
use alloc_core::backend::Backend;

use super::{Found, State};
use crate::bins::map::UNSORTED;
use crate::chunk::{Chunk, PREV_IN_USE};
use crate::size::{ALIGN, MIN_CHUNK};
use crate::source::Source;

impl State {
    /// As [`allocate`](Self::allocate), with the block at a multiple of `align`.
    ///
    /// # Safety
    /// `size` is a chunk size, `align` a power of two, and `source` is the arena's.
    pub(crate) unsafe fn allocate_aligned<B: Backend>(
        &mut self,
        source: &Source<B>,
        size: usize,
        align: usize,
    ) -> Option<Found> {
        let align = align.max(ALIGN);
        // SAFETY: the caller's promises are the callee's.
        if let Some(chunk) = unsafe { self.take_aligned(source, size, align) } {
            return Some(Found::used(chunk));
        }
        let whole = size.checked_add(align)?.checked_add(MIN_CHUNK)?;
        // What fits for sure, where there may be any.
        // SAFETY: the arena is held.
        let fits =
            matches!(unsafe { self.bins.best_fit(whole) }, Ok(None)) && self.bins.head(UNSORTED).is_none();
        if fits {
            // SAFETY: the caller's promises are the callee's.
            if let Some(found) = unsafe { self.carve_aligned(source, size, align) } {
                return Some(found);
            }
        }
        // SAFETY: as above; the sum is a chunk size.
        let Found { chunk, clean_from } = unsafe { self.allocate(source, whole) }?;
        // SAFETY: a chunk was found.
        let have = unsafe { chunk.size() };
        // SAFETY: the chunk is in use and ours, and large enough wherever it starts.
        let chunk = unsafe { self.shape(source, chunk, have, lead(chunk, align), size) };
        Some(Found { chunk, clean_from: clean_from.max(chunk.block().addr().get()) })
    }

    /// Takes the smallest free chunk that holds `size`, if it does so at a multiple of `align`: most often one that was aligned
    /// so before.
    ///
    /// # Safety
    /// As for [`allocate_aligned`](Self::allocate_aligned).
    unsafe fn take_aligned<B: Backend>(
        &mut self,
        source: &Source<B>,
        size: usize,
        align: usize,
    ) -> Option<Chunk> {
        // SAFETY: the arena is held. What is wrong with a bin, whoever must use it will report.
        let chunk = unsafe { self.bins.best_fit(size) }.ok().flatten()?;
        // SAFETY: a chunk in a bin is free.
        let have = unsafe { chunk.size() };
        let lead = lead(chunk, align);
        // SAFETY: the chunk is on a list.
        if lead.checked_add(size)? > have || !unsafe { self.take_sound(source, chunk, have, size) } {
            return None;
        }
        // SAFETY: the chunk is off its list, and the arena's.
        unsafe { chunk.set_used(have, self.flags) };
        // SAFETY: it is in use, ours, and as large.
        Some(unsafe { self.shape(source, chunk, have, lead, size) })
    }

    /// Cuts an aligned chunk off top, which grows if it must.
    ///
    /// # Safety
    /// As for [`allocate_aligned`](Self::allocate_aligned).
    unsafe fn carve_aligned<B: Backend>(
        &mut self,
        source: &Source<B>,
        size: usize,
        align: usize,
    ) -> Option<Found> {
        let mut before = lead(self.top, align);
        if before.checked_add(size)? > self.top_room() {
            // SAFETY: the caller's promise.
            if !unsafe { self.extend_top(source, before + size) } {
                // SAFETY: as above.
                if !unsafe { self.grow(source, align + MIN_CHUNK + size) } {
                    return None;
                }
                // Top is in another heap, and its lead is another one.
                before = lead(self.top, align);
            }
        }
        // SAFETY: the caller's promises are the callee's.
        let lead = if before > 0 { unsafe { self.carve_top(source, before) } } else { None };
        // SAFETY: as above.
        let found = unsafe { self.carve_top(source, size) };
        if let Some(lead) = lead {
            // SAFETY: in use as its neighbours see it, and nobody's.
            unsafe { self.release(source, lead.chunk) };
        }
        found
    }

    /// Makes of a chunk in use one `lead` bytes further on, of `size` bytes, and gives back what lies on both sides.
    ///
    /// # Safety
    /// The chunk is in use, the caller's alone, and of `have` bytes, at least `lead + size`; `lead` is 0 or a chunk size, and
    /// `size` is one.
    unsafe fn shape<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        have: usize,
        lead: usize,
        size: usize,
    ) -> Chunk {
        if lead == 0 {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.cut_tail(source, chunk, have, size) };
            return chunk;
        }
        // SAFETY: the lead lies in the chunk.
        let aligned = unsafe { chunk.at_offset(lead) };
        // SAFETY: the chunk is the caller's. Before the new one lies the lead, which is in use for now.
        unsafe { aligned.set_head((have - lead) | PREV_IN_USE | self.flags) };
        // SAFETY: as above.
        unsafe { chunk.set_size_keep_flags(lead) };
        // SAFETY: in use as its neighbours see it, and nobody's.
        unsafe { self.release(source, chunk) };
        // SAFETY: the new chunk is the caller's, and of these sizes.
        unsafe { self.cut_tail(source, aligned, have - lead, size) };
        aligned
    }
}

/// Bytes from `chunk` to the first chunk whose block is at a multiple of `align`, with room for a chunk in front or none.
fn lead(chunk: Chunk, align: usize) -> usize {
    match padding(chunk.block().addr().get(), align) {
        0 => 0,
        near if near < MIN_CHUNK => near + align.max(MIN_CHUNK),
        far => far,
    }
}
