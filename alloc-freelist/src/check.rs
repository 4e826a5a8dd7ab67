//! The walker: derives everything anew, and compares it with what the heap goes by.

use core::fmt;

use alloc_core::backend::Backend;
use alloc_core::{BlockState, Visit};

use crate::config::Config;
use crate::fit::Fit;
use crate::freelist::FreeList;
use crate::header::Header;
use crate::heap::Heap;
use crate::lock::{Held, Lock};
use crate::zone::{Zone, bytes};

/// Where a heap contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What does not hold.
    pub what: &'static str,
    /// Near which address.
    pub address: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (near {:#x})", self.what, self.address)
    }
}

impl core::error::Error for Fault {}

impl<C: Config> Zone<C> {
    pub(crate) fn check(self) -> Result<(), Fault> {
        let header = self.header();
        let fault = |what, at: u32| Err(Fault { what, address: self.base().addr().get() + bytes::<C>(at) });
        let (first, size) = (header.first.get(), header.size.get());
        if size > header.covered.get() || size > header.limit.get() || first + C::Header::MIN > size {
            return fault("the zone's sizes are in order", size);
        }
        if header.classed.get() != size.saturating_sub(header.classed_from.get()) {
            return fault(
                "the boundary of tight blocks is where it is said to be",
                header.classed_from.get(),
            );
        }
        // Blocks by the edge map: free ones know their size at both ends, and none touches another.
        let mut free_blocks = 0;
        let mut wrong = None;
        self.for_each_free(&mut |at, size| {
            free_blocks += 1;
            let sizes =
                C::Header::free_size(self, at) == size && C::Header::free_before(self, at + size) == size;
            if !sizes || at < first {
                wrong = Some(at);
            }
            wrong.is_none()
        });
        if let Some(at) = wrong {
            return fault("a free block knows its size at both ends", at);
        }
        let bits = (size >> C::Header::PAIR, header.covered.get() >> C::Header::PAIR);
        if self.edges().next(bits.0 + 1, bits.1).is_some() {
            return fault("no edges lie beyond the zone", size);
        }
        // The fit's index holds these blocks and no other ones.
        match C::Fit::check(self, &mut |at, size| self.is_free(at, size)) {
            Ok(count) if count == free_blocks => {}
            Ok(_) => return fault("the index holds every free block", 0),
            Err(at) => return fault("the index agrees with the free blocks", at),
        }
        // Quick lists hold blocks in use, of their size.
        let (mut cached, mut stray) = (0, None);
        self.for_each_cached(&mut |at, size| {
            cached += size;
            let marked =
                !C::Header::SIZED || C::Header::is_cached(self, at) && C::Header::used_size(self, at) == size;
            let tight = size >= Self::ALIKE && self.is_tight(at);
            if self.has_edge_within(at, size) || !marked || at < first || at + size > self.size() || tight {
                stray = Some(at);
            }
        });
        if let Some(at) = stray {
            return fault("a quick list holds blocks of its size", at);
        }
        if let Some(at) = self.cached_twice() {
            return fault("a quick list holds a block once", at);
        }
        self.check_blocks(cached)
    }

    /// Headers, one by one. Quick lists hold `in_lists` granules.
    fn check_blocks(self, in_lists: u32) -> Result<(), Fault> {
        let fault = |what, at: u32| Err(Fault { what, address: self.base().addr().get() + bytes::<C>(at) });
        if !C::Header::SIZED {
            return Ok(());
        }
        let (mut live, mut cached, mut wrong, mut next) = (0, 0, None, self.header().first.get());
        let _ = self.for_each_block(&mut |seen| {
            let trusted = !C::Header::TRUSTED
                || self.starts().get(seen.at)
                    && self.frees().get(seen.at) == (seen.state == BlockState::Free);
            match seen.state {
                BlockState::Used => live += 1,
                BlockState::Cached => cached += seen.size,
                _ => {}
            }
            if seen.state == BlockState::Corrupted || seen.at != next || !trusted {
                wrong = Some(seen.at);
            }
            next = seen.at + seen.size;
            if wrong.is_some() { Visit::Break(()) } else { Visit::Continue(()) }
        });
        if let Some(at) = wrong {
            return fault("a block's header agrees with the maps", at);
        }
        if live != self.live_blocks() {
            return fault("live blocks are counted", 0);
        }
        if cached != in_lists {
            return fault("blocks in quick lists are marked", 0);
        }
        Ok(())
    }
}

impl<C: Config> Heap<C> {
    fn check(&self) -> Result<(), Fault> {
        let mut committed = 0;
        let mut reached = 0;
        for node in self.nodes() {
            let (span, zone) = (node.span(), node.zone());
            let start = span.start.addr().get();
            if start < reached {
                return Err(Fault { what: "zones are in order of their addresses", address: start });
            }
            reached = span.end();
            committed += span.size;
            let base = zone.base().addr().get();
            if base < start || base + bytes::<C>(zone.size()) > reached {
                return Err(Fault { what: "a zone lies in its span", address: base });
            }
            zone.check()?;
        }
        let mut before = None;
        for wide in self.wides() {
            committed += wide.span().size;
            if !wide.follows(before) || !wide.span().contains(wide.payload().addr().get()) {
                return Err(Fault {
                    what: "wide blocks are linked both ways",
                    address: wide.payload().addr().get(),
                });
            }
            before = Some(wide);
        }
        if committed != self.committed() || committed > self.committed_peak() {
            return Err(Fault { what: "bytes taken are counted", address: 0 });
        }
        Ok(())
    }
}

impl<B: Backend, C: Config, W: Backend, L: Lock> FreeList<B, C, W, L> {
    /// Derives maps, lists, boundaries and counts anew from each other, and compares them. Takes time in proportion to the
    /// heap: for tests and for suspicion.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        let _held = Held::acquire(&self.lock);
        self.heap.check()
    }
}
