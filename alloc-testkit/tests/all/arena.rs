//! A strategy over one span of fixed size, next fit, with a table beside it; sound, or with one defect.
//!
//! The span has slack behind its end, so that no defect makes the tests write where they must not.

use core::alloc::{GlobalAlloc, Layout};
use core::ops::ControlFlow;
use core::ptr::NonNull;
use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use alloc_core::arith::{align_up, padding};
use alloc_core::{
    AllocError, Block, BlockState, Gauge, Inspect, Ownership, SizedBlocks, Stats, Step, Strategy, Visit,
    Walked, Zone,
};

use crate::defect::Defect;

/// Bytes in an arena.
pub(crate) const CAPACITY: usize = 2 << 20;

const GRANULE: usize = 16;

fn span() -> Layout {
    Layout::from_size_align(CAPACITY + (64 << 10), 4096).expect("a span of constant size")
}

#[derive(Debug)]
pub(crate) struct Arena {
    defect: Defect,
    base: NonNull<u8>,
    state: Mutex<State>,
}

// SAFETY: the span is the arena's own, and the table that hands it out is behind a lock.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

#[derive(Debug, Default)]
struct State {
    /// Blocks by offset.
    blocks: BTreeMap<usize, Placed>,
    /// Where the next search starts.
    cursor: usize,
    /// Blocks given back, for [`Defect::FreesTwice`]: offset and room.
    quick: Vec<(usize, usize)>,
    /// The block given back last, for [`Defect::WalkShowsFreed`]: offset and room.
    ghost: Option<(usize, usize)>,
    /// Blocks given back, for [`Defect::LosesSomeFrees`].
    freed: usize,
    /// Where the arena was when it made its first block, for [`Defect::MindsMoving`].
    home: Option<usize>,
    /// Calls of `usable_size`, for [`Defect::UsableChanges`].
    asked: usize,
}

#[derive(Clone, Copy, Debug)]
struct Placed {
    room: usize,
    maker: ThreadId,
    /// Nobody holds it, and nothing gives it back.
    leaked: bool,
}

impl State {
    /// The lowest offset from `from` on where `room` bytes are free at a multiple of `align`.
    fn gap(&self, base: usize, from: usize, room: usize, align: usize) -> Option<usize> {
        let fits = |at: usize| at + padding(base + at, align);
        let mut at = from;
        for (&offset, placed) in self.blocks.range(from..) {
            if fits(at) + room <= offset {
                return Some(fits(at));
            }
            at = offset + placed.room;
        }
        (fits(at) + room <= CAPACITY).then(|| fits(at))
    }
}

impl Arena {
    pub(crate) fn new(defect: Defect) -> Self {
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { System.alloc(span()) }).expect("memory for an arena");
        Self { defect, base, state: Mutex::default() }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> usize {
        self.base.addr().get()
    }

    fn offset(&self, block: NonNull<u8>) -> usize {
        block.addr().get() - self.start()
    }

    fn room(&self, size: usize) -> Result<usize, AllocError> {
        if self.has(Defect::WrapsSizes) && size > CAPACITY {
            return Ok(GRANULE);
        }
        if self.has(Defect::RefusesZero) && size == 0 || size > CAPACITY {
            return Err(AllocError);
        }
        Ok(size.max(1) + padding(size.max(1), GRANULE))
    }

    fn place(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        let room = self.room(size)?;
        let align = if self.has(Defect::Misaligns) { GRANULE } else { align.max(GRANULE) };
        let mut state = self.state();
        let listed = state.quick.iter().position(|&(_, listed)| listed == room && align == GRANULE);
        state.home.get_or_insert(core::ptr::from_ref(self).addr());
        let offset = match listed {
            Some(index) => state.quick.swap_remove(index).0,
            None => state
                .gap(self.start(), state.cursor, room, align)
                .or_else(|| state.gap(self.start(), 0, room, align))
                .ok_or(AllocError)?,
        };
        let short = if self.has(Defect::Overlaps) && size >= 64 { GRANULE } else { 0 };
        let placed = Placed { room: room - short, maker: thread::current().id(), leaked: false };
        state.cursor = offset + placed.room;
        state.blocks.insert(offset, placed);
        // SAFETY: the offset lies within the span.
        Ok(unsafe { self.base.add(offset) })
    }

    fn displace(&self, block: NonNull<u8>) {
        let offset = self.offset(block);
        let mut state = self.state();
        let Some(placed) = state.blocks.get(&offset).copied() else { return };
        let home = state.home == Some(core::ptr::from_ref(self).addr());
        if self.has(Defect::MindsMoving) && !home {
            return;
        }
        if self.has(Defect::ForgetsRemoteFrees) && placed.maker != thread::current().id() {
            return;
        }
        state.freed += 1;
        if self.has(Defect::LosesSomeFrees) && state.freed.is_multiple_of(50) {
            state.blocks.insert(offset, Placed { leaked: true, ..placed });
            return;
        }
        state.blocks.remove(&offset);
        state.cursor = state.cursor.min(offset);
        state.ghost = Some((offset, placed.room));
        if self.has(Defect::FreesTwice) {
            state.quick.extend([(offset, placed.room); 2]);
        }
    }

    fn failed_grow(&self, block: NonNull<u8>) -> AllocError {
        if self.has(Defect::LeaksOnFailedGrow)
            && let Ok(leaked) = self.place(64, 1)
        {
            let offset = self.offset(leaked);
            self.state().blocks.entry(offset).and_modify(|placed| placed.leaked = true);
        }
        if self.has(Defect::FreesOnFailedGrow) {
            self.displace(block);
        }
        AllocError
    }

    /// Copies what `both` blocks hold at their start.
    ///
    /// # Safety
    /// Both have that many bytes, and they do not overlap, defects aside.
    unsafe fn copy(&self, from: NonNull<u8>, to: NonNull<u8>, both: usize) {
        // SAFETY: the caller's promises; `copy_from` allows the overlap that defects bring about.
        unsafe { to.copy_from(from, both) };
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the span came from the system with this layout, and nobody can use it any more.
        unsafe { System.dealloc(self.base.as_ptr(), span()) };
    }
}

// SAFETY: without a defect, the table keeps blocks apart, within the span, and aligned; the span stays until the arena is
// dropped. With one, this is a lie that the tests are there to find.
unsafe impl Strategy for Arena {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.place(layout.size(), layout.align())
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.allocate(layout)?;
        if !self.has(Defect::DirtyZeroed) {
            let size = layout.size().min(CAPACITY - self.offset(block));
            // SAFETY: so many bytes lie between the block's start and the span's end.
            unsafe { block.write_bytes(0, size) };
        }
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        self.displace(block);
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let Ok(grown) = self.allocate(new) else { return Err(self.failed_grow(block)) };
        let lost = usize::from(self.has(Defect::LosesOnGrow)).min(old.size());
        // SAFETY: both blocks have `old.size()` bytes.
        unsafe { self.copy(block, grown, old.size() - lost) };
        self.displace(block);
        Ok(grown)
    }

    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { self.grow(block, old, new) }?;
        if !self.has(Defect::DirtyGrowZeroed) && new.size() <= CAPACITY {
            // SAFETY: the block has `new.size()` bytes.
            let tail = unsafe { grown.add(old.size()) };
            // SAFETY: of which these are the last.
            unsafe { tail.write_bytes(0, new.size() - old.size()) };
        }
        Ok(grown)
    }

    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        _old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if self.has(Defect::LosesOnShrink) {
            let moved = self.allocate(new)?;
            self.displace(block);
            return Ok(moved);
        }
        let (offset, room) = (self.offset(block), self.room(new.size())?);
        self.state().blocks.entry(offset).and_modify(|placed| placed.room = placed.room.min(room));
        Ok(block)
    }
}

// SAFETY: as for `Strategy`; the usable size is the room that the table keeps for the block.
unsafe impl SizedBlocks for Arena {
    unsafe fn free(&self, block: NonNull<u8>) {
        self.displace(block);
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        let mut state = self.state();
        state.asked += 1;
        let room = state.blocks.get(&self.offset(block)).map_or(GRANULE, |placed| placed.room);
        match self.defect {
            Defect::UsableTooSmall => room - GRANULE,
            Defect::UsableTooLarge => room + GRANULE,
            Defect::UsableChanges if room > 64 => room + state.asked % 3,
            // Told as if the block had all that it should: what overlaps is then the memory, not the figures.
            Defect::Overlaps if room >= 48 => room + GRANULE,
            _ => room,
        }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        let room = self.state().blocks.get(&self.offset(block)).map_or(0, |placed| placed.room);
        let Ok(moved) = self.place(new_size, GRANULE) else { return Err(self.failed_grow(block)) };
        let both = if self.has(Defect::LosesOnReallocate) { 8.min(new_size) } else { room.min(new_size) };
        // SAFETY: both blocks have so many bytes.
        unsafe { self.copy(block, moved, both.min(room)) };
        self.displace(block);
        Ok(moved)
    }
}

impl Inspect for Arena {
    fn name(&self) -> &'static str {
        if self.has(Defect::Nameless) { "" } else { "arena" }
    }

    fn stats(&self) -> Stats {
        let state = self.state();
        let sum = |leaked| {
            let placed = state.blocks.values().filter(|placed| placed.leaked == leaked);
            placed.fold((0, 0), |(bytes, blocks), placed| (bytes + placed.room, blocks + 1))
        };
        let ((live, blocks), (leaked, _)) = (sum(false), sum(true));
        let undercount = if self.has(Defect::StatsUndercount) { blocks * GRANULE } else { 0 };
        Stats {
            reserved: Gauge::of(CAPACITY),
            committed: Gauge::of(CAPACITY),
            committed_peak: Gauge::of(CAPACITY),
            live: Gauge::of(live - undercount),
            live_blocks: Gauge::of(blocks + usize::from(self.has(Defect::StatsOvercount))),
            cached: Gauge::of(0),
            free: Gauge::of(CAPACITY.saturating_sub(live + leaked) + undercount),
            metadata: Gauge::of(leaked + usize::from(self.has(Defect::StatsDoNotAddUp))),
            ..Stats::UNKNOWN
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        if self.has(Defect::WalkUnsupported) {
            return Walked::Unsupported;
        }
        let state = self.state();
        let mut shown: Vec<(usize, usize)> = state
            .blocks
            .iter()
            .filter(|(_, placed)| !placed.leaked)
            .map(|(&at, placed)| (at, placed.room))
            .collect();
        match self.defect {
            Defect::WalkMisses if shown.len() > 3 => drop(shown.remove(3)),
            Defect::WalkDisorders => shown.reverse(),
            Defect::WalkShowsFreed => {
                shown.extend(state.ghost.filter(|ghost| !shown.contains(ghost)));
                shown.sort_unstable();
                shown.dedup_by(|second, first| first.0 + first.1 > second.0);
            }
            Defect::WalkShortens => shown.iter_mut().for_each(|(_, room)| *room -= 1),
            _ => {}
        }
        let half = shown.last().map_or(CAPACITY, |(offset, _)| *offset / 2);
        let size = if self.has(Defect::WalkLeavesZone) { half } else { CAPACITY };
        let zone = Step::Zone(Zone { address: self.start(), size });
        let zones = match self.defect {
            Defect::WalkRepeatsZone => 2,
            Defect::WalkStartsLate => 0,
            _ => 1,
        };
        let state = if self.has(Defect::WalkCorrupted) { BlockState::Corrupted } else { BlockState::Used };
        let blocks = shown
            .into_iter()
            .map(|(offset, size)| Step::Block(Block { address: self.start() + offset, size, state }));
        for step in core::iter::repeat_n(zone, zones).chain(blocks) {
            if let ControlFlow::Break(()) = visit(step)
                && !self.has(Defect::WalkGoesOn)
            {
                return Walked::Stopped;
            }
        }
        if self.has(Defect::WalkGoesOn) { Walked::Stopped } else { Walked::Complete }
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        let address = address.addr().get();
        let within = address.wrapping_sub(self.start()) < CAPACITY;
        let disowned = self.has(Defect::Disowns) && address % 2 == 1;
        if self.has(Defect::ClaimsAll) || within && !disowned { Ownership::Mine } else { Ownership::NotMine }
    }

    fn trim(&self, _keep: usize) -> usize {
        let state = self.state();
        if self.has(Defect::TrimClears)
            && let Some((&offset, placed)) = state.blocks.iter().find(|(_, placed)| placed.room > 32)
        {
            // SAFETY: the block lies within the span.
            let block = unsafe { self.base.add(offset) };
            // SAFETY: as above, to its end.
            unsafe { block.write_bytes(0, placed.room) };
        }
        if self.has(Defect::TrimBrags) { CAPACITY * 2 } else { 0 }
    }
}

#[test]
fn rounding_in_the_arena_is_that_of_core() {
    let arena = Arena::new(Defect::None);
    for size in [0, 1, 15, 16, 17, 4096, CAPACITY] {
        assert_eq!(arena.room(size).ok(), align_up(size.max(1), GRANULE));
    }
}
