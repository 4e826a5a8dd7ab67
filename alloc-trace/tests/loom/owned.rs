//! Times that go with the table of owners are in order, and those that go with tables that know less are not.

use alloc_core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use crate::real::owners::{Mark, Owners, Stamp};

/// The processor's time: who reads it later finds more.
struct Clock(AtomicUsize);

impl Clock {
    fn read(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) as u64
    }
}

trait Table: Send + Sync + 'static {
    fn make() -> Self;
    fn is_own(&self, address: usize, thread: u32) -> bool;
    fn stamp(&self, address: usize, thread: u32, ticks: impl FnOnce() -> u64) -> Stamp;
}

impl Table for Owners {
    fn make() -> Self {
        Self::new()
    }

    fn is_own(&self, address: usize, thread: u32) -> bool {
        self.is_own(address, Mark::of(thread))
    }

    fn stamp(&self, address: usize, thread: u32, ticks: impl FnOnce() -> u64) -> Stamp {
        self.stamp(address, Mark::of(thread), ticks)
    }
}

/// Goes on with the time that was read before the mark was put there.
struct Hasty(Owners);

impl Table for Hasty {
    fn make() -> Self {
        Self(Owners::new())
    }

    fn is_own(&self, address: usize, thread: u32) -> bool {
        self.0.is_own(address, Mark::of(thread))
    }

    fn stamp(&self, address: usize, thread: u32, ticks: impl FnOnce() -> u64) -> Stamp {
        Stamp { may_be_shared: true, ..self.0.stamp(address, Mark::of(thread), ticks) }
    }
}

/// Reads the time when the mark is there.
struct Late(AtomicU32);

impl Table for Late {
    fn make() -> Self {
        Self(AtomicU32::new(0))
    }

    fn is_own(&self, _: usize, thread: u32) -> bool {
        self.0.load(Ordering::Relaxed) == thread
    }

    fn stamp(&self, address: usize, thread: u32, ticks: impl FnOnce() -> u64) -> Stamp {
        let may_be_shared = self.is_own(address, thread);
        if !may_be_shared {
            self.0.swap(thread, Ordering::AcqRel);
        }
        Stamp { ticks: ticks(), may_be_shared }
    }
}

/// A table for each thread: what others did since is not seen.
struct Private([AtomicU32; 3]);

impl Table for Private {
    fn make() -> Self {
        Self([0; 3].map(AtomicU32::new))
    }

    fn is_own(&self, _: usize, thread: u32) -> bool {
        self.0[thread as usize - 1].load(Ordering::Relaxed) == thread
    }

    fn stamp(&self, address: usize, thread: u32, ticks: impl FnOnce() -> u64) -> Stamp {
        let ticks = ticks();
        let may_be_shared = self.is_own(address, thread);
        self.0[thread as usize - 1].store(thread, Ordering::Relaxed);
        Stamp { ticks, may_be_shared }
    }
}

const SHARED: usize = 0x10_0100;
const OTHER: usize = 0x90_0900;
const MINE: u32 = 1;
const THEIRS: u32 = 2;
const THIRD: u32 = 3;

/// A thread, as an exact trace knows it.
struct Teller<T> {
    all: Arc<(T, Clock, AtomicUsize)>,
    thread: u32,
    last: Option<u64>,
}

impl<T: Table> Teller<T> {
    /// The time of an event.
    fn tell(&mut self, address: usize) -> u64 {
        let (table, clock, _) = &*self.all;
        if let Some(last) = self.last
            && table.is_own(address, self.thread)
        {
            return last;
        }
        let stamp = table.stamp(address, self.thread, || clock.read());
        self.last = stamp.may_be_shared.then_some(stamp.ticks);
        stamp.ticks
    }
}

/// A block goes from one thread to another, and its place comes back by way of the heap. Each has events before and
/// after it that may share a time with it, at addresses of its own whose word is in the same place.
fn goes_there_and_back<T: Table>(before: usize) {
    let all = Arc::new((T::make(), Clock(AtomicUsize::new(1)), AtomicUsize::new(0)));
    let mut mine = Teller { all: Arc::clone(&all), thread: MINE, last: None };
    let first = mine.tell(SHARED);
    // A third one was there in between, at an address of its own.
    all.0.stamp(OTHER + 0x200, THIRD, || all.1.read());
    // From here on the other thread may have it.
    let other = {
        let all = Arc::clone(&all);
        thread::spawn(move || {
            let mut theirs = Teller { all: Arc::clone(&all), thread: THEIRS, last: None };
            for _ in 0..before {
                theirs.tell(OTHER);
            }
            // The coarse clock has moved.
            theirs.last = None;
            let second = theirs.tell(SHARED);
            assert!(first < second, "before the event that came before it");
            all.2.store(second as usize, Ordering::Release);
        })
    };
    mine.tell(OTHER + 0x100);
    mine.tell(OTHER + 0x100);
    let second = all.2.load(Ordering::Acquire) as u64;
    if second != 0 {
        assert!(second < mine.tell(SHARED), "before the event that came before it");
    }
    other.join().unwrap();
}

/// What it is for: a thread that has a place to itself is told so.
pub(crate) fn own_places_are_known() {
    let table = Owners::new();
    let mine = Mark::of(MINE);
    assert!(!table.is_own(SHARED, mine));
    let stamps = [7, 8].map(|now| table.stamp(SHARED, mine, || now));
    assert_eq!(stamps.map(|stamp| (stamp.ticks, stamp.may_be_shared)), [(7, false), (8, true)]);
    // Of any address there, and nobody else's.
    assert!([SHARED, OTHER].iter().all(|&address| table.is_own(address, mine)));
    assert!(!table.is_own(SHARED, Mark::of(THEIRS)));
}

pub(crate) fn by_the_table() {
    goes_there_and_back::<Owners>(0);
}

pub(crate) fn by_the_table_between_others() {
    goes_there_and_back::<Owners>(1);
}

pub(crate) fn by_the_time_before_the_mark() {
    goes_there_and_back::<Hasty>(1);
}

pub(crate) fn by_the_time_behind_the_mark() {
    goes_there_and_back::<Late>(1);
}

pub(crate) fn by_each_for_itself() {
    goes_there_and_back::<Private>(1);
}
