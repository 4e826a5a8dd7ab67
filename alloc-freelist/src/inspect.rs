//! Looking into heaps.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{
    Block, BlockState, Field, Gauge, Inspect, Ownership, Peek, Stats, Step, Visit, Walked, Zone as Range,
};

use crate::config::Config;
use crate::freelist::FreeList;
use crate::header::Header;
use crate::heap::Heap;
use crate::lock::{Held, Lock};
use crate::zone::{Zone, bytes};

/// A block of a zone, as a walk over it finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Position.
    pub(crate) at: u32,
    /// Granules.
    pub(crate) size: u32,
    /// What it is.
    pub(crate) state: BlockState,
}

impl<C: Config> Zone<C> {
    /// Shows every block from low to high, tables as metadata. What is in use shows as far as headers tell its blocks
    /// apart. Goes past smashed headers: to the next block where maps are kept, to the next free one otherwise.
    pub(crate) fn for_each_block(self, each: &mut dyn FnMut(Seen) -> Visit) -> Visit {
        let header = self.header();
        let end = header.size.get();
        let (mut from, mut next) = (header.first.get(), self.next_free(None));
        while let Some((at, size)) = next {
            self.used_run(from, at, each)?;
            let whole = C::Header::is_whole(self, at);
            each(Seen { at, size, state: if whole { BlockState::Free } else { BlockState::Corrupted } })?;
            from = at + size;
            next = self.next_free(Some(from));
        }
        self.used_run(from, end, each)
    }

    /// The blocks in use between two edges.
    fn used_run(self, mut at: u32, end: u32, each: &mut dyn FnMut(Seen) -> Visit) -> Visit {
        let header = self.header();
        let (tables, tables_size) = (header.tables.get(), header.tables_size.get());
        while at < end {
            let (size, state) = if at == tables {
                (tables_size, BlockState::Metadata)
            } else if C::Header::TRUSTED {
                let size = self.starts().next(at + 1, end).unwrap_or(end) - at;
                (size, if C::Header::is_whole(self, at) { BlockState::Used } else { BlockState::Corrupted })
            } else if C::Header::SIZED {
                let size = C::Header::used_size(self, at);
                if size == 0 || size > end - at {
                    (end - at, BlockState::Corrupted)
                } else {
                    (size, BlockState::Used)
                }
            } else if at < tables && tables < end {
                (tables - at, BlockState::Used)
            } else {
                (end - at, BlockState::Used)
            };
            let cached = state == BlockState::Used && C::Header::is_cached(self, at);
            each(Seen { at, size, state: if cached { BlockState::Cached } else { state } })?;
            at += size;
        }
        Visit::Continue(())
    }

    /// Shows the zone, which lies in `range`, and its blocks.
    pub(crate) fn walk(self, range: Range, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        if !C::Header::SIZED {
            // Without headers, nothing tells a block in a quick list from its neighbours in use.
            self.flush();
        }
        visit(Step::Zone(range))?;
        let first = self.base().addr().get() + bytes::<C>(self.header().first.get());
        let own = Block { address: range.address, size: first - range.address, state: BlockState::Metadata };
        visit(Step::Block(own))?;
        self.for_each_block(&mut |seen| visit(Step::Block(self.shown(seen))))
    }

    /// Whether a thread may cache the block of `size` granules whose holder saw `payload`, in this zone: it is in use for
    /// the maps, and marked if blocks tell such.
    #[cfg(feature = "libc")]
    pub(crate) fn may_cache(self, payload: NonNull<u8>, size: u32) -> bool {
        let at = self.position(payload);
        self.payload(at) == payload
            && at >= self.header().first.get()
            && at + size <= self.size()
            && !self.has_edge_within(at, size)
            && (!C::Header::SIZED || C::Header::is_cached(self, at) && C::Header::used_size(self, at) == size)
    }

    /// The block as users see it.
    pub(crate) fn shown(self, seen: Seen) -> Block {
        let address = self.base().addr().get() + bytes::<C>(seen.at) + C::Header::BYTES;
        Block { address, size: bytes::<C>(seen.size) - C::Header::BYTES, state: seen.state }
    }
}

/// Granules and numbers of blocks in one zone.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    used: usize,
    free: usize,
    free_blocks: usize,
    free_largest: usize,
    cached: usize,
    cached_blocks: usize,
}

impl Census {
    fn of<C: Config>(zone: Zone<C>) -> Self {
        let header = zone.header();
        let mut census = Self::default();
        zone.for_each_free(&mut |_, size| {
            census.free += size as usize;
            census.free_blocks += 1;
            census.free_largest = census.free_largest.max(size as usize);
            true
        });
        zone.for_each_cached(&mut |_, size| {
            census.cached += size as usize;
            census.cached_blocks += 1;
        });
        let moved = if header.tables.get() >= header.first.get() { header.tables_size.get() } else { 0 };
        let blocks = header.size.get() - header.first.get() - moved;
        census.used = blocks as usize - census.free - census.cached;
        census
    }
}

/// Bytes and numbers of blocks over several zones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    live: usize,
    live_blocks: usize,
    cached: usize,
    cached_blocks: usize,
    free: usize,
    free_blocks: usize,
    free_largest: usize,
    mapped: usize,
    mapped_blocks: usize,
}

impl Figures {
    pub(crate) fn add<C: Config>(&mut self, zone: Zone<C>) {
        let census = Census::of(zone);
        let granule = bytes::<C>(1);
        let blocks = zone.live_blocks();
        self.live += census.used * granule - blocks * C::Header::BYTES;
        self.live_blocks += blocks;
        self.cached += census.cached * granule - census.cached_blocks * C::Header::BYTES;
        self.cached_blocks += census.cached_blocks;
        self.free += census.free * granule;
        self.free_blocks += census.free_blocks;
        self.free_largest = self.free_largest.max(census.free_largest * granule);
    }

    pub(crate) fn stats(self, committed: usize, committed_peak: usize) -> Stats {
        let live = self.live + self.mapped;
        Stats {
            reserved: Gauge::of(committed),
            committed: Gauge::of(committed),
            committed_peak: Gauge::of(committed_peak),
            live: Gauge::of(live),
            live_blocks: Gauge::of(self.live_blocks + self.mapped_blocks),
            cached: Gauge::of(self.cached),
            cached_blocks: Gauge::of(self.cached_blocks),
            free: Gauge::of(self.free),
            free_blocks: Gauge::of(self.free_blocks),
            free_largest: Gauge::of(self.free_largest),
            mapped: Gauge::of(self.mapped),
            mapped_blocks: Gauge::of(self.mapped_blocks),
            metadata: Gauge::of(committed - live - self.cached - self.free),
        }
    }
}

impl<C: Config> Heap<C> {
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        for node in self.nodes() {
            let (zone, span) = (node.zone(), node.span());
            zone.walk(Range { address: span.start.addr().get(), size: span.size }, visit)?;
        }
        for wide in self.wides() {
            let (span, payload) = (wide.span(), wide.payload().addr().get());
            let start = span.start.addr().get();
            visit(Step::Zone(Range { address: start, size: span.size }))?;
            let own = Block { address: start, size: payload - start, state: BlockState::Metadata };
            visit(Step::Block(own))?;
            visit(Step::Block(Block { address: payload, size: wide.size(), state: BlockState::Mapped }))?;
        }
        Visit::Continue(())
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut figures = Figures::default();
        for node in self.nodes() {
            figures.add(node.zone());
        }
        for wide in self.wides() {
            figures.mapped += wide.size();
            figures.mapped_blocks += 1;
        }
        figures.stats(self.committed(), self.committed_peak())
    }

    pub(crate) fn ownership(&self, address: usize) -> Ownership {
        let mine = self.nodes().any(|node| node.span().contains(address))
            || self.wides().any(|wide| wide.span().contains(address));
        if mine { Ownership::Mine } else { Ownership::NotMine }
    }
}

/// Figures come from a look at every free block. Blocks without headers show in walks as the extents that they fill
/// together, and such a walk merges what quick lists hold.
/// Shows the header of a block of a zone, or that it has a mapping of its own.
pub(crate) fn header<C: Config>(block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
    match block.state {
        BlockState::Metadata => {}
        BlockState::Mapped => show(Field::flag("MMAP", true)),
        _ => C::Header::show(block, peek, show),
    }
}

impl<B: Backend, C: Config, W: Backend, L: Lock> Inspect for FreeList<B, C, W, L> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn stats(&self) -> Stats {
        let _held = Held::acquire(&self.lock);
        self.heap.stats()
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        let _held = Held::acquire(&self.lock);
        if self.heap.walk(visit).is_break() { Walked::Stopped } else { Walked::Complete }
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        let _held = Held::acquire(&self.lock);
        self.heap.ownership(address.addr().get())
    }

    /// Zones without blocks go back whole, and of the others the whole pages inside of free blocks.
    fn trim(&self, keep: usize) -> usize {
        let _held = Held::acquire(&self.lock);
        self.heap.trim(&self.backend, keep)
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        header::<C>(block, peek, show);
    }
}
