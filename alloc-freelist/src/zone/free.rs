//! Free blocks by the edge map, from low to high.

use super::Zone;
use crate::config::Config;
use crate::header::Header;

impl<C: Config> Zone<C> {
    /// The first free block that starts behind `after`, the end of another one; or from the zone's first block on, for `None`.
    /// Its position and its size.
    pub(crate) fn next_free(self, after: Option<u32>) -> Option<(u32, u32)> {
        let (edges, end) = (self.edges(), self.size());
        let from = match after {
            // That end has its edge, and its bit.
            Some(after) => (after >> C::Header::PAIR) + 1,
            None => self.header().first.get() >> C::Header::PAIR,
        };
        let last = end >> C::Header::PAIR;
        let bit = edges.next(from, last)?;
        // A block that reaches the zone's end has its edge there, or none below it.
        let stop = edges.next(bit + 1, last).unwrap_or(last);
        if C::Header::PAIR == 0 {
            return Some((bit, stop - bit));
        }
        let at = C::Header::start_in_pair(self, bit << C::Header::PAIR);
        // Of two granules, the block's own word says which one. A smashed word, as the map shows, does not lead astray.
        let claimed = at.saturating_add(C::Header::free_size(self, at));
        let stop = if claimed >> C::Header::PAIR == stop { claimed } else { stop << C::Header::PAIR };
        Some((at, stop.min(end) - at))
    }

    /// Calls `each` with the position and the size of every free block, from low to high, while it says `true`. The free
    /// block itself may change meanwhile, its edges not. Whether all were shown.
    pub(crate) fn for_each_free(self, each: &mut dyn FnMut(u32, u32) -> bool) -> bool {
        let mut next = self.next_free(None);
        while let Some((at, size)) = next {
            if !each(at, size) {
                return false;
            }
            next = self.next_free(Some(at + size));
        }
        true
    }

    /// Granules of the free block at the zone's end, if one is there.
    pub(crate) fn free_at_end(self) -> u32 {
        let size = self.size();
        if self.edges().get(size) { C::Header::free_before(self, size) } else { 0 }
    }

    /// Whether a free block of this size lies at a position, by the edge map.
    pub(crate) fn is_free(self, at: u32, size: u32) -> bool {
        let (edges, end) = (self.edges(), self.size());
        if at < self.header().first.get() || at >= end || size > end - at || !edges.get(at) {
            return false;
        }
        let (bit, last) = (at >> C::Header::PAIR, end >> C::Header::PAIR);
        C::Header::start_in_pair(self, bit << C::Header::PAIR) == at
            && edges.next(bit + 1, last).unwrap_or(last) == (at + size) >> C::Header::PAIR
    }

    /// Whether free memory begins or ends inside of a block, which is a contradiction.
    pub(crate) fn has_edge_within(self, at: u32, size: u32) -> bool {
        self.edges().next((at >> C::Header::PAIR) + 1, (at + size) >> C::Header::PAIR).is_some()
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;
    use std::vec::Vec;

    use alloc_core::{BlockState, Inspect, Step, Strategy, Visit, Walked};
    use proptest::prelude::*;

    use crate::coalesce::{Deferred, Immediate};
    use crate::{Config, FixedFreeList, Policy, fit, header};

    type Packed = Policy<fit::Good, header::Packed>;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    /// Free blocks as a walk shows them.
    fn shown(heap: &dyn Inspect) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let walked = heap.walk(&mut |step| {
            if let Step::Block(block) = step {
                assert!(block.state != BlockState::Corrupted);
                if block.state == BlockState::Free {
                    found.push((block.address, block.size));
                }
            }
            Visit::Continue(())
        });
        assert_eq!(walked, Walked::Complete);
        found
    }

    /// What lies between blocks in use, of which all are known.
    fn between(live: &mut [(usize, usize)], low: usize, high: usize) -> Vec<(usize, usize)> {
        live.sort_unstable();
        let mut free = Vec::new();
        let mut at = low;
        for &mut (address, size) in live {
            if address > at {
                free.push((at, address - at));
            }
            at = address + size;
        }
        if high > at {
            free.push((at, high - at));
        }
        free
    }

    /// A block that is full of words which look like those of a free one, of any size, whichever granule one takes for its first.
    fn disguise(block: NonNull<u8>, size: usize, kind: u32) {
        let word = match kind % 5 {
            0 => 1 << 31,
            1 => (1 << 31) | ((kind >> 8) % 8),
            2 => (kind >> 8) % 8,
            3 => u32::MAX,
            _ => 0,
        };
        for place in (0..size / 4 * 4).step_by(4) {
            // SAFETY: within a block of the test's.
            let at = unsafe { block.add(place) };
            // SAFETY: as above; blocks are aligned to 8, and `place` to 4.
            unsafe { at.cast::<u32>().write(word) };
        }
    }

    /// Takes and frees as `script` says; after each step, what the heap shows as free must be what no block covers.
    fn held_against_the_blocks<C: Config>(script: &[u32]) -> Result<(), TestCaseError> {
        let mut memory = std::vec![MaybeUninit::new(0xff_u8); 24 << 10];
        let heap = FixedFreeList::<C>::over_in(&mut memory);
        let whole = shown(&heap);
        let &[(low, size)] = &whole[..] else { return Err(TestCaseError::fail("one free block at first")) };
        let high = low + size;
        let mut live: Vec<(NonNull<u8>, Layout)> = Vec::new();
        for &word in script {
            let index = (word >> 4) as usize % live.len().max(1);
            match word % 16 {
                0..8 => {
                    let size = (word >> 4) as usize % [24, 100, 700][word as usize % 3];
                    let layout = layout(size, [1, 8, 16, 32][(word >> 20) as usize % 4]);
                    if let Ok(block) = heap.allocate(layout) {
                        disguise(block, size.next_multiple_of(8).max(16), word >> 5);
                        live.push((block, layout));
                    }
                }
                8..14 if !live.is_empty() => {
                    let (block, layout) = live.swap_remove(index);
                    // SAFETY: the block is live, with this layout.
                    unsafe { heap.deallocate(block, layout) };
                }
                14 | 15 if !live.is_empty() => {
                    let (block, old) = live[index];
                    let new = layout((word >> 12) as usize % 400, old.align());
                    let moved = if new.size() < old.size() {
                        // SAFETY: the block is live, with this layout.
                        unsafe { heap.shrink(block, old, new) }
                    } else {
                        // SAFETY: as above.
                        unsafe { heap.grow(block, old, new) }
                    };
                    if let Ok(moved) = moved {
                        disguise(moved, new.size().next_multiple_of(8).max(16), word >> 5);
                        live[index] = (moved, new);
                    }
                }
                _ => {}
            }
            // A walk merges what waits in quick lists.
            let free = shown(&heap);
            let mut used: Vec<(usize, usize)> = live
                .iter()
                .map(|(block, layout)| (block.addr().get(), layout.size().next_multiple_of(8).max(16)))
                .collect();
            prop_assert_eq!(free, between(&mut used, low, high));
            heap.check().map_err(|fault| TestCaseError::fail(std::format!("{fault}")))?;
        }
        for (block, layout) in live {
            // SAFETY: as above.
            unsafe { heap.deallocate(block, layout) };
        }
        prop_assert_eq!(shown(&heap), whole);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn packed_free_blocks_are_found_whatever_lies_beside_them(
            script in prop::collection::vec(any::<u32>(), 1..200)
        ) {
            held_against_the_blocks::<Packed>(&script)?;
            held_against_the_blocks::<Policy<fit::Best, header::Packed, Immediate>>(&script)?;
            held_against_the_blocks::<Policy<fit::Good, header::Packed, Deferred>>(&script)?;
        }
    }

    /// One block in use at either granule of a pair before a free one, full of every disguise.
    #[test]
    fn no_block_in_use_passes_for_the_start_of_a_free_one() {
        for first in [16, 24] {
            for kind in 0..5 * 256 {
                let mut memory = std::vec![MaybeUninit::new(0xff_u8); 8 << 10];
                let heap = FixedFreeList::<Packed>::over_in(&mut memory);
                let blocks: Vec<_> = [first, 32, 40]
                    .map(|size| (heap.allocate(layout(size, 8)).expect("room"), layout(size, 8)))
                    .into();
                disguise(blocks[0].0, first, kind);
                disguise(blocks[2].0, 40, kind);
                // SAFETY: the block is live, with this layout.
                unsafe { heap.deallocate(blocks[1].0, blocks[1].1) };
                assert_eq!(shown(&heap)[0], (blocks[1].0.addr().get(), 32));
                heap.check().expect("a whole heap");
            }
        }
    }

    #[test]
    fn a_free_block_that_is_larger_by_a_granule_is_left_alone() {
        let mut memory = std::vec![MaybeUninit::new(0_u8); 8 << 10];
        let heap = FixedFreeList::<Packed>::over_in(&mut memory);
        let take = |size| heap.allocate(layout(size, 8)).expect("room");
        let (hole, _wall) = (take(40), take(16));
        // SAFETY: the block is live, with this layout.
        unsafe { heap.deallocate(hole, layout(40, 8)) };
        let other = take(32);
        assert_ne!(other, hole, "8 bytes would be left over");
        assert_eq!(take(24), hole, "16 bytes make a block");
        heap.check().expect("a whole heap");
    }

    #[test]
    fn a_block_shrinks_by_a_granule_where_a_free_one_takes_it() {
        for first in [40, 48] {
            let mut memory = std::vec![MaybeUninit::new(0_u8); 8 << 10];
            let heap = FixedFreeList::<Packed>::over_in(&mut memory);
            let take = |size| heap.allocate(layout(size, 8)).expect("room");
            let block = take(first);
            // SAFETY: the block is live, with this layout, and becomes no larger.
            let shrunk = unsafe { heap.shrink(block, layout(first, 8), layout(first - 8, 8)) };
            assert_eq!(shrunk, Ok(block));
            heap.check().expect("a whole heap");
            let wall = take(16);
            assert_eq!(wall.addr().get(), block.addr().get() + first - 8);
            // SAFETY: as above.
            let moved = unsafe { heap.shrink(block, layout(first - 8, 8), layout(first - 16, 8)) };
            assert_ne!(moved.expect("room for a smaller one"), block, "a used block stands behind it");
            heap.check().expect("a whole heap");
        }
    }

    #[test]
    fn a_block_that_cannot_shrink_by_a_granule_stays_as_it_is_when_memory_is_short() {
        let mut memory = std::vec![MaybeUninit::new(0_u8); 8 << 10];
        let heap = FixedFreeList::<Packed>::over_in(&mut memory);
        let mut blocks = Vec::new();
        while let Ok(block) = heap.allocate(layout(40, 8)) {
            blocks.push(block);
        }
        while heap.allocate(layout(16, 8)).is_ok() {}
        // SAFETY: the block is live, with this layout, and becomes no larger.
        assert!(unsafe { heap.shrink(blocks[3], layout(40, 8), layout(32, 8)) }.is_err());
        for block in blocks {
            // SAFETY: live still, with the old layout.
            unsafe { heap.deallocate(block, layout(40, 8)) };
        }
        heap.check().expect("a whole heap");
    }
}
