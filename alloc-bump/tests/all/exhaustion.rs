//! Running out of memory, limits, and getting over it.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_bump::{Bump, Config, Down, FixedBump, Pages, SyncBump, Up};
use alloc_core::arith::{MAX_ALIGN, MAX_SIZE};
use alloc_core::backend::{Backend, Counting, Limited, SystemBackend};
use alloc_core::{AllocError, Inspect, Strategy};

use crate::layout;

/// Fills an arena with blocks of `size`, writes all of them, and counts them.
fn fill<B: Backend, C: Config>(bump: &Bump<B, C>, size: usize, align: usize) -> usize {
    let mut blocks = Vec::new();
    while let Ok(block) = bump.allocate(layout(size, align)) {
        assert!(blocks.len() < 1 << 20, "the arena does not run out");
        let tag = blocks.len() as u8;
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(tag, size) };
        blocks.push((block, tag));
    }
    for &(block, tag) in &blocks {
        // SAFETY: the block is live, and was written whole.
        let bytes = unsafe { NonNull::slice_from_raw_parts(block, size).as_ref() };
        assert!(bytes.iter().all(|&byte| byte == tag), "a block was written to by another");
    }
    blocks.len()
}

fn refills<B: Backend, C: Config>(mut bump: Bump<B, C>, least: usize) {
    for (size, align) in [(1, 1), (24, 8), (100, 4), (1000, 16)] {
        let first = fill(&bump, size, align);
        assert!(first >= least / (size.next_multiple_of(align.max(C::MIN_ALIGN)) + 16), "{first} of {size}");
        for _ in 0..3 {
            bump.reset();
            assert_eq!(fill(&bump, size, align), first, "a reset gives all of it back");
            assert_eq!(bump.check(), Ok(()));
        }
        bump.reset();
    }
}

#[test]
fn a_buffer_is_used_to_the_last_byte() {
    let mut buffer = [const { MaybeUninit::uninit() }; 1000];
    assert_eq!(fill(&FixedBump::over(&mut buffer), 1, 1), 1000);
    assert_eq!(fill(&FixedBump::<Down>::over_in(&mut buffer), 1, 1), 1000);
    assert_eq!(fill(&FixedBump::over(&mut buffer[..0]), 1, 1), 0);
    let tiny = FixedBump::<Up<64>>::over_in(&mut buffer[..3]);
    assert_eq!(tiny.allocate(layout(1, 1)), Err(AllocError));
    assert!(tiny.allocate(layout(0, 1)).is_ok());
}

#[test]
fn buffers_refill_after_a_reset() {
    let mut buffer = vec![MaybeUninit::uninit(); 50_000];
    refills(FixedBump::over(&mut buffer), 50_000);
    refills(FixedBump::<Down>::over_in(&mut buffer), 50_000);
    refills(FixedBump::<Up<16>>::over_in(&mut buffer), 49_900);
    refills(FixedBump::<Down<16>>::over_in(&mut buffer), 49_900);
}

#[test]
fn a_limit_is_kept_and_reached() {
    for limit in [200, 4096, 100_000, 1 << 20] {
        let up = Bump::new();
        up.set_limit(Some(limit));
        assert_eq!(up.limit(), Some(limit));
        refills(up, limit - 200);
        let down = Bump::<Pages, Down<8>>::default();
        down.set_limit(Some(limit));
        refills(down, limit - 200);
    }
    let bump = Bump::new();
    bump.set_limit(Some(10_000));
    fill(&bump, 100, 1);
    let committed = bump.stats().committed.get().expect("known");
    assert!(committed <= 10_000 && committed > 9_800, "{committed}");
    bump.set_limit(None);
    assert!(bump.allocate(layout(1 << 20, 1)).is_ok());
    assert_eq!(bump.limit(), None);
}

#[test]
fn a_heap_of_small_chunks_refills_after_a_reset() {
    // Chunks grow geometrically, so that more than half of what the source has is reached.
    let source = Limited::new(SystemBackend, 300_000);
    let mut bump = Bump::<_, Down>::new_in(&source);
    let first = fill(&bump, 100, 4);
    assert!(first > 1500, "{first}");
    bump.reset();
    let again = fill(&bump, 100, 4);
    assert!(again >= first, "{again} after {first}: chunks were lost");
}

#[test]
fn every_span_goes_back() {
    let source = Counting::new(SystemBackend);
    for round in 0..3 {
        let mut bump = Bump::<_, Up>::new_in(&source);
        for size in [10, 1000, 100_000, 10] {
            bump.alloc_slice_fill_copy(size, 1_u64);
        }
        if round == 1 {
            bump.reset();
            assert!(bump.trim(0) > 0, "spare chunks go back");
            assert_eq!(bump.check(), Ok(()));
        }
        drop(bump);
        let counts = source.counts();
        assert!(counts.allocations > round, "{counts:?}");
        assert_eq!(counts.allocations, counts.releases, "{counts:?}");
    }
}

#[test]
fn impossible_requests_change_nothing() {
    fn refuses(strategy: &impl Strategy) {
        let kept = strategy.allocate(layout(8, 8)).expect("memory");
        for (size, align) in
            [(MAX_SIZE, 1), (MAX_SIZE - 4095, 4096), (1 << 56, 1), (1, 1 << 62), (MAX_SIZE / 2, 1 << 61)]
        {
            assert_eq!(strategy.allocate(layout(size, align)), Err(AllocError), "{size} {align}");
            assert_eq!(strategy.allocate_zeroed(layout(size, align)), Err(AllocError), "{size} {align}");
        }
        // SAFETY: a live block with its layout, of which `MAX_SIZE - 7` is larger.
        let grown = unsafe { strategy.grow(kept, layout(8, 8), layout(MAX_SIZE - 7, 8)) };
        assert_eq!(grown, Err(AllocError));
        let next = strategy.allocate(layout(8, 8)).expect("memory");
        assert_eq!(next.addr().get().abs_diff(kept.addr().get()), 8, "the block after it is right beside it");
    }
    let mut buffer = [const { MaybeUninit::uninit() }; 64];
    refuses(&Bump::new());
    refuses(&Bump::<Pages, Down>::default());
    refuses(&Bump::<_, Up>::new_in(SystemBackend));
    refuses(&FixedBump::over(&mut buffer));
    refuses(&FixedBump::<Down>::over_in(&mut buffer));
    refuses(&SyncBump::new());
}

#[test]
fn an_alignment_of_1_gib_costs_address_space_only() {
    fn aligns<C: Config>(bump: &Bump<Pages, C>) {
        for size in [1, 100, 5000] {
            let block = bump.allocate(layout(size, MAX_ALIGN)).expect("address space");
            assert!(block.addr().get().is_multiple_of(MAX_ALIGN));
            // SAFETY: a live block of so many bytes.
            unsafe { block.write_bytes(1, size) };
        }
        assert_eq!(bump.check(), Ok(()));
    }
    aligns(&Bump::new());
    aligns(&Bump::<Pages, Down>::default());
}
