//! Threads that come and go, and blocks that go from one to another.

use core::ptr::NonNull;
use std::sync::{Barrier, mpsc};
use std::thread;

use alloc_core::{Inspect, SizedBlocks, Step, Visit};
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
        heap.check().expect("whole arenas");
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
        heap.check().expect("whole arenas");
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

/// Pages of the heap that are in memory, in bytes.
fn resident(heap: &Ptmalloc) -> usize {
    const PAGE: usize = 4096;
    let mut zones = Vec::new();
    let _ = heap.walk(&mut |step| {
        if let Step::Zone(zone) = step {
            zones.push((zone.address, zone.size));
        }
        Visit::Continue(())
    });
    let mut pages = 0;
    for (address, size) in zones {
        let first = address / PAGE * PAGE;
        let mut answers = vec![0_u8; (address + size).div_ceil(PAGE) - first / PAGE];
        // SAFETY: a query; the zone is mapped, and there is a byte for each of its pages.
        let asked = unsafe {
            libc::mincore(
                std::ptr::with_exposed_provenance_mut(first),
                address + size - first,
                answers.as_mut_ptr(),
            )
        };
        assert_eq!(asked, 0, "a zone is mapped");
        pages += answers.iter().filter(|&&answer| answer & 1 != 0).count();
    }
    pages * PAGE
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "arenas are aligned to 64 MiB")]
fn an_idle_thread_costs_64_kib_at_most() {
    const THREADS: usize = 64;
    for era in ERAS {
        for arena_max in [0, THREADS + 1] {
            let heap = Ptmalloc::new(Config { arena_max, ..Config::new(era) });
            give(&heap, take(&heap, 100), 100);
            let committed = || heap.stats().committed.get().expect("known") as usize;
            let before = (committed(), resident(&heap));
            let (ready, done) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        let block = take(&heap, 100);
                        ready.wait();
                        done.wait();
                        give(&heap, block, 100);
                    });
                }
                ready.wait();
                let after = (committed(), resident(&heap));
                done.wait();
                let each = [(after.0 - before.0) / THREADS, (after.1 - before.1) / THREADS];
                assert!(
                    each[1] <= 64 << 10,
                    "{era:?}, {arena_max}: {each:?} bytes committed and touched by each"
                );
                if arena_max == 0 || era == Era::Ours {
                    assert!(
                        each[0] <= 64 << 10,
                        "{era:?}, {arena_max}: {each:?} bytes committed and touched by each"
                    );
                }
            });
        }
    }
}

/// Far more threads than processors, in a ring: each allocates, passes blocks on to the next, and frees what it gets.
#[test]
fn an_oversubscribed_ring_loses_nothing() {
    const THREADS: usize = 32;
    const TURNS: usize = 600;
    struct Passed(NonNull<u8>, usize, u8);
    // SAFETY: a block is nobody's but the holder's.
    unsafe impl Send for Passed {}
    fn check(heap: &Ptmalloc, Passed(block, size, byte): Passed) {
        // SAFETY: a live block of so many bytes, all of them written.
        let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
        assert!(bytes.iter().all(|&found| found == byte));
        give(heap, block, size);
    }
    for era in ERAS {
        let heap = Ptmalloc::new(Config::new(era));
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Passed>()).unzip();
        thread::scope(|scope| {
            for (number, receiver) in receivers.into_iter().enumerate() {
                let (heap, next) = (&heap, senders[(number + 1) % THREADS].clone());
                scope.spawn(move || {
                    for turn in 0..TURNS {
                        let size =
                            1 + (turn * 97 + number * 1009) % if turn % 50 == 0 { 200_000 } else { 3000 };
                        let block = take(heap, size);
                        // SAFETY: a live block of so many bytes.
                        unsafe { block.write_bytes(number as u8, size) };
                        next.send(Passed(block, size, number as u8)).expect("the next thread receives");
                        while let Ok(passed) = receiver.try_recv() {
                            check(heap, passed);
                        }
                    }
                    drop(next);
                    for passed in receiver {
                        check(heap, passed);
                    }
                });
            }
            drop(senders);
        });
        assert_eq!(live(&heap), (0, 0), "{era:?}");
        heap.check().expect("whole arenas");
    }
}

/// Blocks of an arena whose thread is gone go home when they are freed, though nobody comes to look there.
#[test]
fn nothing_is_stranded_in_an_arena_without_threads() {
    let heap = Ptmalloc::new(Config { arena_max: 3, ..Config::new(Era::Ours) });
    give(&heap, take(&heap, 100), 100);
    for round in 0..10_usize {
        let (sender, receiver) = mpsc::channel::<Vec<usize>>();
        // At home in an arena of its own, which has no thread when it ends.
        let maker =
            || sender.send((0..2000).map(|_| take(&heap, 100).as_ptr().expose_provenance()).collect());
        thread::scope(|scope| scope.spawn(maker).join().expect("no panic").expect("a receiver"));
        let blocks = receiver.recv().expect("blocks");
        thread::scope(|scope| {
            let mut freeing = Vec::new();
            for part in blocks.chunks(1000) {
                let heap = &heap;
                freeing.push(scope.spawn(move || {
                    for &address in part {
                        let block =
                            NonNull::new(std::ptr::with_exposed_provenance_mut(address)).expect("a block");
                        give(heap, block, 100);
                    }
                }));
            }
            freeing.into_iter().for_each(|one| one.join().expect("no panic"));
        });
        let mut waiting = 0;
        heap.arenas(|arena| waiting += if arena.attached_threads == 0 { arena.inbox_bytes } else { 0 });
        assert_eq!(waiting, 0, "round {round}");
    }
    heap.check().expect("whole arenas");
}
