//! Looking into arenas.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{Block, BlockState, Gauge, Inspect, Ownership, Stats, Step, Visit, Walked, Zone};

use crate::arena::Arena;
use crate::bump::Bump;
use crate::config::Config;

/// One zone, its blocks from low to high addresses. What has no bytes is left out.
fn zone(zone: Zone, blocks: [(BlockState, usize, usize); 3], visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
    visit(Step::Zone(zone))?;
    for (state, from, to) in blocks {
        if from < to {
            visit(Step::Block(Block { address: from, size: to - from, state }))?;
        }
    }
    Visit::Continue(())
}

impl<C: Config> Arena<C> {
    /// The part of each chunk that is open, as a zone of header, used and free bytes.
    fn zones(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        use BlockState::{Free, Metadata, Used};
        if self.first.get().is_none() {
            let (origin, cursor, limit) =
                (self.origin(), self.window().cursor().addr().get(), self.window().limit());
            return if origin == limit {
                Visit::Continue(())
            } else if C::UP {
                let whole = Zone { address: origin, size: limit - origin };
                zone(whole, [(Used, origin, cursor), (Free, cursor, limit), (Free, limit, limit)], visit)
            } else {
                let whole = Zone { address: limit, size: origin - limit };
                zone(whole, [(Free, limit, limit), (Free, limit, cursor), (Used, cursor, origin)], visit)
            };
        }
        for (chunk, cursor, limit) in self.chunks() {
            let (header, size) = chunk.header();
            let origin = chunk.origin().addr().get();
            if C::UP {
                let whole = Zone { address: header, size: limit - header };
                zone(
                    whole,
                    [(Metadata, header, origin), (Used, origin, cursor), (Free, cursor, limit)],
                    visit,
                )?;
            } else {
                let end = header + size;
                let whole = Zone { address: limit, size: end - limit };
                zone(whole, [(Free, limit, cursor), (Used, cursor, origin), (Metadata, header, end)], visit)?;
            }
        }
        Visit::Continue(())
    }

    pub(crate) fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        if self.zones(visit).is_break() { Walked::Stopped } else { Walked::Complete }
    }

    pub(crate) fn stats(&self) -> Stats {
        let (mut used, mut free, mut headers) = (0, 0, 0);
        let (mut free_blocks, mut largest) = (0, 0);
        let _ = self.zones(&mut |step| {
            if let Step::Block(block) = step {
                match block.state {
                    BlockState::Used => used += block.size,
                    BlockState::Free => {
                        free += block.size;
                        free_blocks += 1;
                        largest = largest.max(block.size);
                    }
                    _ => headers += block.size,
                }
            }
            Visit::Continue(())
        });
        Stats {
            reserved: Gauge::of(self.reserved()),
            committed: Gauge::of(self.opened()),
            committed_peak: Gauge::of(self.opened_peak()),
            live: Gauge::of(used),
            cached: Gauge::of(0),
            cached_blocks: Gauge::of(0),
            free: Gauge::of(free),
            free_blocks: Gauge::of(free_blocks),
            free_largest: Gauge::of(largest),
            mapped: Gauge::of(0),
            mapped_blocks: Gauge::of(0),
            metadata: Gauge::of(headers),
            ..Stats::UNKNOWN
        }
    }

    pub(crate) fn ownership(&self, address: NonNull<u8>) -> Ownership {
        if self.owns(address.addr().get()) { Ownership::Mine } else { Ownership::NotMine }
    }
}

/// An arena does not know its blocks: the used extent of a chunk shows as one block, and `live` counts it whole, with
/// padding and with what was given back out of order. `committed` is what the arena has opened so far of the address
/// space in `reserved`.
impl<B: Backend, C: Config> Inspect for Bump<B, C> {
    fn name(&self) -> &'static str {
        "bump"
    }

    fn stats(&self) -> Stats {
        self.arena.stats()
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        self.arena.walk(visit)
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        self.arena.ownership(address)
    }

    /// Spare chunks go back whole, the current one keeps its blocks and `keep` bytes beyond them.
    fn trim(&self, keep: usize) -> usize {
        self.arena.trim(&self.backend, keep)
    }
}
