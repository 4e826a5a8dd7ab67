//! The worst operation of a heap, in steps that are counted: how often a zone's memory is read or written outside of its header.
//!
//! No clock and no tool: every access to tables, lists and blocks goes through [`Zone::place`](crate::zone::Zone), where test
//! builds count. The bench `freelist worst` has the instructions.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;
use std::vec::Vec;

use alloc_core::Strategy;

use crate::coalesce::{Classed, Deferred, Immediate};
use crate::{Config, FixedFreeList, Policy, fit, header};

std::thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a step of this thread's.
pub(crate) fn step() {
    STEPS.set(STEPS.get() + 1);
}

/// xorshift64* (Vigna).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * bound as u128) >> 64) as usize
    }

    /// Most are small.
    fn layout(&mut self) -> Layout {
        let most = 2048 >> self.below(8);
        let size = 1 + self.below(most);
        Layout::from_size_align(size, 8 << self.below(3)).expect("a layout")
    }
}

/// Steps of the longest allocation and of the longest free among 2 000, in a heap of `live` blocks whose free memory is in as
/// many pieces as can be.
fn worst<C: Config>(live: usize) -> [u64; 2] {
    let mut memory = Vec::<u8>::with_capacity(2048 * live + (4 << 20));
    let heap = FixedFreeList::<C>::over_in(memory.spare_capacity_mut());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let take = |layout| heap.allocate(layout).expect("the memory suffices");
    // SAFETY: every block is given back once, with its layout.
    let give = |(block, layout): (NonNull<u8>, Layout)| unsafe { heap.deallocate(block, layout) };
    let mut blocks: Vec<_> = (0..live * 2)
        .map(|_| {
            let layout = random.layout();
            (take(layout), layout)
        })
        .collect();
    for index in (0..live).rev() {
        give(blocks.swap_remove(index * 2));
    }
    let mut most = [0, 0];
    for round in 0..4000 {
        let (which, before) = (round % 2, STEPS.get());
        if which == 0 {
            let layout = random.layout();
            blocks.push((take(layout), layout));
        } else {
            give(blocks.swap_remove(random.below(blocks.len())));
        }
        most[which] = most[which].max(STEPS.get() - before);
    }
    heap.check().expect("a whole heap");
    most
}

/// A heap a hundred times as large stays within the same bound.
fn is_constant<C: Config>(name: &str, bound: u64) {
    let (small, large) = (worst::<C>(500), worst::<C>(50_000));
    std::println!("{name}: {small:?} steps at most with 500 blocks, {large:?} with 50 000");
    assert!(
        small.iter().chain(&large).all(|&steps| (1..=bound).contains(&steps)),
        "{name}: {small:?}, {large:?} of {bound}"
    );
}

#[test]
fn the_worst_operation_does_not_grow_with_the_heap() {
    is_constant::<Policy<fit::Good, header::None, Immediate>>("none", 40);
    is_constant::<Policy<fit::Good, header::Packed, Immediate>>("packed", 40);
    is_constant::<Policy<fit::Good, header::Sized, Immediate>>("sized", 40);
    is_constant::<Policy<fit::Good, header::Checked, Immediate>>("checked", 100);
    // A free that finds its list full merges half of it: 16 blocks, and moves the others' places.
    is_constant::<Policy<fit::Good, header::None, Deferred>>("deferred", 500);
    is_constant::<Policy<fit::Good, header::None, Classed>>("classed", 500);
    is_constant::<Policy<fit::Good, header::Packed, Classed>>("packed, classed", 500);
}
