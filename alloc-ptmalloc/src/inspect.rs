//! Looking into a heap in use: one walk, from which the figures are summed.

use core::ops::ControlFlow;
use core::ptr::NonNull;

use alloc_core::backend::{Backend, Span};
use alloc_core::{
    Block, BlockState, Field, Gauge, Inspect, Ownership, Peek, Stats, Step, Visit, Walked, Zone, peek_u64,
};

use crate::arena::{Arena, State};
use crate::check::Fault;
use crate::chunk::{Chunk, MAPPED, NON_MAIN_ARENA, PREV_IN_USE, size_of};
use crate::class;
use crate::config::Era;
use crate::heap::{self, Heap};
use crate::instance::Instance;
use crate::magazine::Node;
use crate::owner;
use crate::ptmalloc::Ptmalloc;
use crate::size::{self, ALIGN, MIN_CHUNK, OVERHEAD, TO_BLOCK};
use crate::source::NAME;
use crate::tcache::slot::Slot;

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// Walks every arena, one locked at a time, and derives everything anew: every byte of every heap is accounted for, size
    /// words, flags and feet agree, every free chunk is in the right bin and in no other, and the magazines of the depots are
    /// whole. Takes time in proportion to the number of chunks.
    ///
    /// A signal handler that interrupted the heap at work learns nothing.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        let (Some(_inside), Some(instance)) = (self.enter(), self.used()) else { return Ok(()) };
        let mut checked = Ok(());
        let _ = instance.each_locked(|state| {
            // SAFETY: the arena is locked, and this is its source.
            checked = unsafe { state.check(&instance.source) };
            if checked.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        checked
    }
}

impl<B: Backend, S: Slot> Inspect for Ptmalloc<B, S> {
    fn name(&self) -> &'static str {
        match self.era() {
            Era::Classic => "ptmalloc_classic",
            Era::Modern => "ptmalloc_modern",
            Era::Ours => NAME,
        }
    }

    /// Sums up a walk: takes time in proportion to the number of blocks, one arena locked at a time.
    fn stats(&self) -> Stats {
        let Some(_inside) = self.enter() else { return Stats::UNKNOWN };
        let zero = Gauge::of(0);
        let Some(instance) = self.used() else {
            return Stats {
                reserved: zero,
                committed: zero,
                committed_peak: zero,
                live: zero,
                live_blocks: zero,
                cached: zero,
                cached_blocks: zero,
                free: zero,
                free_blocks: zero,
                free_largest: zero,
                mapped: zero,
                mapped_blocks: zero,
                metadata: zero,
            };
        };
        let mut sums = Sums::default();
        let _ = walk(instance, &mut |step| {
            sums.add(step);
            ControlFlow::Continue(())
        });
        let committed = sums.zones;
        Stats {
            reserved: Gauge::of(committed.max(reserved(instance))),
            committed: Gauge::of(committed),
            // A walk beside threads at work may count a mapping twice.
            committed_peak: Gauge::of(instance.committed_peak().max(committed)),
            live: Gauge::of(sums.used + sums.mapped),
            live_blocks: Gauge::of(sums.used_blocks + sums.mapped_blocks),
            cached: Gauge::of(sums.cached),
            cached_blocks: Gauge::of(sums.cached_blocks),
            free: Gauge::of(sums.free),
            free_blocks: Gauge::of(sums.free_blocks),
            free_largest: Gauge::of(sums.free_largest),
            mapped: Gauge::of(sums.mapped),
            mapped_blocks: Gauge::of(sums.mapped_blocks),
            metadata: Gauge::of(committed - sums.used - sums.mapped - sums.cached - sums.free),
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        let Some(_inside) = self.enter() else { return Walked::Unsupported };
        match self.used().map(|instance| walk(instance, visit)) {
            None | Some(ControlFlow::Continue(())) => Walked::Complete,
            Some(ControlFlow::Break(())) => Walked::Stopped,
        }
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        let Some(instance) = self.used() else { return Ownership::NotMine };
        let at = address.addr().get();
        let mine = if heap::holds(at) {
            let id = owner::of(at);
            instance.each_arena(|arena| (arena.id == id).then_some(())).is_some()
        } else {
            let Some(_inside) = self.enter() else { return Ownership::Unknown };
            instance.source.mapped.holds(at)
        };
        if mine { Ownership::Mine } else { Ownership::NotMine }
    }

    /// Empties the calling thread's magazines, takes the depots apart, and gives every whole free page back, keeping
    /// `keep` bytes at the end of each arena.
    fn trim(&self, keep: usize) -> usize {
        let Some(inside) = self.enter() else { return 0 };
        let Some(instance) = self.used() else { return 0 };
        if let Some(cache) = inside.cache(instance) {
            // SAFETY: the calling thread's cache for this instance.
            unsafe { cache.flush(instance) };
        }
        let mut given = instance.source.mapped.release_cache(&instance.source);
        // First of all, what lies in the depot of another arena than its own goes home.
        if !instance.has_one_arena() {
            instance.consolidate();
        }
        let _ = instance.each_locked(|state| {
            // SAFETY: the arena is locked.
            given += unsafe { state.trim(&instance.source, keep) };
            ControlFlow::Continue(())
        });
        given
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        if block.state != BlockState::Metadata {
            decode(block, peek, show);
        }
    }
}

/// Shows a chunk by the names that glibc has for its fields.
fn decode(block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
    let Block { address, size: shown, state } = block;
    let head = address.wrapping_sub(TO_BLOCK);
    let (Some(before), Some(word)) = (peek_u64(peek, head), peek_u64(peek, head + 8)) else { return };
    let word = word as usize;
    let size = size_of(word);
    let mapped = word & MAPPED != 0;
    // While the chunk before is in use, the word is the last of that one's block.
    if word & PREV_IN_USE == 0 && !mapped {
        show(Field::number("prev_size", before));
    }
    show(Field::number("size", size as u64));
    show(Field::flag("PREV_INUSE", word & PREV_IN_USE != 0));
    show(Field::flag("IS_MMAPPED", mapped));
    show(Field::flag("NON_MAIN_ARENA", word & NON_MAIN_ARENA != 0));
    if mapped {
        return;
    }
    show(Field::number("arena", owner::of(address).into()));
    // A walk shows top to its end; of others, the last word is the next chunk's.
    if state == BlockState::Free && shown + OVERHEAD != size {
        show(Field::flag("top", true));
        return;
    }
    if let Some(next) = peek_u64(peek, head.wrapping_add(size + 8)) {
        show(Field::flag("next's PREV_INUSE", next as usize & PREV_IN_USE != 0));
    }
    let links = match state {
        BlockState::Free => ["fd", "bk"],
        BlockState::Cached => ["next", "key"],
        _ => return,
    };
    for (place, name) in [address, address + 8].into_iter().zip(links) {
        if let Some(link) = peek_u64(peek, place) {
            show(Field::word(name, link));
        }
    }
}

/// What a walk adds up to, in bytes unless a name says blocks.
#[derive(Default)]
struct Sums {
    zones: usize,
    used: usize,
    used_blocks: usize,
    cached: usize,
    cached_blocks: usize,
    free: usize,
    free_blocks: usize,
    free_largest: usize,
    mapped: usize,
    mapped_blocks: usize,
}

impl Sums {
    fn add(&mut self, step: Step) {
        match step {
            Step::Zone(zone) => self.zones += zone.size,
            Step::Block(Block { size, state, .. }) => match state {
                BlockState::Used => {
                    self.used += size;
                    self.used_blocks += 1;
                }
                BlockState::Cached => {
                    self.cached += size;
                    self.cached_blocks += 1;
                }
                BlockState::Free => {
                    self.free += size;
                    self.free_blocks += 1;
                    self.free_largest = self.free_largest.max(size);
                }
                BlockState::Mapped => {
                    self.mapped += size;
                    self.mapped_blocks += 1;
                }
                BlockState::Corrupted | BlockState::Metadata => {}
            },
        }
    }
}

/// Address space of all heaps, used or not.
fn reserved<B: Backend>(instance: &Instance<B>) -> usize {
    let mut sum = 0;
    let _ = instance.each_locked(|state| {
        each_heap(state, |heap| {
            sum += heap.span().size;
            ControlFlow::Continue(())
        })
    });
    sum
}

fn walk<B: Backend>(instance: &Instance<B>, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
    let whole = |span: Span, state: BlockState, visit: &mut dyn FnMut(Step) -> Visit| {
        let (address, size) = (span.start.addr().get(), span.size);
        visit(Step::Zone(Zone { address, size }))?;
        visit(Step::Block(Block { address, size, state }))
    };
    whole(instance.span(), BlockState::Metadata, visit)?;
    let mut stopped = ControlFlow::Continue(());
    instance.registry.lock().each_span(|span| {
        if stopped.is_continue() {
            stopped = whole(span, BlockState::Metadata, visit);
        }
    });
    stopped?;
    let walker = Walker { key: instance.source.key, era: instance.source.config.era };
    instance.each_locked(|state| each_heap(state, |heap| walker.heap(state, heap, visit)))?;
    instance.source.mapped.for_each_other(|span, dead| {
        whole(span, if dead { BlockState::Cached } else { BlockState::Metadata }, visit)
    })?;
    instance.source.mapped.for_each(|span, block, usable| {
        visit(Step::Zone(Zone { address: span.start.addr().get(), size: span.size }))?;
        let (address, size) = (block.addr().get(), usable);
        visit(Step::Block(Block { address, size, state: BlockState::Mapped }))
    })
}

fn each_heap(state: &State, mut visit: impl FnMut(&Heap) -> Visit) -> Visit {
    let mut next = Some(state.heap);
    while let Some(heap) = next {
        // SAFETY: an arena's heaps stay while it is locked.
        let heap = unsafe { heap.as_ref() };
        visit(heap)?;
        next = heap.previous();
    }
    ControlFlow::Continue(())
}

struct Walker {
    key: usize,
    era: Era,
}

impl Walker {
    /// The chunks of one heap, of an arena that is locked.
    fn heap(&self, state: &State, heap: &Heap, visit: &mut dyn FnMut(Step) -> Visit) -> Visit {
        let base = heap.span().start.addr().get();
        let top = state.top.address();
        let newest = heap::same(base, top);
        let end = if newest { state.top_end() } else { heap.end() };
        visit(Step::Zone(Zone { address: base, size: end - base }))?;
        let first = heap.first();
        let head = first.address() - base;
        visit(Step::Block(Block { address: base, size: head, state: BlockState::Metadata }))?;
        let last = heap.fence().map_or(top, Chunk::address);
        let mut chunk = first;
        while chunk.address() < last {
            // SAFETY: within the heap's chunks, of which this is one as long as the sizes before it were right.
            let size = unsafe { chunk.size() };
            let address = chunk.block().addr().get();
            if size < MIN_CHUNK || size % ALIGN != 0 || size > last - chunk.address() {
                // What follows cannot be found.
                let size = last - address;
                return visit(Step::Block(Block { address, size, state: BlockState::Corrupted }));
            }
            // SAFETY: as above.
            let state = unsafe { self.state(chunk) };
            visit(Step::Block(Block { address, size: self.shown(size, state), state }))?;
            // SAFETY: a chunk follows, or top, or the fence.
            chunk = unsafe { chunk.at_offset(size) };
        }
        if newest {
            let address = state.top.block().addr().get();
            return visit(Step::Block(Block { address, size: end - address, state: BlockState::Free }));
        }
        ControlFlow::Continue(())
    }

    /// # Safety
    /// A chunk is here, and the arena is locked.
    unsafe fn state(&self, chunk: Chunk) -> BlockState {
        // SAFETY: the caller's promise.
        if !unsafe { chunk.in_use() } {
            return BlockState::Free;
        }
        // Any value is an answer, and only that of the key means something.
        // SAFETY: the smallest block holds a node.
        let mark = unsafe { &raw const (*Node::of(chunk.block())).key };
        // SAFETY: a word of the heap. Volatile, since its holder may be writing it.
        let mark = unsafe { mark.read_volatile() };
        if mark == self.key { BlockState::Cached } else { BlockState::Used }
    }

    /// The bytes that a chunk is shown with: for its holder those that he may use.
    fn shown(&self, chunk_size: usize, state: BlockState) -> usize {
        match (state, class::of_chunk(chunk_size)) {
            (BlockState::Used, Some(class)) if self.era == Era::Ours => {
                size::usable(class::chunk_size(class))
            }
            _ => chunk_size - OVERHEAD,
        }
    }
}

impl<B: Backend> Instance<B> {
    /// Visits every arena, locked and with its inbox put away.
    fn each_locked(&self, mut visit: impl FnMut(&mut State) -> Visit) -> Visit {
        let stopped = self
            .each_arena(|arena: &Arena| self.locked(arena, |state| visit(state)).is_break().then_some(()));
        if stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
