//! A process that forks while its other threads allocate: parent and child both go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use alloc_core::Inspect;
use alloc_ptmalloc::{Config, Era, Ptmalloc};

use crate::support::{give, take};

/// Allocates and frees in all ways that take a lock; whether everything was served.
fn work(heap: &Ptmalloc, turns: usize) {
    let mut held = Vec::new();
    for turn in 0..turns {
        let size = match turn % 5 {
            0 => 24,
            1 => 900,
            2 => 20_000,
            3 => 100_000,
            _ => 700_000,
        };
        held.push((take(heap, size), size));
        if held.len() > 20 {
            let (block, size) = held.swap_remove(turn % held.len());
            give(heap, block, size);
        }
    }
    for (block, size) in held {
        give(heap, block, size);
    }
}

#[test]
fn parent_and_child_go_on() {
    const FORKS: usize = 40;
    let without_caches = Config { tcache_bytes: 0, ..Config::new(Era::Ours) };
    for config in
        [Config::new(Era::Classic), Config::new(Era::Modern), Config::new(Era::Ours), without_caches]
    {
        let heap = Ptmalloc::new(config);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        work(&heap, 50);
                    }
                });
            }
            work(&heap, 10);
            for _ in 0..FORKS {
                // SAFETY: the child calls nothing but the heap under test and `_exit`, and `alarm` bounds it.
                let child = unsafe { libc::fork() };
                assert!(child >= 0, "fork failed");
                if child == 0 {
                    // SAFETY: no condition; ends a child that hangs.
                    unsafe { libc::alarm(20) };
                    work(&heap, 100);
                    let _ = heap.stats();
                    let _ = heap.trim(0);
                    // SAFETY: ends the child without running what belongs to the parent.
                    unsafe { libc::_exit(0) };
                }
                let mut status = 0;
                // SAFETY: our child, and a place for its status.
                let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
                assert_eq!((waited, status), (child, 0), "{config:?}: the child did not end well");
                work(&heap, 10);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(heap.stats().live_blocks.get(), Some(0));
    }
}
