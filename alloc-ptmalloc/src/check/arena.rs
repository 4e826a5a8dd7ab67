//! An arena whole.

use alloc_core::backend::Backend;

use super::bins::{check_bins, check_depot, check_fastbins};
use super::chunk::check_chunks;
use super::{Checked, Tally, What, ensure};
use crate::arena::State;
use crate::config::Era;
use crate::links::Mask;
use crate::size::MIN_CHUNK;
use crate::source::Source;

/// Bytes of an arena that is walked at each call.
const SMALL: usize = 256 << 10;
/// Bytes of a larger one for which a call passes without a walk.
const EACH: usize = 64 << 10;

impl State {
    /// Calls that pass between walks of the arena, where each call's part of them shall stay the same.
    pub(crate) fn calls_between_walks(&self) -> usize {
        if self.system_mem <= SMALL { 0 } else { self.system_mem / EACH }
    }

    /// Derives everything anew and compares. Takes time in proportion to the arena: for tests, and for
    /// [`CheckLevel::Full`](crate::CheckLevel::Full).
    ///
    /// # Safety
    /// `source` is the arena's.
    ///
    /// # Errors
    /// The first contradiction.
    pub(crate) unsafe fn check<B: Backend>(&self, source: &Source<B>) -> Checked<()> {
        // SAFETY: the newest heap is live.
        let id = unsafe { self.heap.as_ref() }.id();
        // SAFETY: the arena is held.
        let (mut free, chunks) = unsafe { self.check_heaps() }?;
        if source.config.era == Era::Ours
            && let Some(remainder) = self.last_remainder
        {
            // SAFETY: the arena is held.
            let size = unsafe { remainder.size() };
            let address = remainder.address();
            ensure(remainder.is_near(address.wrapping_add(size)), What::Size, address)?;
            // SAFETY: it ends in its heap.
            ensure(size >= MIN_CHUNK && !unsafe { remainder.in_use() }, What::LastRemainder, address)?;
            let mut apart = Tally::default();
            apart.add(address, size);
            free.remove(apart);
        }
        // SAFETY: the arena is held.
        let binned = unsafe { check_bins(&self.bins, id, chunks) }?;
        ensure(binned == free, What::FreeChunks, self.top.address())?;
        // SAFETY: the arena is held.
        unsafe { check_fastbins(&self.fastbins, id, Mask::new(source.config.check)) }?;
        // SAFETY: the arena is held.
        unsafe { check_depot(&self.depot, id, source.key) }
    }

    /// Walks all heaps. Returns the free chunks and the number of all.
    ///
    /// # Safety
    /// The arena is held.
    unsafe fn check_heaps(&self) -> Checked<(Tally, usize)> {
        let (mut free, mut chunks, mut next, mut end) = (Tally::default(), 0, Some(self.heap), self.top);
        let mut mapped = 0;
        while let Some(heap) = next {
            // SAFETY: the heaps of an arena are live as long as it is.
            let heap = unsafe { heap.as_ref() };
            let base = heap.span().start.addr().get();
            if let Some(fence) = heap.fence() {
                end = fence;
                mapped += heap.end() - base;
            } else {
                // SAFETY: top is a chunk.
                let room = unsafe { self.top.size() };
                let ends = heap.end().checked_sub(self.top.address()).is_some_and(|most| room <= most);
                ensure(room >= MIN_CHUNK && ends, What::Top, self.top.address())?;
                mapped += self.top.address() + room - base;
            }
            // SAFETY: both are of this heap.
            let (here, count) = unsafe { check_chunks(heap.first(), end, self.flags) }?;
            free.append(here);
            chunks += count;
            next = heap.previous();
        }
        let counted = mapped == self.system_mem && mapped <= self.max_system_mem;
        ensure(counted, What::SystemMem, self.heap.addr().get())?;
        Ok((free, chunks))
    }
}
