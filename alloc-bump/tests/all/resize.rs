//! The last block grows, shrinks and is freed in place; others are left alone.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_bump::{Bump, Config, Down, FixedBump, Pages, Up};
use alloc_core::Strategy;
use alloc_core::backend::{Backend, SystemBackend};

use crate::{bytes, layout};

fn pattern(block: NonNull<u8>, size: usize) {
    for index in 0..size {
        // SAFETY: within a live block.
        let byte = unsafe { block.add(index) };
        // SAFETY: as above.
        unsafe { byte.write(index as u8 ^ 0x5a) };
    }
}

fn holds(block: NonNull<u8>, size: usize) -> bool {
    // SAFETY: a live block whose first `size` bytes were written.
    let bytes = unsafe { bytes(block, size) };
    bytes.iter().enumerate().all(|(index, &byte)| byte == index as u8 ^ 0x5a)
}

fn last<B: Backend, C: Config>(bump: &Bump<B, C>) {
    for align in [1, 8, 64] {
        let before = bump.allocate(layout(10, 2)).expect("memory");
        pattern(before, 10);
        let mut size = 100;
        let mut block = bump.allocate(layout(size, align)).expect("memory");
        pattern(block, size);
        let start = block;
        // Both past what is open already and within it.
        for new in [101, 128, 5000, 90_000, 700_000] {
            let held = size;
            // SAFETY: a live block with its layout; the size does not fall.
            block = unsafe { bump.grow(block, layout(size, align), layout(new, align)) }.expect("memory");
            size = new;
            assert!(block.addr().get().is_multiple_of(align));
            assert!(holds(block, held), "contents after growing to {new}");
            pattern(block, size);
        }
        if C::UP && bump.check().is_ok() && core::any::type_name::<B>() == core::any::type_name::<Pages>() {
            assert_eq!(block, start, "filling up, a block over pages grows where it is");
        }
        for new in [600_000, 5000, 4999, 100, 1, 0] {
            // SAFETY: a live block with its layout; the size does not rise.
            block =
                unsafe { bump.shrink(block, layout(size, align), layout(new, align)) }.expect("never fails");
            size = new;
            assert!(holds(block, size), "contents after shrinking to {new}");
            assert_eq!(bump.check(), Ok(()));
        }
        assert!(holds(before, 10));
    }
}

#[test]
fn the_last_block_keeps_its_contents() {
    last(&Bump::new());
    last(&Bump::<Pages, Up<8>>::default());
    last(&Bump::<Pages, Down>::default());
    last(&Bump::<Pages, Down<16>>::default());
    last(&Bump::<_, Up>::new_in(SystemBackend));
    last(&Bump::<_, Down<8>>::new_in(SystemBackend));
    let mut buffer = vec![MaybeUninit::uninit(); 4 << 20];
    last(&FixedBump::over(&mut buffer));
    last(&FixedBump::<Down<8>>::over_in(&mut buffer));
}

fn used<C: Config>(test: impl Fn(&FixedBump<'_, C>)) -> usize {
    let mut buffer = vec![MaybeUninit::uninit(); 8192];
    let bump = FixedBump::<C>::over_in(&mut buffer);
    let room = bump.room();
    test(&bump);
    room - bump.room()
}

#[test]
fn freeing_the_last_block_gives_its_bytes_back() {
    fn free<C: Config>(bump: &FixedBump<'_, C>) {
        for (size, align) in [(1, 1), (100, 4), (24, 8), (1000, 1)] {
            let block = bump.allocate(layout(size, align)).expect("memory");
            // SAFETY: a live block with its layout.
            unsafe { bump.deallocate(block, layout(size, align)) };
        }
    }
    // The padding before an aligned block may stay.
    assert!(used::<Up>(free) < 8);
    assert!(used::<Down>(free) < 16);
    assert_eq!(used::<Up<16>>(free), 0);
    assert_eq!(used::<Down<16>>(free), 0);
}

#[test]
fn freeing_another_block_changes_nothing() {
    fn free<C: Config>(bump: &FixedBump<'_, C>) {
        let first = bump.allocate(layout(64, 16)).expect("memory");
        let second = bump.allocate(layout(64, 16)).expect("memory");
        pattern(second, 64);
        // SAFETY: a live block with its layout.
        unsafe { bump.deallocate(first, layout(64, 16)) };
        let third = bump.allocate(layout(64, 16)).expect("memory");
        // SAFETY: a live block of so many bytes.
        unsafe { third.write_bytes(0, 64) };
        assert!(holds(second, 64));
        assert_eq!(third.addr().get().abs_diff(second.addr().get()), 64);
    }
    assert!(used::<Up>(free) <= 192 + 15);
    assert!(used::<Down>(free) <= 192 + 15);
}

#[test]
fn growing_another_block_moves_it() {
    fn grow<C: Config>(bump: &FixedBump<'_, C>) {
        let first = bump.allocate(layout(64, 16)).expect("memory");
        pattern(first, 64);
        let second = bump.allocate(layout(64, 16)).expect("memory");
        pattern(second, 64);
        // SAFETY: a live block with its layout; the size rises.
        let moved = unsafe { bump.grow(first, layout(64, 16), layout(128, 16)) }.expect("memory");
        assert_ne!(moved, first);
        assert!(holds(moved, 64) && holds(second, 64));
        // SAFETY: a live block with its layout; the size falls.
        let kept = unsafe { bump.shrink(second, layout(64, 16), layout(8, 16)) }.expect("never fails");
        assert_eq!(kept, second, "there is nothing to win by moving it");
    }
    assert!(used::<Up>(grow) <= 256 + 15);
    assert!(used::<Down>(grow) <= 256 + 15);
}

#[test]
fn a_block_grows_into_the_very_end() {
    let mut buffer = vec![MaybeUninit::uninit(); 1000];
    let bump = FixedBump::over(&mut buffer);
    let block = bump.allocate(layout(1, 1)).expect("memory");
    // SAFETY: a live block with its layout; the size rises.
    let block = unsafe { bump.grow(block, layout(1, 1), layout(1000, 1)) }.expect("room");
    // SAFETY: as above.
    let more = unsafe { bump.grow(block, layout(1000, 1), layout(1001, 1)) };
    assert!(more.is_err());
    assert_eq!(bump.room(), 0);
    // SAFETY: the block is live still, since growing failed.
    unsafe { bump.deallocate(block, layout(1000, 1)) };
    assert_eq!(bump.room(), 1000);
    drop(bump);

    let down = FixedBump::<Down>::over_in(&mut buffer);
    let block = down.allocate(layout(10, 1)).expect("memory");
    pattern(block, 10);
    // SAFETY: a live block with its layout; the size rises.
    let block = unsafe { down.grow(block, layout(10, 1), layout(1000, 1)) }.expect("room");
    assert!(holds(block, 10));
    // SAFETY: as above.
    assert!(unsafe { down.grow(block, layout(1000, 1), layout(1001, 1)) }.is_err());
    assert!(holds(block, 10), "a failed growth changes nothing");
    assert_eq!(down.check(), Ok(()));
}
