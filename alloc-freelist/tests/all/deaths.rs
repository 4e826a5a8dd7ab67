//! Every misuse that checked headers find, with its one message, in a process of its own.

use core::ptr::NonNull;

use alloc_core::{SizedBlocks, Strategy};
use alloc_freelist::coalesce::{Deferred, Immediate};
use alloc_freelist::header::{Checked, Keyed};
use alloc_freelist::{PagesFreeList, Policy, fit};
use alloc_testkit::death::{self, Role, expect_death};

use crate::support::{layout, take};

type Heap = PagesFreeList<Policy<fit::Good, Checked, Immediate>>;
type KeyedHeap = PagesFreeList<Policy<fit::First, Checked<Keyed>, Deferred>>;

/// A heap with some history, and two blocks side by side with a third behind them.
fn lived_in<C: alloc_freelist::Config>(heap: &PagesFreeList<C>) -> (NonNull<u8>, NonNull<u8>) {
    let old: Vec<_> = (0..50).map(|index| (take(heap, 40 + index * 8), 40 + index * 8)).collect();
    for (block, size) in old.into_iter().step_by(2) {
        crate::support::give(heap, block, size);
    }
    let (first, second) = (take(heap, 3000), take(heap, 3000));
    take(heap, 3000);
    (first, second)
}

/// Stamps a death test: the control frees both blocks as it should, the misuse does as told.
macro_rules! deaths {
    ($($name:ident: $heap:ty, $message:literal, |$list:ident, $first:ident, $second:ident| $misuse:expr;)*) => {$(
        #[test]
        fn $name() {
            let role = death::role();
            if role == Role::Parent {
                let message = concat!("strata: freelist: ", $message);
                return expect_death(concat!("deaths::", stringify!($name)), &[], message, libc::SIGABRT);
            }
            let $list = <$heap>::with_policy();
            let ($first, $second) = lived_in(&$list);
            if role == Role::Misuse {
                // SAFETY: none; the heap is to find that out.
                unsafe { $misuse };
            } else {
                // SAFETY: both blocks are live.
                unsafe { $list.free($first) };
                // SAFETY: as above.
                unsafe { $list.free($second) };
            }
        }
    )*};
}

/// Frees a pointer.
///
/// # Safety
/// None is possible: the tests pass what must not be freed.
unsafe fn free(heap: &dyn SizedBlocks, pointer: NonNull<u8>) {
    // SAFETY: none; the heap is to find that out.
    unsafe { heap.free(core::hint::black_box(pointer)) };
}

/// Writes a word near a block.
///
/// # Safety
/// The bytes are the heap's.
unsafe fn smash(block: NonNull<u8>, offset: isize, value: u32) {
    // SAFETY: the bytes are within the heap's pages.
    let place = unsafe { block.offset(offset) }.cast::<u32>();
    // SAFETY: as above; headers are aligned.
    unsafe { core::hint::black_box(place).write_volatile(value) };
}

deaths! {
    a_double_free: Heap, "double free at {address}: the block is already free",
        |heap, first, _second| { free(&heap, first); free(&heap, first) };
    a_double_free_after_merging_below: Heap, "double free at {address}: the block is already free",
        |heap, first, second| { free(&heap, first); free(&heap, second); free(&heap, second) };
    a_double_free_after_merging_above: Heap, "double free at {address}: the block is already free",
        |heap, first, second| { free(&heap, second); free(&heap, first); free(&heap, second) };
    a_double_free_by_layout: Heap, "double free at {address}: the block is already free",
        |heap, first, _second| { free(&heap, first); heap.deallocate(first, layout(3000, 16)) };
    a_double_free_from_a_quick_list: KeyedHeap, "double free at {address}: the block is already free",
        |heap, _first, _second| { let small = take(&heap, 64); free(&heap, small); free(&heap, small) };
    a_pointer_to_the_stack: Heap, "foreign pointer at {address}: no memory of this strategy is there",
        |heap, _first, _second| { let local = [0_u64; 8]; free(&heap, NonNull::from(&local).cast()) };
    a_pointer_from_elsewhere: KeyedHeap, "foreign pointer at {address}: no memory of this strategy is there",
        |heap, _first, _second| free(&heap, NonNull::from(Box::leak(Box::new([0_u8; 4096]))).cast());
    a_pointer_before_all_blocks: Heap, "foreign pointer at {address}: no memory of this strategy is there",
        |heap, first, _second| free(&heap, first.with_addr(lowest(&heap)));
    a_pointer_into_a_block: Heap, "interior pointer at {address}: it points into a block, not at its start",
        |heap, first, _second| free(&heap, first.add(64));
    a_pointer_into_a_wide_block: Heap, "interior pointer at {address}: it points into a block, not at its start",
        |heap, _first, _second| { let wide = take(&heap, 2 << 20); free(&heap, wide.add(4096)) };
    a_misaligned_pointer: Heap, "misaligned pointer at {address}: no block can start there",
        |heap, first, _second| free(&heap, first.add(4));
    a_smashed_magic: Heap, "corrupted header at {address}: the block's size or flags contradict its neighbours",
        |heap, _first, second| { smash(second, -24, 0x4141_4141); free(&heap, second) };
    a_smashed_keyed_magic: KeyedHeap,
        "corrupted header at {address}: the block's size or flags contradict its neighbours",
        |heap, _first, second| { smash(second, -24, 0xdead_beef); free(&heap, second) };
    smashed_flags: Heap, "corrupted header at {address}: the block's size or flags contradict its neighbours",
        |heap, _first, second| { smash(second, -20, 0); free(&heap, second) };
    a_smashed_size: Heap, "corrupted header at {address}: the block's size or flags contradict its neighbours",
        |heap, _first, second| { smash(second, -16, 7); free(&heap, second) };
    a_smashed_link: Heap, "corrupted header at {address}: the block's size or flags contradict its neighbours",
        |heap, _first, second| { smash(second, -12, 7); free(&heap, second) };
    a_smashed_link_of_a_free_block: Heap, "corrupted link at {address}: the free list does not lead back here",
        |heap, _first, second| { free(&heap, second); smash(second, 0, 0x4141_4141); take(&heap, 2900); };
    a_smashed_link_found_by_merging: Heap, "corrupted link at {address}: the free list does not lead back here",
        |heap, first, second| { free(&heap, first); smash(first, 4, 0x4141_4141); free(&heap, second) };
    a_wrong_size: Heap, "layout mismatch at {address}: the size or alignment given is not the block's",
        |heap, first, _second| heap.deallocate(first, layout(200, 16));
    a_wrong_alignment: Heap, "layout mismatch at {address}: the size or alignment given is not the block's",
        |heap, first, _second| heap.deallocate(first, layout(3000, 1 << 20));
    a_resized_free_block: Heap, "double free at {address}: the block is already free",
        |heap, first, _second| { free(&heap, first); let _ = heap.reallocate(first, 5000); };
}

/// An address within the heap's first tables.
fn lowest(heap: &dyn alloc_core::Inspect) -> core::num::NonZeroUsize {
    let tables = crate::support::blocks(heap, alloc_core::BlockState::Metadata);
    core::num::NonZeroUsize::new(tables[0].address + 128).expect("not null")
}
