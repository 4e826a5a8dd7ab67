//! The table of owners, and two tables that know less.

use alloc_core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use crate::real::owners::Owners;

trait Table: Send + Sync + 'static {
    fn make() -> Self;
    fn given(&self, address: usize, thread: u32);
    fn was_given_to(&self, address: usize, thread: u32) -> bool;
}

impl Table for Owners {
    fn make() -> Self {
        Self::new()
    }

    fn given(&self, address: usize, thread: u32) {
        self.given(address, thread);
    }

    fn was_given_to(&self, address: usize, thread: u32) -> bool {
        self.was_given_to(address, thread)
    }
}

/// Without the address: another block's owner is taken for this one's.
struct Threads(AtomicU64);

impl Table for Threads {
    fn make() -> Self {
        Self(AtomicU64::new(0))
    }

    fn given(&self, _: usize, thread: u32) {
        self.0.store(thread.into(), Ordering::Relaxed);
    }

    fn was_given_to(&self, _: usize, thread: u32) -> bool {
        self.0.load(Ordering::Relaxed) == u64::from(thread)
    }
}

/// A table for each thread, with a word for each address: who was given the address since is not seen.
struct Private([AtomicUsize; 4]);

impl Private {
    fn word(&self, address: usize, thread: u32) -> &AtomicUsize {
        &self.0[usize::from(address == SHARED) + 2 * usize::from(thread == MINE)]
    }
}

impl Table for Private {
    fn make() -> Self {
        Self([0; 4].map(AtomicUsize::new))
    }

    fn given(&self, address: usize, thread: u32) {
        self.word(address, thread).store(address, Ordering::Relaxed);
    }

    fn was_given_to(&self, address: usize, thread: u32) -> bool {
        self.word(address, thread).load(Ordering::Relaxed) == address
    }
}

const SHARED: usize = 0x100;
const OTHER: usize = 0x900;
const MINE: u32 = 1;
const THEIRS: u32 = 2;

/// A block goes from one thread to another, by way of the heap, and comes back as the other's, by way of the program.
/// Meanwhile each is given a block of its own, whose word is in the same place.
fn goes_there_and_back<T: Table>() {
    let shared = Arc::new((T::make(), AtomicUsize::new(0)));
    shared.0.given(SHARED, MINE);
    // Freed; from here on it is the heap's, and the other thread may be given it.
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            shared.0.given(SHARED, THEIRS);
            shared.1.store(SHARED, Ordering::Release);
            shared.0.given(OTHER + 0x100, THEIRS);
        })
    };
    let here = shared.1.load(Ordering::Acquire);
    shared.0.given(OTHER, MINE);
    if here != 0 {
        assert!(!shared.0.was_given_to(here, MINE), "taken for its own, and another's");
    }
    other.join().unwrap();
}

pub(crate) fn by_the_table() {
    goes_there_and_back::<Owners>();
}

pub(crate) fn by_threads_alone() {
    goes_there_and_back::<Threads>();
}

pub(crate) fn by_each_for_itself() {
    goes_there_and_back::<Private>();
}
