//! The arena that threads share.

use std::ops::ControlFlow;
use std::sync::Barrier;
use std::thread;

use alloc_bump::SyncBump;
use alloc_core::backend::{Counting, SystemBackend};
use alloc_core::{Block, BlockState, Inspect, Step, Strategy, Walked};

use crate::{bytes, layout};

/// Blocks that overlap no other, as (start, size).
fn assert_apart(mut blocks: Vec<(usize, usize)>) {
    blocks.sort_unstable();
    for pair in blocks.windows(2) {
        assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{:x?} and {:x?} overlap", pair[0], pair[1]);
    }
}

/// Takes blocks of all sizes, small and large, writes them whole, verifies them, and tells where they are.
fn work(arena: &SyncBump, thread: usize, count: usize) -> Vec<(usize, usize)> {
    let mut blocks = Vec::new();
    for index in 0..count {
        let size = match index % 97 {
            96 => 40_000,
            other => other * 7 + 1,
        };
        let block = arena.allocate(layout(size, 1 << (index % 7))).expect("memory");
        let tag = (thread * 31 + index) as u8;
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(tag, size) };
        blocks.push((block, size, tag));
    }
    for &(block, size, tag) in &blocks {
        // SAFETY: the block is live and was written whole.
        assert!(unsafe { bytes(block, size) }.iter().all(|&byte| byte == tag));
    }
    blocks.into_iter().map(|(block, size, _)| (block.addr().get(), size)).collect()
}

#[test]
fn threads_get_blocks_of_their_own_before_and_after_resets() {
    const THREADS: usize = 8;
    let mut arena = SyncBump::new();
    let mut committed = None;
    for round in 0..5 {
        let barrier = Barrier::new(THREADS);
        let blocks = thread::scope(|scope| {
            let (arena, barrier) = (&arena, &barrier);
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        barrier.wait();
                        work(arena, thread, 1000)
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(blocks.len(), THREADS * 1000);
        assert_apart(blocks);
        assert_eq!(arena.check(), Ok(()));
        let now = arena.stats().committed.get().expect("known");
        if round == 2 {
            committed = Some(now);
        }
        assert!(committed.is_none_or(|before| now <= before + before / 2), "resets give memory back");
        arena.reset();
        assert_eq!(arena.stats().live.get(), Some(0));
    }
}

#[test]
fn a_thread_does_not_use_its_sub_buffer_after_a_reset() {
    let mut arena = SyncBump::new();
    let mine = arena.alloc(1_u64) as *mut u64;
    arena.reset();
    // Another thread takes the memory that this thread's sub-buffer lay in.
    let (other, mut theirs) = thread::scope(|scope| {
        scope.spawn(|| (std::ptr::from_mut(arena.alloc(2_u64)).addr(), work(&arena, 1, 500))).join().unwrap()
    });
    assert_eq!(other, mine.addr(), "the first bytes are handed out again");
    theirs.push((other, 8));
    for _ in 0..1000 {
        theirs.push((std::ptr::from_mut(arena.alloc(3_u64)).addr(), 8));
    }
    assert_apart(theirs);
}

#[test]
fn a_thread_uses_several_arenas_at_once() {
    for arenas in [2, 3, 4, 9] {
        let arenas: Vec<SyncBump> = (0..arenas).map(|_| SyncBump::new()).collect();
        let mut blocks = Vec::new();
        for round in 0..2000_usize {
            let arena = &arenas[round % arenas.len()];
            let block = std::ptr::from_mut(arena.alloc(round));
            assert_eq!(
                arena.owns(std::ptr::NonNull::new(block.cast()).unwrap()),
                alloc_core::Ownership::Mine
            );
            blocks.push((block.addr(), size_of::<usize>()));
        }
        assert_apart(blocks);
    }
}

#[test]
fn arenas_come_and_go_on_one_thread() {
    let kept = SyncBump::new();
    let mut sum = 0;
    for round in 0..200_u64 {
        let arena = SyncBump::new();
        sum += *arena.alloc(round) + *kept.alloc(1);
    }
    assert_eq!(sum, 199 * 200 / 2 + 200);
}

#[test]
fn blocks_may_be_freed_and_grown_by_other_threads() {
    let arena = SyncBump::new();
    for round in 0..50 {
        let size = if round % 2 == 0 { 64 } else { 20_000 };
        let block = arena.allocate(layout(size, 8)).expect("memory");
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(round, size) };
        let address = block.as_ptr().expose_provenance();
        let arena = &arena;
        let grown = thread::scope(|scope| {
            scope
                .spawn(move || {
                    arena.alloc(1_u8);
                    let block =
                        std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap();
                    // SAFETY: the block was handed to this thread, with its layout; the size rises.
                    let grown = unsafe { arena.grow(block, layout(size, 8), layout(size * 2, 8)) };
                    grown.expect("memory").as_ptr().expose_provenance()
                })
                .join()
                .unwrap()
        });
        let grown = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(grown)).unwrap();
        // SAFETY: the grown block is live, and its first `size` bytes are those of the old one.
        assert!(unsafe { bytes(grown, size) }.iter().all(|&byte| byte == round));
        // SAFETY: a live block with its layout.
        unsafe { arena.deallocate(grown, layout(size * 2, 8)) };
    }
    assert_eq!(arena.check(), Ok(()));
}

/// Where the used part of an arena with one chunk ends, which is where the sub-buffer that was taken last does.
fn used_end(arena: &SyncBump) -> usize {
    let mut end = 0;
    let walked = arena.walk(&mut |step| {
        if let Step::Block(Block { address, size, state: BlockState::Used }) = step {
            end = address + size;
        }
        ControlFlow::Continue(())
    });
    assert_eq!(walked, Walked::Complete);
    end
}

#[test]
fn a_block_that_nearly_ends_its_sub_buffer_may_be_freed_by_another_thread() {
    for slack in 0..40 {
        let arena = SyncBump::new();
        let address = |block: std::ptr::NonNull<u8>| block.addr().get();
        // Until the sub-buffer has the room for a block that would bypass it if it were asked for at once.
        let next = (0..100_000)
            .map(|_| address(arena.allocate(layout(1, 1)).expect("memory")) + 1)
            .find(|next| used_end(&arena) - next > 9000)
            .expect("sub-buffers grow");
        let end = used_end(&arena);
        let block = arena.allocate(layout(8000, 1)).expect("memory");
        assert_eq!(address(block), next);
        let size = end - slack - next;
        // SAFETY: a live block with its layout; the size rises.
        let block = unsafe { arena.grow(block, layout(8000, 1), layout(size, 1)) }.expect("memory");
        assert_eq!(address(block), next, "it grows in its sub-buffer");
        let block = block.as_ptr().expose_provenance();
        let theirs = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let block = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(block)).unwrap();
                // SAFETY: the block was handed to this thread, with its layout.
                unsafe { arena.deallocate(block, layout(size, 1)) };
                work(&arena, 1, 200)
            });
            other.join().unwrap()
        });
        assert_eq!(arena.check(), Ok(()));
        let mut blocks = theirs;
        for _ in 0..50 {
            blocks.push((address(arena.allocate(layout(1, 1)).expect("memory")), 1));
        }
        assert_apart(blocks);
    }
}

#[test]
fn the_last_block_of_a_thread_is_resized_in_place() {
    let arena = SyncBump::new();
    for (size, large) in [(100, 200), (20_000, 1 << 20)] {
        let block = arena.allocate(layout(size, 8)).expect("memory");
        // SAFETY: a live block with its layout; the size rises.
        let grown = unsafe { arena.grow(block, layout(size, 8), layout(large, 8)) }.expect("memory");
        assert_eq!(grown, block);
        // SAFETY: a live block with its layout; the size falls.
        let shrunk = unsafe { arena.shrink(block, layout(large, 8), layout(size, 8)) }.expect("never fails");
        assert_eq!(shrunk, block);
        // SAFETY: a live block with its layout.
        unsafe { arena.deallocate(block, layout(size, 8)) };
        assert_eq!(arena.allocate(layout(size, 8)), Ok(block), "what was freed last is handed out next");
    }
}

#[test]
fn a_limit_holds_for_all_threads_together() {
    const LIMIT: usize = 1 << 20;
    let arena = SyncBump::new();
    arena.set_limit(Some(LIMIT));
    assert_eq!(arena.limit(), Some(LIMIT));
    let taken: usize = thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                let mut blocks = 0;
                while arena.try_alloc([1_u8; 64]).is_ok() {
                    blocks += 1;
                    assert!(blocks <= LIMIT / 64, "the limit is not kept");
                }
                blocks
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(taken * 64 <= LIMIT && taken * 64 > LIMIT - LIMIT / 8, "{taken} blocks");
    arena.set_limit(None);
    assert!(arena.try_alloc([1_u8; 64]).is_ok());
}

#[test]
fn large_zeroed_blocks_are_zero() {
    let mut arena = SyncBump::new();
    for _ in 0..3 {
        for size in [100, 8191, 8192, 100_000, 3 << 20] {
            let block = arena.allocate_zeroed(layout(size, 8)).expect("memory");
            // SAFETY: a live block of so many bytes, all zero.
            let bytes = unsafe { std::ptr::NonNull::slice_from_raw_parts(block, size).as_mut() };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(0xff);
        }
        arena.reset();
    }
}

#[test]
fn every_span_goes_back() {
    let source = Counting::new(SystemBackend);
    let arena = SyncBump::new_in(&source);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    arena.alloc([0_u64; 4]);
                }
            });
        }
    });
    assert!(source.counts().allocations > 0);
    drop(arena);
    assert_eq!(source.counts().allocations, source.counts().releases);
}
