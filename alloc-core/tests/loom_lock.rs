//! The raw lock in all interleavings that loom can tell apart. Run by `ci/loom.sh`.
//!
//! The kernel's futex is modelled by a mutex and a condition variable of loom. Two broken models stand beside the right
//! one, and must be found out: they show that the test can fail.

#![cfg(alloc_loom)]

use std::process::Command;

use alloc_core::sync::atomic::{AtomicU32, Ordering};
use alloc_core::sync::{Mutex as AllocMutex, Park, RawLock};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// A futex. `RECHECKS`: a wait compares the word under the same lock that wakes take. `WAKES`: a wake wakes.
///
/// `SPINS` is 0 where waiting is the matter: to loom a spin is a promise that others will run first, so that a spinner
/// of two threads never comes to wait.
struct Model<const SPINS: u32, const RECHECKS: bool, const WAKES: bool> {
    bucket: Mutex<()>,
    waiters: Condvar,
}

type Futex = Model<0, true, true>;
type SpinningFutex = Model<1, true, true>;
type WaitsBlindly = Model<0, false, true>;
type WakesNobody = Model<0, true, false>;

impl<const SPINS: u32, const RECHECKS: bool, const WAKES: bool> Model<SPINS, RECHECKS, WAKES> {
    fn new() -> Self {
        Self { bucket: Mutex::new(()), waiters: Condvar::new() }
    }
}

impl<const SPINS: u32, const RECHECKS: bool, const WAKES: bool> Park for Model<SPINS, RECHECKS, WAKES> {
    const SPINS: u32 = SPINS;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        let bucket = self.bucket.lock().unwrap();
        if !RECHECKS || word.load(Ordering::Relaxed) == expected {
            drop(self.waiters.wait(bucket).unwrap());
        }
    }

    fn wake_one(&self, _word: *const AtomicU32) {
        if WAKES {
            let _bucket = self.bucket.lock().unwrap();
            self.waiters.notify_one();
        }
    }
}

/// A count in a cell that loom watches for unordered access.
struct Shared<P: Park> {
    lock: RawLock<P>,
    count: UnsafeCell<usize>,
}

// SAFETY: the cell is used under the lock alone, which is what is tested.
unsafe impl<P: Park> Sync for Shared<P> {}
// SAFETY: as above.
unsafe impl<P: Park> Send for Shared<P> {}

impl<P: Park> Shared<P> {
    fn new(park: P) -> Arc<Self> {
        Arc::new(Self { lock: RawLock::with_park(park), count: UnsafeCell::new(0) })
    }

    fn add(&self) {
        self.lock.lock();
        self.add_locked();
    }

    fn try_add(&self) -> bool {
        let locked = self.lock.try_lock();
        if locked {
            self.add_locked();
        }
        locked
    }

    fn add_locked(&self) {
        // SAFETY: the lock is held.
        self.count.with_mut(|count| unsafe { *count += 1 });
        // SAFETY: the lock is held, by us.
        unsafe { self.lock.unlock() };
    }

    fn count(&self) -> usize {
        self.lock.lock();
        // SAFETY: the lock is held.
        let count = self.count.with(|count| unsafe { *count });
        // SAFETY: the lock is held, by us.
        unsafe { self.lock.unlock() };
        count
    }
}

/// `others` threads and this one each lock `rounds` times.
fn contend<P: Park + 'static>(park: fn() -> P, others: usize, rounds: usize) {
    let shared = Shared::new(park());
    let threads: Vec<_> = (0..others)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || (0..rounds).for_each(|_| shared.add()))
        })
        .collect();
    (0..rounds).for_each(|_| shared.add());
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(shared.count(), (others + 1) * rounds);
}

fn explore(preemptions: Option<usize>, work: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(work);
}

#[test]
fn two_threads_exclude_and_wake_each_other() {
    explore(None, || contend(Futex::new, 1, 2));
}

#[test]
fn three_threads_exclude_and_wake_each_other() {
    // A waiter behind a waiter: the state in which a woken thread must leave the mark for the next.
    explore(Some(3), || contend(Futex::new, 2, 1));
}

#[test]
fn spinning_before_the_wait_changes_nothing() {
    explore(None, || contend(SpinningFutex::new, 1, 2));
    explore(Some(2), || contend(SpinningFutex::new, 2, 1));
}

#[test]
fn a_try_excludes_too_and_never_waits() {
    explore(None, || {
        let shared = Shared::new(Futex::new());
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || usize::from(shared.try_add()))
        };
        shared.add();
        let tried = other.join().unwrap();
        assert_eq!(shared.count(), 1 + tried);
    });
}

#[test]
fn the_mutex_hands_its_value_over() {
    explore(Some(3), || {
        let mutex = Arc::new(AllocMutex::new(0));
        let other = {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || *mutex.lock() += 1)
        };
        *mutex.lock() += 1;
        other.join().unwrap();
        assert_eq!(*mutex.lock(), 2);
    });
}

const BROKEN: &str = "ALLOC_CORE_TEST_LOOM";

/// Not a test of its own: what the child processes below run. Loom's objects panic again while a failed model unwinds.
#[test]
fn broken() {
    match std::env::var(BROKEN).as_deref() {
        Err(_) => {}
        Ok("control") => explore(Some(3), || contend(Futex::new, 1, 1)),
        Ok("wakes nobody") => explore(Some(3), || contend(WakesNobody::new, 1, 1)),
        Ok("waits blindly") => explore(Some(3), || contend(WaitsBlindly::new, 1, 1)),
        Ok(other) => panic!("no model {other}"),
    }
}

/// Whether a model passes, and what it says.
fn run(model: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "broken", "--nocapture", "--test-threads=1"])
        .env(BROKEN, model)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn broken_models_are_found_out() {
    let (passes, said) = run("control");
    assert!(passes, "{said}");
    for model in ["wakes nobody", "waits blindly"] {
        let (passes, said) = run(model);
        assert!(!passes, "the model that {model} passed");
        assert!(said.contains("deadlock"), "the model that {model} failed otherwise:\n{said}");
    }
}
