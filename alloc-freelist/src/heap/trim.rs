//! Giving free memory back.

use core::ptr::NonNull;

use alloc_core::backend::Backend;

use super::Heap;
use super::node::{NodeRef, Owner};
use crate::config::Config;
use crate::zone::{Zone, bytes};

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
            if zone.header().taken.get() == 0 && kept + span.size > keep {
                self.unlink(node);
                given += span.size;
                // SAFETY: the span is as the backend last returned it, and without blocks nobody uses it; the node is off the list.
                unsafe { backend.release_span(span) };
                continue;
            }
            zone.for_each_free(&mut |at, size| {
                let spare = (kept + bytes::<C>(size)).saturating_sub(keep).min(bytes::<C>(size));
                kept += bytes::<C>(size) - spare;
                given += Self::purge(backend, zone, at, size, spare);
                true
            });
        }
        given
    }

    /// After a large block was given back to a zone: gives a zone back, if this one is empty and not the only such one, or the
    /// pages inside of its large free blocks, when enough of them were not used again.
    #[cold]
    #[inline(never)]
    pub(super) fn give_large(&self, backend: &impl Backend, zone: Zone<C>, size: u32) {
        let is_empty = |node: &NodeRef<C>| node.get().large.get() && node.zone().live_blocks() == 0;
        if zone.live_blocks() == 0 && self.nodes().filter(is_empty).count() > 1 {
            // The largest one serves most.
            if let Some(node) = self.nodes().filter(is_empty).min_by_key(|node| node.span().size) {
                let span = node.span();
                self.unlink(node);
                // SAFETY: the span is as the backend last returned it, and without blocks nobody uses it; the node is off the
                // list.
                unsafe { backend.release_span(span) };
            }
            return;
        }
        if self.nodes().any(|node| node.zone() == zone && node.get().owner == Owner::Caller) {
            return;
        }
        self.spare.set(self.spare.get().saturating_add(bytes::<C>(size)));
        if self.spare.get() > self.threshold.get().saturating_mul(2) {
            self.spare.set(0);
            zone.for_each_free(&mut |at, size| {
                if bytes::<C>(size) >= C::WIDE {
                    Self::purge(backend, zone, at, size, bytes::<C>(size));
                }
                true
            });
        }
    }

    /// Gives back the pages within the last `spare` bytes of a free block.
    fn purge(backend: &impl Backend, zone: Zone<C>, at: u32, size: u32, spare: usize) -> usize {
        let lead = (bytes::<C>(size) - spare).max(OWN);
        let Some(length) = bytes::<C>(size).checked_sub(lead + size_of::<u32>()) else { return 0 };
        // SAFETY: within the block, since the lead and the last word fit into it.
        let start: NonNull<u8> = unsafe { zone.base().add(bytes::<C>(at) + lead) };
        // SAFETY: the range lies in a zone that came from this backend, and between the words of a free block that the heap
        // reads: nobody uses it.
        unsafe { backend.purge(start, length) }
    }
}
