//! The table of owners, and three tables that know less.

use alloc_core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use crate::real::owners::{Mark, Owners};

trait Table: Send + Sync + 'static {
    fn make() -> Self;
    /// Notes an event; whether the last one at the address was the thread's own too.
    fn touch(&self, address: usize, thread: u32) -> bool;
    /// Likewise, for a free.
    fn freed(&self, address: usize, thread: u32) -> bool {
        self.touch(address, thread)
    }
}

impl Table for Owners {
    fn make() -> Self {
        Self::new()
    }

    fn touch(&self, address: usize, thread: u32) -> bool {
        self.touch(address, Mark::of(thread))
    }
}

/// Told of allocations alone: who gave the place back since is not seen.
struct Deaf(Owners);

impl Table for Deaf {
    fn make() -> Self {
        Self(Owners::new())
    }

    fn touch(&self, address: usize, thread: u32) -> bool {
        self.0.touch(address, Mark::of(thread))
    }

    fn freed(&self, _: usize, _: u32) -> bool {
        false
    }
}

/// Without the address: another block's owner is taken for this one's.
struct Threads(AtomicU64);

impl Table for Threads {
    fn make() -> Self {
        Self(AtomicU64::new(0))
    }

    fn touch(&self, _: usize, thread: u32) -> bool {
        let own = self.0.load(Ordering::Relaxed) == u64::from(thread);
        self.0.store(thread.into(), Ordering::Relaxed);
        own
    }
}

/// A table for each thread, with a word for each address: what others did at the address since is not seen.
struct Private([AtomicUsize; 4]);

impl Table for Private {
    fn make() -> Self {
        Self([0; 4].map(AtomicUsize::new))
    }

    fn touch(&self, address: usize, thread: u32) -> bool {
        let word = &self.0[usize::from(address == SHARED) + 2 * usize::from(thread == MINE)];
        let own = word.load(Ordering::Relaxed) == address;
        word.store(address, Ordering::Relaxed);
        own
    }
}

const SHARED: usize = 0x100;
const OTHER: usize = 0x900;
const MINE: u32 = 1;
const THEIRS: u32 = 2;

/// A block goes from one thread to another by way of the program, and its place comes back by way of the heap. Meanwhile each
/// has events at an address of its own, whose word is in the same place; with `before`, the other one before it as well.
fn goes_there_and_back<T: Table>(before: bool) {
    let shared = Arc::new((T::make(), AtomicUsize::new(0)));
    shared.0.touch(SHARED, MINE);
    // From here on the other thread may have it.
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            if before {
                shared.0.touch(OTHER, THEIRS);
            }
            assert!(!shared.0.freed(SHARED, THEIRS), "taken for its own, and another's");
            shared.1.store(SHARED, Ordering::Release);
            shared.0.touch(OTHER + 0x100, THEIRS);
        })
    };
    let here = shared.1.load(Ordering::Acquire);
    if here == 0 {
        shared.0.touch(OTHER, MINE);
    } else {
        assert!(!shared.0.touch(here, MINE), "taken for its own, and another's");
    }
    other.join().unwrap();
}

/// What it is for: a thread that has a place to itself is told so.
pub(crate) fn own_places_are_known() {
    let table = Owners::new();
    let answers = [0; 4].map(|_| table.touch(SHARED, Mark::of(MINE)));
    assert_eq!(answers, [false, true, true, true]);
    assert_eq!([OTHER, SHARED].map(|address| table.touch(address, Mark::of(MINE))), [false, false]);
}

pub(crate) fn by_the_table() {
    goes_there_and_back::<Owners>(false);
}

pub(crate) fn by_the_table_between_others() {
    goes_there_and_back::<Owners>(true);
}

pub(crate) fn by_allocations_alone() {
    goes_there_and_back::<Deaf>(false);
}

pub(crate) fn by_threads_alone() {
    goes_there_and_back::<Threads>(true);
}

pub(crate) fn by_each_for_itself() {
    goes_there_and_back::<Private>(false);
}
