//! Giving free memory back.

use core::ptr::NonNull;

use alloc_core::backend::Backend;

use super::Heap;
use super::node::Owner;
use crate::config::Config;
use crate::header::Header;
use crate::size::bytes;
use crate::zone::Zone;

/// Bytes at a free block's start that the heap itself uses, and four at its end.
const OWN: usize = 40;

impl<C: Config> Heap<C> {
    /// Gives zones without blocks back whole, then the whole pages inside of free blocks, and keeps about `keep` bytes of
    /// free memory as they are, the lowest ones. Returns the bytes given back.
    pub(crate) fn trim(&self, backend: &impl Backend, keep: usize) -> usize {
        let mut kept = 0;
        let mut given = 0;
        let mut next = self.lowest.get();
        while let Some(node) = next {
            next = node.get().next.get();
            let zone = node.zone();
            zone.flush();
            if node.get().owner == Owner::Caller {
                continue;
            }
            let span = node.span();
            if zone.header().live_blocks() == 0 && kept + span.size > keep {
                self.unlink(node);
                given += span.size;
                // SAFETY: the span is as the backend last returned it, and without blocks nobody uses it; the node is off the list.
                unsafe { backend.release_span(span) };
                continue;
            }
            zone.for_each_free(&mut |at, size| {
                let spare = (kept + bytes(size)).saturating_sub(keep).min(bytes(size));
                kept += bytes(size) - spare;
                given += Self::purge(backend, zone, at, size, spare);
                true
            });
        }
        given
    }

    /// Gives back the pages within the last `spare` bytes of a free block.
    fn purge(backend: &impl Backend, zone: Zone<C>, at: u32, size: u32, spare: usize) -> usize {
        let lead = (bytes(size) - spare).max(OWN);
        let Some(length) = bytes(size).checked_sub(lead + size_of::<u32>()) else { return 0 };
        // SAFETY: within the block, since the lead and the last word fit into it.
        let start: NonNull<u8> = unsafe { zone.base().add(bytes(at) + lead) };
        // SAFETY: the range lies in a zone that came from this backend, and between the words of a free block that the heap
        // reads: nobody uses it.
        unsafe { backend.purge(start, length) }
    }
}

impl<C: Config> Zone<C> {
    /// Granules of the free block at the zone's end, if one is there.
    pub(super) fn free_at_end(self) -> u32 {
        let size = self.size();
        if self.edges().get(size) { C::Header::free_before(self, size) } else { 0 }
    }
}
