//! Quick lists: stacks of positions in front of the bins, one for each size or class.
//!
//! ```text
//!   tops[1]      tops[2] (empty)                       tops[3] (full)
//!      │            │                                     │
//!   0  a  b' b'  0  b' b' b'  0  c  c  c  c  0 ... 0  0       (' vacant: any number but 0)
//! ```
//!
//! The stacks lie side by side in the zone, with a 0 below each and behind the last one: below the lowest block of a list, and
//! above the highest one that has room, stands a 0. So one word says of a list that it is empty, and another one that it
//! is full, and neither the list's length nor the block itself is touched. For the edge map, blocks in quick lists are in use.

use core::cell::Cell;

use crate::coalesce::Coalesce;
use crate::config::Config;
use crate::header::Header;
use crate::size::{LARGEST_CLASS, bin_for, bin_of, class_size, least_of_bin};
use crate::zone::{QUICK, Zone, bytes};

/// Blocks in one list at most.
const DEPTH: usize = 32;

/// Bytes of a place for a position.
const SLOT: usize = size_of::<u32>();

/// What stands in a place that has no block: not 0.
const VACANT: u32 = u32::MAX;

const _: () = assert!(bin_of(LARGEST_CLASS as u32) < QUICK, "every class has its list");

impl<C: Config> Zone<C> {
    /// The largest block of quick lists, in granules.
    pub(crate) const QUICK_MAX: u32 = if C::Coalesce::CLASSES {
        (LARGEST_CLASS as u32) << Self::UNIT
    } else {
        let size = C::Coalesce::QUICK_BYTES / C::Header::GRANULE;
        if size < QUICK { size as u32 } else { QUICK as u32 - 1 }
    };

    /// The largest number of a list.
    const LISTS: usize = if Self::QUICK_MAX == 0 {
        0
    } else if C::Coalesce::CLASSES {
        bin_of(Self::QUICK_MAX >> Self::UNIT)
    } else {
        Self::QUICK_MAX as usize
    };

    /// The number of the list for blocks of a size.
    #[inline(always)]
    fn list_of(size: u32) -> usize {
        if C::Coalesce::CLASSES { bin_of(size >> Self::UNIT) } else { size as usize }
    }

    /// The number of the list for requests of so many bytes, if there is one. List 0 never holds a block.
    #[inline(always)]
    pub(crate) fn list_for(requested: usize) -> Option<usize> {
        // In granules, or in steps of as many as classes are counted in.
        let step = C::Header::GRANULE << Self::UNIT;
        let size = (requested + C::Header::BYTES + (step - 1)) >> step.trailing_zeros();
        if Self::LISTS == 0 || size > (Self::QUICK_MAX >> Self::UNIT) as usize {
            return None;
        }
        let least = if C::Header::MIN > 1 << Self::UNIT { C::Header::MIN } else { 0 };
        let size = (size as u32).max(least);
        if C::Coalesce::CLASSES {
            return Some(bin_for(size));
        }
        if C::CLASSES {
            // Rounded up, a request may be larger than the largest block of the lists.
            return Some(class_size(size as usize)).filter(|&list| list <= Self::LISTS);
        }
        Some(size as usize)
    }

    /// The size of the blocks in a list.
    fn size_in(list: usize) -> u32 {
        if C::Coalesce::CLASSES { least_of_bin(list) << Self::UNIT } else { list as u32 }
    }

    /// Blocks that a list may hold where all of them share `budget` bytes.
    fn capacity(list: usize, budget: usize) -> usize {
        (budget / Self::LISTS / bytes::<C>(Self::size_in(list))).min(DEPTH)
    }

    /// Bytes of the stacks.
    pub(crate) fn stacks_bytes(budget: usize) -> usize {
        if Self::LISTS == 0 {
            return 0;
        }
        let places = |list| match Self::capacity(list, budget) {
            0 => 0,
            some => some + 1,
        };
        ((1..=Self::LISTS).map(places).sum::<usize>() + 2) * SLOT
    }

    /// Writes empty stacks to `place`.
    pub(crate) fn lay_out_stacks(self, place: usize, budget: usize) {
        if Self::LISTS == 0 {
            return;
        }
        let mut place = place;
        self.write(place, 0);
        for list in 1..=Self::LISTS {
            self.top(list).set(place as u32);
            let capacity = Self::capacity(list, budget);
            for _ in 0..capacity {
                place += SLOT;
                self.write(place, VACANT);
            }
            if capacity > 0 {
                place += SLOT;
                self.write(place, 0);
            }
        }
        // Lists without places, and list 0, share the last 0, and find one more behind it.
        self.top(0).set(place as u32);
        self.write(place + SLOT, 0);
    }

    /// Where the uppermost block of a list stands, or the 0 below all.
    #[inline(always)]
    fn top(&self, list: usize) -> &Cell<u32> {
        let tops = &self.header().tops;
        &tops[list % tops.len()]
    }

    /// A block of exactly this size from a quick list, in use again.
    #[inline(always)]
    pub(crate) fn take_quick(self, size: u32, requested: usize) -> Option<u32> {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return None;
        }
        self.pop(Self::list_of(size), requested)
    }

    /// The block that came last to a list, in use again.
    #[inline(always)]
    pub(crate) fn pop(self, list: usize, requested: usize) -> Option<u32> {
        self.pop_aligned(list, 1, requested)
    }

    /// The same, if its payload is a multiple of `align`.
    #[inline(always)]
    pub(crate) fn pop_aligned(self, list: usize, align: usize, requested: usize) -> Option<u32> {
        let top = self.top(list);
        let place = top.get() as usize;
        let at = self.read(place);
        if at == 0 || self.payload(at).addr().get() & (align - 1) != 0 {
            return None;
        }
        top.set((place - SLOT) as u32);
        C::Header::leave_cache(self, at, requested);
        Some(at)
    }

    /// Puts a block of a list's size there, if there is room.
    #[inline(always)]
    pub(crate) fn push(self, list: usize, at: u32) -> bool {
        let top = self.top(list);
        let place = top.get() as usize + SLOT;
        if self.read(place) == 0 {
            return false;
        }
        self.write(place, at);
        top.set(place as u32);
        C::Header::become_cached(self, at);
        true
    }

    /// As [`take_quick`](Self::take_quick), one whose payload is a multiple of `align`, if it is among the first few.
    #[inline]
    pub(crate) fn take_quick_aligned(self, size: u32, align: usize, requested: usize) -> Option<u32> {
        const LOOK: usize = 8;
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return None;
        }
        let top = self.top(Self::list_of(size)).get() as usize;
        let mut place = top;
        for _ in 0..LOOK {
            let at = self.read(place);
            if at == 0 {
                return None;
            }
            if self.payload(at).addr().get() & (align - 1) == 0 {
                self.write(place, self.read(top));
                self.write(top, at);
                return self.take_quick(size, requested);
            }
            place -= SLOT;
        }
        None
    }

    /// Puts a block that its holder gave back into a quick list, if it is small enough.
    #[inline(always)]
    pub(crate) fn give_quick(self, at: u32, size: u32) -> bool {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return false;
        }
        // What a block that shrinks leaves over may be of no class; nor what was too little to be cut off another one.
        if C::Coalesce::CLASSES && Self::size_in(Self::list_of(size)) != size {
            return false;
        }
        // A tight block that is as large as its class would be handed out for less, and its position would not tell.
        if size >= Self::ALIKE && self.is_tight(at) {
            return false;
        }
        let list = Self::list_of(size);
        self.push(list, at) || self.spill(list) && self.push(list, at)
    }

    /// The 0 below a list's blocks.
    fn bottom(self, list: usize) -> usize {
        let mut place = self.top(list).get() as usize;
        while self.read(place) != 0 {
            place -= SLOT;
        }
        place
    }

    /// Merges the half of a list that has waited longest. Whether there is room in it then.
    #[cold]
    #[inline(never)]
    fn spill(self, list: usize) -> bool {
        let (bottom, top) = (self.bottom(list), self.top(list).get() as usize);
        let count = (top - bottom) / SLOT;
        let out = count.div_ceil(2);
        let size = Self::size_in(list);
        for index in 1..=out {
            let at = self.read(bottom + index * SLOT);
            self.merge(at, size);
        }
        self.header().count(-(out as i32));
        for index in 1..=count - out {
            self.write(bottom + index * SLOT, self.read(bottom + (index + out) * SLOT));
        }
        self.top(list).set((top - out * SLOT) as u32);
        count > 0
    }

    /// Merges the blocks of all quick lists. Whether there were any.
    pub(crate) fn flush(self) -> bool {
        let mut any = false;
        for list in 1..=Self::LISTS {
            // The half that is rounded up, until nothing is left.
            while self.spill(list) {
                any = true;
            }
        }
        any
    }

    /// A block that is in a quick list twice. Takes time in proportion to the square of the lists' lengths.
    pub(crate) fn cached_twice(self) -> Option<u32> {
        for list in 1..=Self::LISTS {
            let mut place = self.top(list).get() as usize;
            while self.read(place) != 0 {
                let at = self.read(place);
                place -= SLOT;
                let mut below = place;
                while self.read(below) != 0 {
                    if self.read(below) == at {
                        return Some(at);
                    }
                    below -= SLOT;
                }
            }
        }
        None
    }

    /// Calls `each` with the position and the size of every block in quick lists.
    pub(crate) fn for_each_cached(self, each: &mut dyn FnMut(u32, u32)) {
        for list in 1..=Self::LISTS {
            let mut place = self.top(list).get() as usize;
            loop {
                let at = self.read(place);
                if at == 0 {
                    break;
                }
                each(at, Self::size_in(list));
                place -= SLOT;
            }
        }
    }

    /// Blocks in quick lists.
    pub(crate) fn cached_blocks(self) -> usize {
        let mut blocks = 0;
        self.for_each_cached(&mut |_, _| blocks += 1);
        blocks
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;

    use alloc_core::{Inspect, Strategy};

    use super::*;
    use crate::coalesce::{Classed, Deferred};
    use crate::{FixedFreeList, Policy, fit, header};

    type Lists = Policy<fit::Good, header::None, Deferred>;
    type Classes = Policy<fit::Good, header::None, Classed>;
    type Sized = Policy<fit::Good, header::Sized, Deferred>;

    fn memory(bytes: usize) -> std::vec::Vec<MaybeUninit<u8>> {
        std::vec![MaybeUninit::uninit(); bytes]
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    fn take(heap: &impl Strategy, size: usize) -> NonNull<u8> {
        heap.allocate(layout(size, 8)).expect("the memory suffices")
    }

    fn give(heap: &impl Strategy, block: NonNull<u8>, size: usize) {
        // SAFETY: the tests give back what they took, by the layout that `take` asked with.
        unsafe { heap.deallocate(block, layout(size, 8)) };
    }

    fn cached(heap: &impl Inspect) -> u64 {
        heap.stats().cached_blocks.get().expect("the figure is known")
    }

    #[test]
    fn shares_of_a_budget_stay_within_it() {
        for budget in [0, 1 << 10, 64 << 10, 1 << 20, 4 << 20] {
            let held: usize = (1..=Zone::<Lists>::LISTS)
                .map(|list| Zone::<Lists>::capacity(list, budget) * bytes::<Lists>(list as u32))
                .sum();
            assert!(held <= budget, "{held} of {budget}");
        }
        assert_eq!(Zone::<Lists>::stacks_bytes(0), 2 * SLOT, "lists without places share two words");
        assert_eq!((Zone::<Lists>::capacity(1, 1 << 20), Zone::<Lists>::capacity(64, 1 << 20)), (DEPTH, 16));
        assert_eq!(Zone::<Policy>::stacks_bytes(1 << 20), 0, "no lists, no stacks");
    }

    #[test]
    fn requests_of_no_bytes_have_a_list_that_stays_empty() {
        assert_eq!((Zone::<Lists>::list_for(0), Zone::<Classes>::list_for(0)), (Some(0), Some(0)));
        assert_eq!((Zone::<Lists>::list_for(1024), Zone::<Lists>::list_for(1025)), (Some(64), None));
        assert_eq!((Zone::<Sized>::list_for(0), Zone::<Sized>::list_for(1016)), (Some(1), Some(64)));
        assert_eq!(Zone::<Policy>::list_for(16), None);
        let mut memory = memory(1 << 20);
        let heap = FixedFreeList::<Lists>::over_in(&mut memory);
        let blocks = [take(&heap, 0), take(&heap, 0)];
        assert_ne!(blocks[0], blocks[1]);
        blocks.into_iter().for_each(|block| give(&heap, block, 0));
        heap.check().expect("a whole heap");
        assert_eq!(heap.stats().live_blocks.get(), Some(0));
    }

    /// Lists of exact sizes whose largest is no class, and requests that are rounded up to classes: as behind threads' caches.
    struct Rounded;

    impl Config for Rounded {
        type Fit = fit::Good;
        type Header = header::None;
        type Coalesce = Deferred<528>;
        const CLASSES: bool = true;
    }

    #[test]
    fn a_request_rounded_up_beyond_the_largest_list_has_none() {
        assert_eq!((Zone::<Rounded>::list_for(512), Zone::<Rounded>::list_for(528)), (Some(32), None));
        let mut memory = memory(1 << 20);
        let heap = FixedFreeList::<Rounded>::over_in(&mut memory);
        let blocks = [take(&heap, 528), take(&heap, 528)];
        assert_eq!(blocks[0].addr().get().abs_diff(blocks[1].addr().get()), 544);
        blocks.into_iter().for_each(|block| give(&heap, block, 528));
        heap.check().expect("a whole heap");
        assert_eq!((heap.stats().live_blocks.get(), cached(&heap)), (Some(0), 0));
    }

    #[test]
    fn a_block_that_is_in_a_list_twice_is_found() {
        let mut memory = memory(16 << 20);
        let heap = FixedFreeList::<Lists>::over_in(&mut memory);
        let blocks = [take(&heap, 64), take(&heap, 64), take(&heap, 64)];
        blocks.into_iter().for_each(|block| give(&heap, block, 64));
        heap.check().expect("a whole heap");
        give(&heap, blocks[0], 64);
        let fault = heap.check().expect_err("the first block is freed twice");
        assert_eq!((fault.what, fault.address), ("a quick list holds a block once", blocks[0].addr().get()));
    }

    #[test]
    fn a_full_list_merges_the_half_that_waited_longest() {
        let mut memory = memory(16 << 20);
        let heap = FixedFreeList::<Lists>::over_in(&mut memory);
        let blocks: std::vec::Vec<_> = (0..DEPTH + 1).map(|_| take(&heap, 64)).collect();
        for (index, &block) in blocks.iter().enumerate().take(DEPTH) {
            give(&heap, block, 64);
            assert_eq!(cached(&heap), index as u64 + 1);
        }
        give(&heap, blocks[DEPTH], 64);
        assert_eq!(cached(&heap), DEPTH as u64 / 2 + 1);
        heap.check().expect("a whole heap");
        for index in (DEPTH / 2..=DEPTH).rev() {
            assert_eq!(take(&heap, 64), blocks[index], "the block freed last comes first");
        }
        assert_eq!(cached(&heap), 0);
        heap.check().expect("a whole heap");
    }

    #[test]
    fn what_a_shrinking_block_leaves_serves_the_next_request() {
        fn shrunk<C: Config>(size: usize, left: usize) -> bool {
            let mut memory = memory(16 << 20);
            let heap = FixedFreeList::<C>::over_in(&mut memory);
            // From now on, blocks are as large as their class.
            let first = take(&heap, 1 << 20);
            give(&heap, first, 1 << 20);
            let block = take(&heap, size + left);
            // SAFETY: the block was taken with this layout, and becomes no larger.
            let same = unsafe { heap.shrink(block, layout(size + left, 8), layout(size, 8)) };
            assert_eq!(same, Ok(block), "a block shrinks where it is");
            heap.check().expect("a whole heap");
            let waits = cached(&heap) == 1;
            let rest = take(&heap, left);
            // SAFETY: the block had so many bytes.
            assert_eq!(rest, unsafe { block.add(size) });
            give(&heap, rest, left);
            give(&heap, block, size);
            heap.check().expect("a whole heap");
            assert_eq!(heap.stats().live_blocks.get(), Some(0));
            waits
        }
        assert!(shrunk::<Lists>(64, 960));
        assert!(!shrunk::<Lists>(64, 1040), "no list is for so large a rest");
        assert!(shrunk::<Classes>(5120, 1024));
        assert!(!shrunk::<Classes>(4352, 12032), "no list is for a rest of no class");
    }

    /// A block that is cut is one less of its class, and what is left over of it is hardly ever asked for.
    #[test]
    fn small_blocks_of_classes_shrink_by_moving() {
        let mut memory = memory(16 << 20);
        let heap = FixedFreeList::<Classes>::over_in(&mut memory);
        let (block, small) = (take(&heap, 1024), take(&heap, 64));
        give(&heap, small, 64);
        // SAFETY: the block is live, and has so many bytes.
        unsafe { block.write_bytes(0x5a, 64) };
        // SAFETY: the block was taken with this layout, and becomes no larger.
        let moved = unsafe { heap.shrink(block, layout(1024, 8), layout(64, 8)) };
        assert_eq!(moved, Ok(small));
        // SAFETY: the block is live, and keeps what was written.
        assert!(unsafe { core::slice::from_raw_parts(small.as_ptr(), 64) }.iter().all(|&byte| byte == 0x5a));
        assert_eq!(take(&heap, 1024), block, "it is whole");
        give(&heap, block, 1024);
        give(&heap, small, 64);
        heap.check().expect("a whole heap");
    }

    #[test]
    fn an_aligned_request_finds_a_block_below_the_uppermost() {
        let mut memory = memory(16 << 20);
        let heap = FixedFreeList::<Lists>::over_in(&mut memory);
        let blocks: std::vec::Vec<_> = (0..4).map(|_| take(&heap, 16)).collect();
        let lies_well = |block: &NonNull<u8>| block.addr().get() % 32 == 0;
        let mut order = blocks.clone();
        order.sort_by_key(|block| !lies_well(block));
        order.iter().for_each(|&block| give(&heap, block, 16));
        assert!(!lies_well(&order[3]) && lies_well(&order[1]));
        assert_eq!(heap.allocate(layout(16, 32)), Ok(order[1]));
        assert_eq!(cached(&heap), 3);
        heap.check().expect("a whole heap");
    }
}
