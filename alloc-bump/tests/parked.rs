//! What dropped arenas leave for the next ones: its own binary, since that is shared by the whole process.

#![cfg(all(feature = "std", feature = "libc"))]

use alloc_bump::{Bump, Down, Pages, SyncBump};
use alloc_core::{Inspect, Strategy};

#[test]
fn the_next_arena_starts_in_what_the_last_one_left() {
    assert_eq!(Pages::release_parked(), 0, "nothing was left yet");
    let first = Bump::new();
    let start = first.alloc_slice_fill_copy(3 << 20, 0xff_u8).as_ptr();
    let whole = first.stats().reserved.get().unwrap();
    drop(first);

    // The same memory, dirty as it is, of which half a megabyte was kept.
    let second = Bump::new();
    let block = second.allocate_zeroed(alloc_core::arith::checked_layout(1 << 20, 1).unwrap()).unwrap();
    assert_eq!(block.as_ptr().cast_const(), start);
    // SAFETY: a live block of so many bytes, all zero.
    assert!(unsafe { std::slice::from_raw_parts(start, 1 << 20) }.iter().all(|&byte| byte == 0));
    assert_eq!(second.check(), Ok(()));

    // Arenas that fill the other way, or are limited to less than what was kept, take memory of their own.
    let down = Bump::<Pages, Down<16>>::default();
    assert_ne!(
        std::ptr::from_mut(down.alloc(1_u8)).addr() & !((1 << 20) - 1),
        start.addr() & !((1 << 20) - 1)
    );
    drop(second);
    let limited = Bump::new();
    limited.set_limit(Some(10_000));
    assert_ne!(std::ptr::from_mut(limited.alloc(1_u8)).cast_const(), start);
    assert!(limited.stats().committed.get().unwrap() <= 10_000);

    // One that is shared takes it, and leaves it.
    let shared = SyncBump::new();
    assert_eq!(std::ptr::from_mut(shared.alloc(1_u8)).addr() & !4095, start.addr() & !4095);
    drop((shared, down, limited));
    assert_eq!(Pages::release_parked() as u64, whole * 3, "both that fill up, and the one that fills down");
    assert_eq!(Pages::release_parked(), 0);

    // No more than a few are kept.
    let many: Vec<Bump> = (0..10).map(|_| Bump::new()).collect();
    for bump in &many {
        bump.alloc(1_u8);
    }
    drop(many);
    assert_eq!(Pages::release_parked() as u64, whole * 4);
}
