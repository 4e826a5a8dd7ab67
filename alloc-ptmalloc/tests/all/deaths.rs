//! Every misuse that is found, with its one message, in a process of its own.

use core::hint::black_box;
use core::ptr::NonNull;

use alloc_core::SizedBlocks;
use alloc_ptmalloc::{CheckLevel, Config, Era, Ptmalloc};
use alloc_testkit::death::{self, Role, expect_death};

use crate::support::{bare, take};

/// A heap with some history, and two blocks side by side with a third behind them.
fn lived_in(heap: &Ptmalloc, size: usize) -> [NonNull<u8>; 3] {
    let old: Vec<_> = (0..50).map(|index| take(heap, 40 + index * 8)).collect();
    for block in old.into_iter().step_by(2) {
        free(heap, block);
    }
    [(); 3].map(|()| take(heap, size))
}

fn free(heap: &Ptmalloc, pointer: NonNull<u8>) {
    // SAFETY: none where it misuses; the heap is to find that out.
    unsafe { heap.free(black_box(pointer)) };
}

fn at(block: NonNull<u8>, offset: isize) -> NonNull<u8> {
    // SAFETY: within the heap around the block.
    unsafe { block.offset(offset) }
}

/// Writes a word relative to a block.
fn smash(block: NonNull<u8>, offset: isize, word: usize) {
    // SAFETY: within the heap around the block: the misuse under test.
    unsafe { at(block, offset).cast::<usize>().write(black_box(word)) };
}

/// Stamps a death test: the control frees all three blocks as it should, the misuse does as told.
macro_rules! deaths {
    ($($name:ident: $config:expr, $size:literal, $message:literal, |$heap:ident, $blocks:ident| $misuse:expr;)*) => {$(
        #[test]
        fn $name() {
            let role = death::role();
            if role == Role::Parent {
                let message = concat!("strata: ptmalloc: ", $message);
                return expect_death(concat!("deaths::", stringify!($name)), &[], message, libc::SIGABRT);
            }
            let $heap = Ptmalloc::new($config);
            let $blocks = lived_in(&$heap, $size);
            if role == Role::Misuse {
                $misuse
            } else {
                $blocks.into_iter().for_each(|block| free(&$heap, block));
            }
        }
    )*};
}

const OURS: Config = Config::new(Era::Ours);
const CLASSIC: Config = Config::new(Era::Classic);
const MODERN: Config = Config::new(Era::Modern);
const HARDENED: Config = Config { check: CheckLevel::Hardened, ..OURS };
const HARDENED_CLASSIC: Config = Config { check: CheckLevel::Hardened, ..CLASSIC };
const FULL: Config = Config { check: CheckLevel::Full, ..OURS };

deaths! {
    freed_twice: OURS, 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[0]);
    };
    freed_twice_with_another_between: OURS, 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        free(&heap, blocks[0]);
    };
    freed_twice_when_long_flushed: OURS, 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        let others: Vec<_> = (0..3000).map(|_| take(&heap, 100)).collect();
        others.into_iter().for_each(|block| free(&heap, block));
        free(&heap, blocks[0]);
    };
    freed_twice_classic: CLASSIC, 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        free(&heap, blocks[0]);
    };
    freed_twice_modern: MODERN, 3000, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[0]);
    };
    freed_twice_in_a_fastbin: bare(Era::Classic), 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[0]);
    };
    freed_twice_large: OURS, 200_000, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[0]);
    };
    freed_twice_hardened: HARDENED, 100, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        free(&heap, blocks[0]);
    };
    mapped_twice: OURS, 40_000_000, "foreign pointer at {address}: no memory of this strategy is there", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[0]);
    };
    misaligned: OURS, 100, "misaligned pointer at {address}: no block can start there", |heap, blocks| {
        free(&heap, at(blocks[0], 8));
    };
    on_the_stack: OURS, 100, "foreign pointer at {address}: no memory of this strategy is there", |heap, blocks| {
        #[repr(align(16))]
        struct Local([NonNull<u8>; 4]);
        let mut local = Local([blocks[0]; 4]);
        free(&heap, NonNull::from(&mut local.0).cast());
    };
    far_away: OURS, 100, "foreign pointer at {address}: no memory of this strategy is there", |heap, blocks| {
        let _ = blocks;
        free(&heap, NonNull::new(core::ptr::without_provenance_mut(0xffff_8000_0000_1000)).expect("not null"));
    };
    near_null: OURS, 100, "foreign pointer at {address}: no memory of this strategy is there", |heap, blocks| {
        let _ = blocks;
        free(&heap, NonNull::new(core::ptr::without_provenance_mut(32)).expect("not null"));
    };
    smashed_size: OURS, 200_000, "corrupted header at {address}: the block's size or flags contradict its neighbours", |heap, blocks| {
        smash(blocks[0], -8, 0x4141_4141_4141_4141);
        free(&heap, blocks[0]);
    };
    smashed_to_zero: OURS, 100, "corrupted header at {address}: the block's size or flags contradict its neighbours", |heap, blocks| {
        smash(blocks[0], -8, 0);
        free(&heap, blocks[0]);
    };
    overflown_into_the_next: HARDENED, 100, "corrupted header at {address}: the block's size or flags contradict its neighbours", |heap, blocks| {
        smash(blocks[0], 104, 0x4141_4141_4141_4141);
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
    };
    freed_twice_large_modern: Config { tcache_max: 4 << 20, ..MODERN }, 20_000, "double free at {address}: the block is already free", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        free(&heap, blocks[0]);
    };
    // The link of a free chunk leads nowhere: found by whoever takes the chunk out of its bin.
    broken_link_small: HARDENED, 500, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 0, 0x4141_4141_4141_4141);
        take(&heap, 500);
    };
    broken_back_link_large: HARDENED, 5_000, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 8, 0x4141_4141_4141_4141);
        take(&heap, 5_000);
    };
    // It leads to a block in use, which does not lead back.
    link_to_a_live_block: HARDENED, 500, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 0, blocks[2].addr().get() - 16);
        take(&heap, 500);
    };
    // A neighbour that is freed wants to merge with it.
    broken_link_met_by_a_merge: HARDENED, 500, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 0, 8);
        free(&heap, blocks[1]);
    };
    broken_link_in_a_fastbin: HARDENED_CLASSIC, 100, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        smash(blocks[1], 0, 0x4141_4141_4141_4141);
        take(&heap, 100);
    };
    // Where links are masked, an address written over one does not lead to that address.
    unmasked_link_in_a_fastbin: HARDENED_CLASSIC, 100, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        free(&heap, blocks[1]);
        smash(blocks[1], 0, blocks[2].addr().get() - 16);
        take(&heap, 100);
    };
    broken_link_in_the_queue: Config { check: CheckLevel::Hardened, ..MODERN }, 5_000, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 8, 16);
        take(&heap, 5_000);
    };
    // A walk finds it at the next call, whatever that is.
    broken_link_found_by_a_walk: FULL, 500, "corrupted link at {address}: the free list does not lead back here", |heap, blocks| {
        free(&heap, blocks[0]);
        smash(blocks[0], 0, 0x4141_4141_4141_4141);
        take(&heap, 3_000);
    };
    smashed_size_found_by_a_walk: FULL, 500, "corrupted header at {address}: the block's size or flags contradict its neighbours", |heap, blocks| {
        smash(blocks[1], -8, 0x4141_4141_4141_4141);
        take(&heap, 3_000);
    };
}
