//! Tight blocks: as large as their request, where others are as large as its class.
//!
//! Quick lists of classes serve requests of several sizes from blocks of one. A zone that gets nothing back gains nothing
//! from that, and need not pay for it. So a zone starts *tight*; when the first block comes back that is large enough for
//! its class to matter, the zone notes where free memory begins behind all blocks:
//!
//! ```text
//!   first              classed_from                                     size
//!   | tight blocks, and free ones | blocks of classes, and free ones    |
//! ```
//!
//! From then on, a block's position says what its size is for a layout, on either side. Enough free memory right before
//! the boundary moves it back to that memory's start. Tight blocks of more than one size for a class go to no list.

use super::Zone;
use crate::config::Config;
use crate::fit::Fit;
use crate::header::Header;
use crate::size::{ALIGN, LARGEST_CLASS, ONE_SIZE_EACH};
use crate::zone::carve::{block_size, exact_size};

/// Where the boundary lies in zones that are tight as a whole: behind all positions.
const NOWHERE: u32 = u32::MAX;

impl<C: Config> Zone<C> {
    /// Whether there are tight blocks, in heaps of this configuration.
    pub(crate) const TIGHT: bool = C::TIGHT;

    /// log2 of the granules in 16 bytes, in which classes are counted: not where caches of threads count in granules.
    pub(crate) const UNIT: u32 = if Self::TIGHT { ALIGN.trailing_zeros() - C::Header::SHIFT } else { 0 };

    /// Blocks of fewer granules are as large as their class on either side.
    pub(crate) const ALIKE: u32 = if Self::UNIT > 0 { 0 } else { ONE_SIZE_EACH as u32 };

    /// Granules that are worth rounding up in. What is less stays with the tight blocks: the room of the last one of these does for
    /// its like, though it may be less than its class.
    const AMPLE: u32 = (LARGEST_CLASS as u32 * 2) << Self::UNIT;

    /// Where a new zone's boundary lies.
    pub(super) const BOUNDARY: u32 = if Self::TIGHT { NOWHERE } else { 0 };

    /// Whether a block at a position is tight.
    #[inline(always)]
    pub(crate) fn is_tight(self, at: u32) -> bool {
        Self::TIGHT && at < self.header().classed_from.get()
    }

    /// Granules of a block at a position for `bytes` of payload, or more than any zone has.
    #[inline(always)]
    pub(crate) fn size_at(self, at: u32, bytes: usize) -> usize {
        if self.is_tight(at) { exact_size::<C>(bytes) } else { block_size::<C>(bytes) }
    }

    /// The position of the block whose holder sees `payload`, if it lies in this zone and is not tight.
    #[inline(always)]
    pub(crate) fn classed_position(self, payload: core::ptr::NonNull<u8>) -> Option<u32> {
        let address = payload.addr().get();
        if !Self::TIGHT {
            return self.contains(address).then(|| self.position(payload));
        }
        let header = self.header();
        let at = self.distance(address).wrapping_sub(C::Header::BYTES) >> C::Header::SHIFT;
        // One test for both: positions below the boundary are far beyond what lies behind it.
        let beyond = at.wrapping_sub(header.classed_from.get() as usize);
        (beyond < header.classed.get() as usize).then_some(at as u32)
    }

    /// Blocks from `from` on are of their class.
    fn set_classed_from(self, from: u32) {
        let header = self.header();
        header.classed_from.set(from);
        header.classed.set(header.size.get().saturating_sub(from));
    }

    /// The zone has `size` granules from now on.
    pub(super) fn set_size(self, size: u32) {
        let header = self.header();
        header.size.set(size);
        self.set_classed_from(header.classed_from.get());
    }

    /// Takes a tight block back.
    #[inline(never)]
    pub(super) fn give_tight(self, at: u32, size: u32) {
        let header = self.header();
        if size < Self::ALIKE && self.give_quick(at, size) {
            return;
        }
        if size >= Self::ALIKE && header.classed_from.get() == NOWHERE {
            let room = self.free_at_end();
            self.set_classed_from(header.size.get() - if room < Self::AMPLE { 0 } else { room });
        }
        let (start, total) = self.merge(at, size);
        header.count(-1);
        let boundary = header.classed_from.get();
        if total >= Self::AMPLE && start < boundary && boundary <= start + total {
            self.set_classed_from(start);
        }
    }

    /// As [`take`](Self::take), where the block's size depends on where it is found.
    #[inline]
    pub(super) fn take_either(self, size: u32, requested: usize) -> Option<u32> {
        let exact = exact_size::<C>(requested) as u32;
        if self.header().classed_from.get() == NOWHERE || (Self::UNIT == 0 && exact == size) {
            return self.take_exactly(exact, requested);
        }
        let try_with = |enough| {
            let (at, found) = C::Fit::take(self, enough)?;
            let tight = self.is_tight(at);
            let here = if tight { exact } else { size };
            // A block of a class that lies on a multiple of 16 bytes will do for any request of such an alignment.
            let odd = Self::UNIT > 0 && !tight && size <= Self::QUICK_MAX;
            let lead = if odd { self.lead(at, ALIGN).filter(|&lead| lead < found).unwrap_or(0) } else { 0 };
            if lead > 0 && Self::suits(found - lead, here) {
                return Some(self.carve_within(at, found, lead, here, requested));
            }
            if Self::suits(found, here) {
                self.carve(at, found, here, requested);
                return Some(at);
            }
            C::Fit::insert(self, at, found);
            None
        };
        // What suffices on either side; what may suffice on one; and, where a granule that is left over is none, what has more.
        let more = if Self::MORE > 0 { Some(size + Self::MORE) } else { None };
        try_with(size).or_else(|| try_with(exact)).or_else(|| try_with(more?))
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;
    use std::vec::Vec;

    use alloc_core::{BlockState, Inspect, SizedBlocks, Step, Strategy, Visit};
    use proptest::prelude::*;

    use crate::coalesce::Classed;
    use crate::{Config, FixedFreeList, Policy, fit, header};

    type Plain = Policy<fit::Good, header::None, Classed>;
    type Packed = Policy<fit::Good, header::Packed, Classed>;
    type Sized = Policy<fit::Good, header::Sized, Classed>;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("a layout")
    }

    fn take(heap: &impl Strategy, size: usize) -> NonNull<u8> {
        heap.allocate(layout(size)).expect("the memory suffices")
    }

    fn give(heap: &impl Strategy, block: NonNull<u8>, size: usize) {
        // SAFETY: the tests give back what they took, by the layout that `take` asked with.
        unsafe { heap.deallocate(block, layout(size)) };
    }

    /// Free blocks as a walk shows them.
    fn free(heap: &impl Inspect) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let _ = heap.walk(&mut |step| {
            if let Step::Block(block) = step
                && block.state == BlockState::Free
            {
                found.push((block.address, block.size));
            }
            Visit::Continue(())
        });
        found
    }

    fn memory(size: usize) -> Vec<MaybeUninit<u8>> {
        std::vec![MaybeUninit::new(0xff_u8); size]
    }

    #[test]
    fn what_gets_nothing_back_is_as_large_as_its_requests() {
        fn fills<C: Config>(size: usize, tight: usize, class: usize) {
            let mut memory = memory(16 << 20);
            let heap = FixedFreeList::<C>::over_in(&mut memory);
            let blocks = [take(&heap, size), take(&heap, size), take(&heap, size)];
            let distance = |pair: &[NonNull<u8>]| pair[1].addr().get() - pair[0].addr().get();
            assert_eq!((distance(&blocks), distance(&blocks[1..])), (tight, tight));
            give(&heap, blocks[1], size);
            let later = [take(&heap, size), take(&heap, size), take(&heap, size)];
            assert_eq!((distance(&later), distance(&later[1..])), (class, class));
            give(&heap, later[1], size);
            assert_eq!(take(&heap, size), later[1]);
            heap.check().expect("a whole heap");
            for block in [blocks[0], blocks[2], later[0], later[1], later[2]] {
                give(&heap, block, size);
            }
            heap.check().expect("a whole heap");
            assert!(heap.trim(0) == 0 && free(&heap).len() == 1);
        }
        fills::<Plain>(1030, 1040, 1088);
        fills::<Packed>(1030, 1032, 1088);
        fills::<Packed>(20, 24, 32);
        fills::<Sized>(1030, 1040, 1088);
    }

    #[test]
    fn free_memory_at_the_boundary_moves_it_back() {
        let mut memory = memory(1 << 20);
        let heap = FixedFreeList::<Packed>::over_in(&mut memory);
        let blocks: Vec<_> = (0..8).map(|_| take(&heap, 1030)).collect();
        blocks[4..].iter().for_each(|&block| give(&heap, block, 1030));
        let (first, second) = (take(&heap, 1030), take(&heap, 1030));
        assert!(first.addr() >= blocks[4].addr());
        assert_eq!(
            second.addr().get() - first.addr().get(),
            1088,
            "where tight blocks were, there are classes"
        );
        [first, second].into_iter().for_each(|block| give(&heap, block, 1030));
        blocks[..4].iter().for_each(|&block| give(&heap, block, 1030));
        heap.check().expect("a whole heap");
        assert!(heap.trim(0) == 0 && free(&heap).len() == 1);
    }

    #[test]
    fn the_room_of_a_block_in_a_full_heap_serves_its_like() {
        fn full<C: Config>(size: usize) {
            let mut memory = memory(64 << 10);
            let heap = FixedFreeList::<C>::over_in(&mut memory);
            let mut blocks = Vec::new();
            while let Ok(block) = heap.allocate(layout(size)) {
                blocks.push(block);
            }
            for _ in 0..2 {
                for &block in &blocks {
                    give(&heap, block, size);
                    assert_eq!(heap.allocate(layout(size)), Ok(block));
                    heap.check().expect("a whole heap");
                }
            }
            for block in blocks {
                give(&heap, block, size);
            }
            assert_eq!(free(&heap).len(), 1);
        }
        for size in [8, 17, 24, 250, 265, 520, 777, 1030, 5000] {
            full::<Plain>(size);
            full::<Packed>(size);
            full::<Sized>(size);
        }
    }

    /// Both sizes are of one class; of tight blocks, the larger one needs more.
    #[test]
    fn a_tight_block_does_not_grow_within_its_class_over_its_neighbour() {
        fn grows<C: Config>(small: usize, large: usize) {
            let mut memory = memory(64 << 10);
            let heap = FixedFreeList::<C>::over_in(&mut memory);
            let (block, neighbour) = (take(&heap, small), take(&heap, small));
            // SAFETY: the block is live, with this layout.
            let grown = unsafe { heap.grow(block, layout(small), layout(large)) }.expect("room");
            assert_ne!(grown, block, "a used block stands behind it");
            // SAFETY: as above.
            let shrunk = unsafe { heap.shrink(grown, layout(large), layout(small)) }.expect("room");
            heap.check().expect("a whole heap");
            give(&heap, shrunk, small);
            give(&heap, neighbour, small);
            heap.check().expect("a whole heap");
            assert_eq!(free(&heap).len(), 1, "all of the block came back");
        }
        grows::<Plain>(8200, 8700);
        grows::<Plain>(1030, 1080);
        grows::<Packed>(8200, 8700);
        grows::<Packed>(1030, 1080);
        grows::<Packed>(20, 30);
    }

    #[test]
    fn a_tight_block_tells_its_own_size() {
        let mut memory = memory(64 << 10);
        let heap = FixedFreeList::<Sized>::over_in(&mut memory);
        let block = take(&heap, 1030);
        // SAFETY: the block is live.
        assert_eq!(unsafe { heap.usable_size(block) }, 1032);
        // SAFETY: as above, and it is given up.
        unsafe { heap.free(block) };
        let block = take(&heap, 1030);
        // SAFETY: the block is live.
        assert_eq!(unsafe { heap.usable_size(block) }, 1080);
    }

    #[test]
    fn an_emptied_zone_is_tight_again() {
        let mut memory = memory(64 << 10);
        let mut heap = FixedFreeList::<Plain>::over_in(&mut memory);
        let block = take(&heap, 1030);
        give(&heap, block, 1030);
        heap.reset();
        let blocks = [take(&heap, 1030), take(&heap, 1030)];
        assert_eq!(blocks[1].addr().get() - blocks[0].addr().get(), 1040);
        heap.check().expect("a whole heap");
    }

    /// Blocks of a class above the boundary of packed ones lie on multiples of 16, so that they serve such requests.
    #[test]
    fn packed_blocks_of_classes_serve_requests_aligned_to_16() {
        let mut memory = memory(1 << 20);
        let heap = FixedFreeList::<Packed>::over_in(&mut memory);
        // An odd number of granules before the boundary.
        let (_wall, first) = (take(&heap, 24), take(&heap, 24));
        give(&heap, first, 24);
        for size in (1..1000).step_by(37) {
            assert_eq!(take(&heap, size).addr().get() % 16, 0, "{size}");
        }
        heap.check().expect("a whole heap");
    }

    /// Takes, frees and resizes as `script` says, and gives back what is left: nothing may be lost.
    fn all_comes_back<C: Config>(script: &[u32], frees: u32) -> Result<(), TestCaseError> {
        let mut memory = memory(96 << 10);
        let heap = FixedFreeList::<C>::over_in(&mut memory);
        let whole = free(&heap);
        let mut live: Vec<(NonNull<u8>, Layout)> = Vec::new();
        for &word in script {
            let index = (word >> 4) as usize % live.len().max(1);
            if word % 16 >= frees || live.is_empty() {
                let size = (word >> 4) as usize % [40, 300, 1200, 9000][word as usize % 4];
                let align = [1, 8, 16, 64][(word >> 24) as usize % 4];
                let layout = Layout::from_size_align(size, align).expect("a layout");
                if let Ok(block) = heap.allocate(layout) {
                    live.push((block, layout));
                }
            } else if word % 3 == 0 {
                let (block, old) = live[index];
                let size = (word >> 8) as usize % [300, 2000, 9000][word as usize / 4 % 3];
                let new = Layout::from_size_align(size, old.align()).expect("a layout");
                let moved = if new.size() < old.size() {
                    // SAFETY: the block is live, with this layout.
                    unsafe { heap.shrink(block, old, new) }
                } else {
                    // SAFETY: as above.
                    unsafe { heap.grow(block, old, new) }
                };
                if let Ok(moved) = moved {
                    live[index] = (moved, new);
                }
            } else {
                let (block, layout) = live.swap_remove(index);
                // SAFETY: as above.
                unsafe { heap.deallocate(block, layout) };
            }
            heap.check().map_err(|fault| TestCaseError::fail(std::format!("{fault}")))?;
            let mut ends: Vec<_> =
                live.iter().map(|(block, layout)| (block.addr().get(), layout.size().max(1))).collect();
            ends.sort_unstable();
            prop_assert!(ends.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "blocks overlap");
        }
        for (block, layout) in live {
            // SAFETY: as above.
            unsafe { heap.deallocate(block, layout) };
        }
        heap.check().map_err(|fault| TestCaseError::fail(std::format!("{fault}")))?;
        let _ = heap.trim(0);
        prop_assert_eq!(free(&heap), whole);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost_on_either_side_of_the_boundary(
            script in prop::collection::vec(any::<u32>(), 1..200),
            frees in 1..10_u32,
        ) {
            all_comes_back::<Plain>(&script, frees)?;
            all_comes_back::<Packed>(&script, frees)?;
            all_comes_back::<Sized>(&script, frees)?;
            all_comes_back::<Policy<fit::Best, header::Packed, Classed<16384>>>(&script, frees)?;
            all_comes_back::<Policy<fit::First, header::None, Classed>>(&script, frees)?;
            all_comes_back::<Policy<fit::Next, header::Checked, Classed>>(&script, frees)?;
        }
    }
}
