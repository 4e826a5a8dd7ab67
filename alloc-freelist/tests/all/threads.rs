//! Thread caches: blocks on their way between threads, and everything taken back from outside.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use alloc_core::backend::{Counting, Limited, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::{BlockState, Inspect, SizedBlocks, Strategy};
use alloc_freelist::coalesce::{Deferred, Immediate};
use alloc_freelist::{Config, Policy, SyncFreeList, fit, header};

use crate::support::{blocks, give, layout, take};

type SizedHeap = SyncFreeList<Policy<fit::Good, header::Sized, Deferred>>;

/// A block on its way to another thread.
struct Sent(NonNull<u8>);

// SAFETY: blocks are bound to no thread.
unsafe impl Send for Sent {}

fn figures(heap: &dyn Inspect) -> (u64, u64, u64) {
    let stats = heap.stats();
    let known = |gauge: alloc_core::Gauge| gauge.get().expect("the figure is known");
    (known(stats.live_blocks), known(stats.live), known(stats.cached))
}

/// Takes blocks and gives them back, so that the calling thread caches some.
fn warm(heap: &dyn Strategy, size: usize, count: usize) {
    let held: Vec<_> = (0..count).map(|_| take(heap, size)).collect();
    held.into_iter().for_each(|block| give(heap, block, size));
}

/// Runs `work` on a thread, to that thread's very end: a scope alone does not wait for what comes after the closure.
fn ended(work: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(work).join().expect("the thread ends"));
}

#[test]
fn a_block_that_comes_back_is_handed_out_again() {
    let heap = SyncFreeList::new();
    let block = take(&heap, 100);
    give(&heap, block, 100);
    assert_eq!(take(&heap, 110), block, "another size of the same class");
    give(&heap, block, 110);
    assert_eq!(figures(&heap).0, 0);
    heap.check().expect("a whole heap");
}

#[test]
fn an_aligned_block_comes_back_to_the_cache_and_is_handed_out_again() {
    let aligned = layout(96, 256);
    let heap = SyncFreeList::new();
    warm(&heap, 96, 1);
    let (live, _, cached) = figures(&heap);
    let block = heap.allocate(aligned).expect("memory");
    assert!(block.addr().get() % 256 == 0);
    let before = figures(&heap).2;
    // SAFETY: the block is live, with this layout.
    unsafe { heap.deallocate(block, aligned) };
    assert_eq!((figures(&heap).0, figures(&heap).2), (live, before + 96));
    assert_eq!(heap.allocate(aligned), Ok(block), "it lies well");
    assert_eq!(figures(&heap).2, before);
    // SAFETY: as above.
    unsafe { heap.deallocate(block, aligned) };
    assert_eq!(take(&heap, 96), block, "it serves any request of its class");
    give(&heap, block, 96);
    assert!(figures(&heap).2 >= cached);
    heap.check().expect("a whole heap");
}

#[test]
fn figures_tell_what_all_threads_cache() {
    let heap = SyncFreeList::new();
    warm(&heap, 64, 10);
    let (go, awaited) = mpsc::channel::<()>();
    let (come, arrived) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let heap = &heap;
        scope.spawn(move || {
            warm(heap, 1000, 10);
            come.send(()).expect("somebody waits");
            awaited.recv().expect("a word to go on");
            // Its cache was emptied meanwhile.
            warm(heap, 1000, 10);
        });
        arrived.recv().expect("the other thread is warm");
        let (live_blocks, live, cached) = figures(heap);
        assert_eq!((live_blocks, live), (0, 0));
        assert!(cached >= 10 * 64 + 10 * 1008, "both threads' blocks are counted: {cached}");
        heap.trim(usize::MAX);
        assert_eq!(figures(heap), (0, 0, 0), "what a waiting thread caches is taken back");
        heap.check().expect("a whole heap");
        go.send(()).expect("the other thread waits");
    });
    heap.check().expect("a whole heap");
}

#[test]
fn walks_show_cached_blocks_where_headers_tell() {
    let heap = SizedHeap::with_policy();
    let held = take(&heap, 500);
    warm(&heap, 500, 3);
    let cached = blocks(&heap, BlockState::Cached);
    assert!(cached.len() >= 3 && cached.iter().all(|block| block.size == cached[0].size), "{cached:?}");
    let used = blocks(&heap, BlockState::Used);
    assert_eq!(used.iter().map(|block| block.address).collect::<Vec<_>>(), [held.addr().get()]);
    assert_eq!(figures(&heap).2, cached.iter().map(|block| block.size as u64).sum::<u64>());
    // SAFETY: the block is live.
    assert_eq!(unsafe { heap.usable_size(held) }, used[0].size);
    // SAFETY: as above, given up.
    unsafe { heap.free(held) };
    heap.check().expect("a whole heap");
}

/// Zones that are small beside what comes and goes, so that what is lost shows in their number.
struct Steps;

impl Config for Steps {
    type Fit = fit::Good;
    type Header = header::None;
    type Coalesce = Deferred;
    const GROW: usize = 256 << 10;
}

#[test]
fn blocks_come_back_from_other_threads() {
    let heap = SyncFreeList::<Steps>::with_policy();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<Sent>>(4);
        let heap = &heap;
        scope.spawn(move || {
            for batch in receiver {
                for (index, Sent(block)) in batch.into_iter().enumerate() {
                    // SAFETY: the sender wrote the first word, and gave the block up.
                    assert_eq!(unsafe { block.cast::<usize>().read() }, index);
                    give(heap, block, 16 + index * 8 % 2000);
                }
            }
        });
        for _ in 0..200 {
            let batch = (0..300).map(|index| {
                let block = take(heap, 16 + index * 8 % 2000);
                // SAFETY: a new block of at least 16 bytes.
                unsafe { block.cast::<usize>().write(index) };
                Sent(block)
            });
            sender.send(batch.collect()).expect("the other thread takes them");
        }
    });
    let stats = heap.stats();
    assert_eq!(stats.live_blocks.get(), Some(0));
    let committed = stats.committed.get().expect("the figure is known");
    assert!(committed < 8 << 20, "blocks go round: {committed} bytes");
    heap.check().expect("a whole heap");
}

/// Four megabytes for zones, and for wide blocks nothing.
type Tight = SyncFreeList<
    Policy<fit::Good, header::None, Deferred>,
    Limited<PagesBackend<Os>>,
    Limited<PagesBackend<Os>>,
>;

fn tight() -> Tight {
    let source = |bytes| Limited::new(PagesBackend::new(Os), bytes);
    Tight::from_parts(source(4 << 20), source(0))
}

#[test]
fn what_idle_threads_cache_is_taken_back_before_a_request_is_refused() {
    let heap = tight();
    let (idle, arrived) = mpsc::channel();
    thread::scope(|scope| {
        // Dropped at the latest when this fails, which ends the threads.
        let stay: Vec<mpsc::Sender<()>> = (0..4)
            .map(|_| {
                let (stay, stayed) = mpsc::channel();
                let (heap, idle) = (&heap, idle.clone());
                scope.spawn(move || {
                    for size in [100, 1000, 5000, 20_000] {
                        warm(heap, size, 60_000 / size);
                    }
                    idle.send(()).expect("somebody waits");
                    assert!(stayed.recv().is_err());
                });
                stay
            })
            .collect();
        (0..4).for_each(|_| arrived.recv().expect("all threads get there"));
        let cached = figures(&heap).2;
        assert!(cached > 400 << 10, "{cached} bytes are cached");
        let mut held = Vec::new();
        while let Ok(block) = heap.allocate(layout(8000, 8)) {
            held.push(block);
        }
        assert!(held.len() * 8000 > 3 << 20, "{} blocks", held.len());
        assert!(figures(&heap).2 < 64 << 10, "other threads' caches are empty");
        heap.check().expect("a whole heap");
        held.into_iter().for_each(|block| give(&heap, block, 8000));
        // A zone is empty then, whatever the others are.
        give(&heap, take(&heap, 200_000), 200_000);
        drop(stay);
    });
}

#[test]
fn what_ended_threads_cached_goes_on_being_used() {
    let source = Counting::new(PagesBackend::new(Os));
    let heap = SyncFreeList::<Steps, _, _>::from_parts(&source, &source);
    for round in 0..100 {
        ended(|| warm(&heap, 2000, 30));
        assert_eq!(figures(&heap).0, 0, "after round {round}");
    }
    let held = source.counts().bytes;
    assert!(held <= 1 << 20, "a hundred threads of 60 KiB each had {held} bytes");
    heap.check().expect("a whole heap");
    assert!(heap.trim(0) >= held);
    assert_eq!((figures(&heap), source.counts().bytes), ((0, 0, 0), 0), "all of it went back");
}

#[test]
fn blocks_of_ended_threads_go_back_with_the_next_batch() {
    let heap = SyncFreeList::new();
    warm(&heap, 64, 1);
    ended(|| warm(&heap, 3000, 20));
    let before = figures(&heap).2;
    assert!(before >= 20 * 3008, "{before}");
    // Another class: a batch of it is due.
    let block = take(&heap, 300);
    let after = figures(&heap).2;
    assert!(after + 15 * 3008 < before, "{after} of {before}");
    give(&heap, block, 300);
    heap.check().expect("a whole heap");
}

/// A destructor of a thread that runs after the caches' own, with a block of both sides of the end.
mod late {
    use super::*;
    use core::ffi::c_void;

    static HEAP: SyncFreeList = SyncFreeList::new();
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    static KEY: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn at_the_end(block: *mut c_void) {
        let block = NonNull::new(block.cast::<u8>()).expect("a block was put there");
        give(&HEAP, block, 48);
        warm(&HEAP, 48, 200);
        if ROUNDS.fetch_add(1, Ordering::Relaxed) < 2 {
            let key = KEY.load(Ordering::Relaxed) as libc::pthread_key_t;
            // SAFETY: a key of this test's; the next round of destructors finds the new block.
            unsafe { libc::pthread_setspecific(key, take(&HEAP, 48).as_ptr().cast::<c_void>()) };
        }
    }

    #[test]
    fn threads_allocate_and_free_to_their_very_end() {
        let mut key = 0;
        // SAFETY: the place is ours.
        assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(at_the_end)) }, 0);
        KEY.store(key as usize, Ordering::Relaxed);
        thread::spawn(move || {
            warm(&HEAP, 48, 100);
            let block = take(&HEAP, 48).as_ptr().cast::<c_void>();
            // SAFETY: the key was created above.
            assert_eq!(unsafe { libc::pthread_setspecific(key, block) }, 0);
        })
        .join()
        .expect("the thread ends");
        assert_eq!(ROUNDS.load(Ordering::Relaxed), 3, "two rounds came after that of the caches");
        assert_eq!(figures(&HEAP).0, 0);
        HEAP.check().expect("a whole heap");
    }
}

#[test]
fn heaps_come_and_go_while_their_threads_stay() {
    let first = SyncFreeList::new();
    let others: Vec<SizedHeap> = (0..6).map(|_| SizedHeap::with_policy()).collect();
    for round in 0..20 {
        let passing = SyncFreeList::new();
        let held: Vec<_> = (0..100).map(|index| take(&passing, 1 + index * 9)).collect();
        warm(&first, 40, 50);
        for (index, heap) in others.iter().enumerate() {
            warm(heap, 40 + index * 16, 50);
        }
        for (index, block) in held.into_iter().enumerate().skip(round) {
            give(&passing, block, 1 + index * 9);
        }
        passing.check().expect("a whole heap");
        drop(passing);
        assert_eq!(figures(&first).0, 0);
    }
    for heap in &others {
        assert_eq!(figures(heap).0, 0);
        heap.check().expect("a whole heap");
    }
    first.check().expect("a whole heap");
}

#[test]
fn a_reset_empties_the_caches_too() {
    let mut heap = SizedHeap::with_policy();
    for _ in 0..5 {
        warm(&heap, 200, 100);
        ended(|| warm(&heap, 300, 100));
        take(&heap, 200);
        heap.reset();
        assert_eq!(figures(&heap), (0, 0, 0));
        heap.check().expect("a whole heap");
    }
}

/// Threads with no more than 10 000 bytes each to cache.
struct Thrifty;

impl Config for Thrifty {
    type Fit = fit::First;
    type Header = header::None;
    type Coalesce = Immediate;
    const THREAD_CACHE: usize = 10_000;
}

#[test]
fn a_thread_caches_no_more_than_its_budget() {
    let heap = SyncFreeList::<Thrifty>::with_policy();
    for size in [16, 32, 48, 100, 500, 1000, 3000, 9000, 20_000, 16] {
        warm(&heap, size, 300);
        let cached = figures(&heap).2;
        assert!(cached <= 10_000, "{cached} bytes after blocks of {size}");
    }
    heap.check().expect("a whole heap");
    assert_eq!(figures(&heap).2, 0, "a check gives back what is cached");
}

/// Workers that allocate, hand over and free, while others count, walk, check and trim all the time.
fn disturbed<C: Config>(heap: &SyncFreeList<C>) {
    const WORKERS: usize = 3;
    const STEPS: usize = 20_000;
    let left = AtomicUsize::new(WORKERS);
    thread::scope(|scope| {
        let left = &left;
        let (senders, mut receivers): (Vec<_>, Vec<_>) =
            (0..WORKERS).map(|_| mpsc::channel::<(Sent, usize)>()).unzip();
        for worker in (0..WORKERS).rev() {
            let next = senders[(worker + 1) % WORKERS].clone();
            let receiver = receivers.pop().expect("one for each");
            scope.spawn(move || {
                let mut held: Vec<(NonNull<u8>, usize)> = Vec::new();
                let mut random = worker as u64 + 1;
                for step in 0..STEPS {
                    random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    let size = 8 + (random >> 40) as usize % [64, 600, 600, 9000][step % 4];
                    let block = take(heap, size);
                    // SAFETY: a new block of so many bytes.
                    unsafe { block.cast::<usize>().write(size ^ block.addr().get()) };
                    held.push((block, size));
                    held.extend(receiver.try_iter().map(|(Sent(block), size)| (block, size)));
                    while held.len() > 100 {
                        let (block, size) = held.swap_remove((random >> 20) as usize % held.len());
                        // SAFETY: written when it was taken.
                        let mark = unsafe { block.cast::<usize>().read() };
                        assert_eq!(mark, size ^ block.addr().get(), "somebody else wrote there");
                        if random % 8 == 0 {
                            next.send((Sent(block), size)).map_or_else(|_| give(heap, block, size), |()| {});
                        } else {
                            give(heap, block, size);
                        }
                    }
                }
                drop(next);
                held.into_iter().for_each(|(block, size)| give(heap, block, size));
                left.fetch_sub(1, Ordering::Release);
                // Until all others have dropped their ends.
                receiver.iter().for_each(|(Sent(block), size)| give(heap, block, size));
            });
        }
        drop(senders);
        scope.spawn(move || {
            let mut looks = 0_u64;
            while left.load(Ordering::Acquire) > 0 {
                match looks % 4 {
                    0 => assert!(figures(heap).0 <= ((STEPS + 10) * WORKERS) as u64),
                    1 => heap.check().expect("a whole heap"),
                    2 => assert!(heap.trim(1 << 20) < 1 << 30),
                    _ => assert!(!blocks(heap, BlockState::Metadata).is_empty()),
                }
                looks += 1;
                warm(heap, 100, 10);
            }
            assert!(looks > 0);
        });
    });
    assert_eq!(figures(heap).0, 0);
    heap.check().expect("a whole heap");
}

#[test]
fn lookers_and_workers_at_once() {
    disturbed(&SyncFreeList::new());
    disturbed(&SizedHeap::with_policy());
    disturbed(&SyncFreeList::<Thrifty>::with_policy());
    disturbed(&SyncFreeList::<Policy<fit::Best, header::Checked, Immediate>>::with_policy());
}
