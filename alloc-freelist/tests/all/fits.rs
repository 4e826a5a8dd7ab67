//! Placement: first, next and best fit are exact, held against a walk over all free blocks.

use core::mem::MaybeUninit;

use alloc_core::{Block, BlockState, Strategy as _};
use alloc_freelist::coalesce::Immediate;
use alloc_freelist::{FixedFreeList, Policy, fit, header};
use proptest::prelude::*;

use crate::support::{blocks, layout};

/// What a script does next: take so many bytes, or give the block of a slot back.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take(usize),
    Give(usize),
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..2000).prop_map(Step::Take),
        2 => (1_usize..64).prop_map(Step::Take),
        1 => (2000_usize..30_000).prop_map(Step::Take),
        7 => any::<usize>().prop_map(Step::Give),
    ];
    prop::collection::vec(step, 1..300)
}

/// Runs a script, and asks `expected` for the place of every block: of the free blocks that suffice, in address order.
fn run<F: fit::Fit>(
    steps: &[Step],
    expected: &mut dyn FnMut(&[Block], usize) -> Option<usize>,
) -> Result<(), TestCaseError> {
    let mut memory = vec![MaybeUninit::uninit(); 96 << 10];
    let heap = FixedFreeList::<Policy<F, header::None, Immediate>>::over_in(&mut memory);
    let mut live = Vec::new();
    for &step in steps {
        match step {
            Step::Take(size) => {
                let free: Vec<Block> =
                    blocks(&heap, BlockState::Free).into_iter().filter(|block| block.size >= size).collect();
                let place = expected(&free, size.next_multiple_of(16));
                let block = heap.allocate(layout(size, 8)).ok();
                prop_assert_eq!(block.map(|block| block.addr().get()), place, "{} bytes of {:?}", size, free);
                live.extend(block.map(|block| (block, size)));
            }
            Step::Give(slot) if !live.is_empty() => {
                let (block, size) = live.swap_remove(slot % live.len());
                // SAFETY: the block is live, with this layout.
                unsafe { heap.deallocate(block, layout(size, 8)) };
            }
            Step::Give(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn first_fit_takes_the_lowest_block(steps in steps()) {
        run::<fit::First>(&steps, &mut |free, _| free.first().map(|block| block.address))?;
    }

    #[test]
    fn best_fit_takes_the_smallest_block_and_the_lowest_of_these(steps in steps()) {
        run::<fit::Best>(&steps, &mut |free, _| {
            free.iter().min_by_key(|block| (block.size, block.address)).map(|block| block.address)
        })?;
    }

    #[test]
    fn next_fit_goes_on_where_it_was(steps in steps()) {
        let mut cursor = 0;
        run::<fit::Next>(&steps, &mut |free, size| {
            // A free block that the cursor came to lie in, by merging, is reached from its start.
            let after = free.iter().find(|block| block.address + block.size > cursor);
            let place = after.or(free.first()).map(|block| block.address);
            cursor = place.map_or(cursor, |place| place + size);
            place
        })?;
    }

    #[test]
    fn good_fit_is_best_fit_but_for_a_sixteenth(steps in steps()) {
        good_fit(&steps)?;
    }
}

/// Bins are a sixteenth wide: what is taken is at most that much larger than the smallest block of which the bins tell
/// that it suffices, and a request is refused only where there is none.
fn good_fit(steps: &[Step]) -> Result<(), TestCaseError> {
    let above = |size: usize| size + size / 16 + 16;
    let mut memory = vec![MaybeUninit::uninit(); 96 << 10];
    let heap = FixedFreeList::over(&mut memory);
    let mut live = Vec::new();
    for &step in steps {
        match step {
            Step::Take(size) => {
                let free = blocks(&heap, BlockState::Free);
                let sure = free.iter().map(|block| block.size).filter(|&free| free >= above(size)).min();
                let block = heap.allocate(layout(size, 8)).ok();
                let taken =
                    block.and_then(|block| free.iter().find(|free| free.address == block.addr().get()));
                match (sure, taken) {
                    (Some(sure), Some(taken)) => {
                        prop_assert!(taken.size <= above(sure), "{} of {:?}", size, free);
                    }
                    (Some(_), None) => prop_assert!(false, "refused {} of {:?}", size, free),
                    (None, _) => {}
                }
                live.extend(block.map(|block| (block, size)));
            }
            Step::Give(slot) if !live.is_empty() => {
                let (block, size) = live.swap_remove(slot % live.len());
                // SAFETY: the block is live, with this layout.
                unsafe { heap.deallocate(block, layout(size, 8)) };
            }
            Step::Give(_) => {}
        }
    }
    Ok(())
}
