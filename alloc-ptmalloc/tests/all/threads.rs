//! Threads that come and go, and blocks that go from one to another.

use std::sync::mpsc;
use std::thread;

use alloc_core::{Inspect, SizedBlocks};
use alloc_ptmalloc::{Config, Era, Ptmalloc};

use crate::support::{give, take};

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

/// Live bytes and blocks.
fn live(heap: &Ptmalloc) -> (u64, u64) {
    let stats = heap.stats();
    (stats.live.get().expect("known"), stats.live_blocks.get().expect("known"))
}

#[test]
fn what_a_thread_cached_is_found_again_when_it_is_gone() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config::new(era));
        for round in 0..200 {
            thread::scope(|scope| {
                let one = scope.spawn(|| {
                    let blocks: Vec<_> =
                        (0..50).map(|index| (take(&heap, 16 + index * 20), 16 + index * 20)).collect();
                    for (block, size) in blocks {
                        give(&heap, block, size);
                    }
                });
                // To its very end, destructors included, which a scope does not wait for.
                one.join().expect("no panic");
            });
            assert_eq!(heap.stats().live_blocks.get(), Some(0), "{era:?}, round {round}");
        }
        let committed = heap.stats().committed.get().expect("known");
        assert!(committed < 2 << 20, "{era:?}: 200 threads in turn took {committed} bytes");
    }
}

#[test]
fn one_way_traffic_neither_loses_nor_piles_up() {
    const BATCHES: usize = 400;
    for era in ERAS {
        let heap = Ptmalloc::new(Config::new(era));
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel::<Vec<(usize, usize)>>(4);
            let heap = &heap;
            scope.spawn(move || {
                for batch in 0..BATCHES {
                    let blocks = (0..256).map(|index| {
                        let size = 16 + (batch * 7 + index * 13) % 2000;
                        (take(heap, size).as_ptr().expose_provenance(), size)
                    });
                    sender.send(blocks.collect()).expect("the receiver waits");
                }
            });
            for batch in receiver {
                for (address, size) in batch {
                    let block = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(address))
                        .expect("a block");
                    give(heap, block, size);
                }
            }
        });
        assert_eq!(live(&heap), (0, 0), "{era:?}");
        let committed = heap.stats().committed.get().expect("known");
        // Live at once: six batches of 256 blocks of 1 KiB in the mean; far more passed through.
        assert!(committed < 32 << 20, "{era:?}: {committed} bytes for one-way traffic");
    }
}

#[test]
fn more_threads_than_arenas_share_them() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config { arena_max: 2, ..Config::new(era) });
        thread::scope(|scope| {
            for number in 0..16_usize {
                let heap = &heap;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for turn in 0..2000_usize {
                        let size = (turn * 37 + number * 101) % 3000;
                        let block = take(heap, size);
                        // SAFETY: a live block of so many bytes.
                        unsafe { block.write_bytes(number as u8, size) };
                        held.push((block, size));
                        if turn % 3 == 2 {
                            let (block, size) = held.swap_remove((turn * 7) % held.len());
                            // SAFETY: a live block of so many bytes, all of them written.
                            let held = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
                            assert!(held.iter().all(|&byte| byte == number as u8));
                            give(heap, block, size);
                        }
                    }
                    for (block, size) in held {
                        give(heap, block, size);
                    }
                });
            }
        });
        assert_eq!(live(&heap), (0, 0), "{era:?}");
    }
}

/// Two instances used in turn by one thread do not mix up their caches.
#[test]
fn instances_keep_apart() {
    let heaps: Vec<Ptmalloc> = (0..6).map(|_| Ptmalloc::new(Config::default())).collect();
    let mut held = Vec::new();
    for turn in 0..6000_usize {
        let which = turn * 5 % heaps.len();
        let size = turn * 31 % 1500;
        held.push((which, take(&heaps[which], size), size));
        if held.len() > 300 {
            let (which, block, size) = held.swap_remove(turn % held.len());
            give(&heaps[which], block, size);
        }
    }
    for (which, block, _) in held {
        for (other, heap) in heaps.iter().enumerate() {
            assert_eq!(heap.owns(block) == alloc_core::Ownership::Mine, other == which);
        }
        // SAFETY: a live block of that heap.
        unsafe { heaps[which].free(block) };
    }
    for heap in &heaps {
        assert_eq!(live(heap), (0, 0));
    }
}
