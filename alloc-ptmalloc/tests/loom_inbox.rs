//! The inbox under the model checker: every interleaving of two senders and an owner, and of two
//! senders to an arena that no thread owns, with the real lock. Run by `ci/loom.sh`.
#![cfg(alloc_loom)]

// The files under test, with loom's atomics; the crate itself is empty in model builds.
#[path = "../src/class.rs"]
#[allow(dead_code, reason = "the model needs a part of it")]
mod class;
#[path = "../src/inbox.rs"]
#[allow(dead_code, reason = "as above")]
mod inbox;
#[path = "../src/magazine.rs"]
#[allow(dead_code, reason = "as above")]
mod magazine;
#[path = "../src/size.rs"]
#[allow(dead_code, reason = "as above")]
mod size;

use std::ptr::{self, NonNull};

use alloc_core::sync::{Park, RawLock};
use inbox::Inbox;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use loom::thread;
use magazine::{Magazine, Node, Stack};

/// A block, and a cell that tells loom who writes and reads it: a race is a failure.
#[repr(C, align(16))]
struct Block {
    words: [usize; 4],
    contents: loom::cell::UnsafeCell<usize>,
}

/// A magazine of one block with the number `number`, written by the calling thread.
fn magazine(number: usize) -> Magazine {
    let block = Box::leak(Box::new(Block { words: [0; 4], contents: loom::cell::UnsafeCell::new(0) }));
    // SAFETY: only this thread has the block.
    block.contents.with_mut(|contents| unsafe { *contents = number });
    let mut magazine = Magazine::empty(4);
    // SAFETY: as above, and the block is large enough for a node.
    unsafe { magazine.push(NonNull::from(block).cast(), 1) };
    magazine
}

/// The sum of the numbers of a stack's blocks, each freed.
fn sum(mut stack: Stack) -> usize {
    let mut sum = 0;
    // SAFETY: what was taken is the taker's.
    while let Some(mut magazine) = unsafe { stack.pop() } {
        // SAFETY: as above.
        while let Some(block) = unsafe { magazine.pop() } {
            // SAFETY: made by `magazine`, and given back once.
            let block = unsafe { Box::from_raw(block.cast::<Block>().as_ptr()) };
            // SAFETY: the taker's alone.
            sum += block.contents.with(|contents| unsafe { *contents });
        }
    }
    sum
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new());
        let senders = [1, 2].map(|first| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                for number in [first, first * 10] {
                    // SAFETY: the magazine is this thread's.
                    unsafe { inbox.push(magazine(number), 64) };
                }
            })
        });
        let mut total = sum(inbox.take());
        for sender in senders {
            sender.join().expect("no panic");
        }
        total += sum(inbox.take());
        assert_eq!(total, 33);
        assert!(inbox.is_empty());
    });
}

/// Two takers, as when a sender helps: what one has the other has not.
#[test]
fn two_takers_share_without_overlap() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new());
        // SAFETY: the magazine is this thread's.
        unsafe { inbox.push(magazine(1), 64) };
        let helper = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                // SAFETY: as above.
                unsafe { inbox.push(magazine(2), 64) };
                sum(inbox.take())
            })
        };
        let mine = sum(inbox.take());
        let theirs = helper.join().expect("no panic");
        assert_eq!(mine + theirs + sum(inbox.take()), 3);
    });
}

/// An arena that no thread calls its own: an inbox, and what is behind the lock.
struct Abandoned {
    inbox: Inbox,
    lock: RawLock<Nobody>,
    /// The sum of the numbers that were put away.
    depot: loom::cell::UnsafeCell<usize>,
}

// SAFETY: the cell is used under the lock alone, which is what is tested.
unsafe impl Sync for Abandoned {}
// SAFETY: as above.
unsafe impl Send for Abandoned {}

/// Senders only ever try the lock: nobody waits for it.
struct Nobody;

impl Park for Nobody {
    const SPINS: u32 = 0;

    fn wait(&self, _: &AtomicU32, _: u32) {
        panic!("nobody waits");
    }

    fn wake_one(&self, _: *const AtomicU32) {
        panic!("nobody waits");
    }
}

impl Abandoned {
    fn new() -> Arc<Self> {
        let (lock, depot) = (RawLock::with_park(Nobody), loom::cell::UnsafeCell::new(0));
        Arc::new(Self { inbox: Inbox::new(), lock, depot })
    }

    fn drain(&self) -> bool {
        if !self.lock.try_lock() {
            return false;
        }
        let taken = sum(self.inbox.take());
        // SAFETY: the lock is held.
        self.depot.with_mut(|depot| unsafe { *depot += taken });
        // SAFETY: as above.
        unsafe { self.lock.unlock() };
        true
    }

    /// What two senders leave in the depot, when each hands one magazine over and then does as `help` says.
    fn two_senders(help: fn(&Self)) -> usize {
        let arena = Self::new();
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                // SAFETY: the magazine is this thread's.
                unsafe { arena.inbox.push(magazine(1), 64) };
                help(&arena);
            })
        };
        // SAFETY: the magazine is this thread's.
        unsafe { arena.inbox.push(magazine(2), 64) };
        help(&arena);
        other.join().expect("no panic");
        // So that a broken variant fails by what it leaves behind, not by a leak.
        let left = sum(arena.inbox.take());
        // SAFETY: the other thread is gone.
        arena.depot.with(|depot| unsafe { *depot }) + if left > 0 { 100 } else { 0 }
    }
}

/// What is handed over to an arena without threads is put away by one of those who bring it.
#[test]
fn nothing_is_left_to_nobody() {
    loom::model(|| assert_eq!(Abandoned::two_senders(|arena| arena.inbox.help(|| arena.drain())), 3));
}

/// One who drains and goes, though the other found the lock taken meanwhile.
#[test]
#[should_panic = "stranded"]
fn helping_without_a_second_look_is_found_out() {
    loom::model(|| {
        let sum = Abandoned::two_senders(|arena| {
            arena.drain();
        });
        assert!(sum == 3, "stranded");
    });
}

/// One who looks again, but with no fence between letting go of the lock and looking.
#[test]
#[should_panic = "stranded"]
fn helping_without_a_fence_is_found_out() {
    loom::model(|| {
        let sum = Abandoned::two_senders(|arena| while !arena.inbox.is_empty() && arena.drain() {});
        assert!(sum == 3, "stranded");
    });
}

/// An inbox whose owner looks and then clears: what comes in between is lost. The model must see that.
#[test]
#[should_panic = "lost"]
fn a_take_in_two_steps_is_found_out() {
    loom::model(|| {
        let head = Arc::new(AtomicPtr::<Node>::new(ptr::null_mut()));
        let sender = {
            let head = Arc::clone(&head);
            thread::spawn(move || head.store(ptr::without_provenance_mut(16), Ordering::Release))
        };
        let first = head.load(Ordering::Acquire);
        head.store(ptr::null_mut(), Ordering::Relaxed);
        sender.join().expect("no panic");
        let second = head.load(Ordering::Acquire);
        assert!(!first.is_null() || !second.is_null(), "lost");
    });
}

/// An inbox that is pushed to without Release: the taker reads blocks that were not written yet, as far as it can know.
#[test]
#[should_panic = "Causality violation"]
fn a_push_without_release_is_found_out() {
    loom::model(|| {
        let head = Arc::new(AtomicPtr::<Node>::new(ptr::null_mut()));
        let sender = {
            let head = Arc::clone(&head);
            // SAFETY: the magazine is this thread's.
            thread::spawn(move || {
                head.store(unsafe { magazine::seal(magazine(5), ptr::null_mut()) }, Ordering::Relaxed)
            })
        };
        // SAFETY: a sealed magazine, or null.
        let taken = sum(unsafe { Stack::from_raw(head.swap(ptr::null_mut(), Ordering::Acquire)) });
        sender.join().expect("no panic");
        assert!(taken == 0 || taken == 5);
    });
}
