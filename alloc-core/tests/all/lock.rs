//! Locks under real threads. Their protocol is checked in all its interleavings by `loom_lock.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use alloc_core::sync::{CachePadded, DefaultPark, Mutex, Park, RankedMutex, RawLock, Spin};

const THREADS: usize = 8;
const ROUNDS: u64 = 5_000;

/// Counts with plain loads and stores under a lock: any failure to exclude loses counts.
fn counts_exactly<P: Park + Sync>(park: P) {
    struct Shared<P: Park>(RawLock<P>, std::cell::UnsafeCell<u64>);
    // SAFETY: the cell is used under the lock alone.
    unsafe impl<P: Park + Sync> Sync for Shared<P> {}
    impl<P: Park> Shared<P> {
        fn add(&self) {
            self.0.lock();
            // SAFETY: the lock is held.
            unsafe { *self.1.get() += 1 };
            // SAFETY: the lock is held, by us.
            unsafe { self.0.unlock() };
        }
    }

    let shared = Shared(RawLock::with_park(park), std::cell::UnsafeCell::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| shared.add()));
        }
    });
    assert_eq!(shared.1.into_inner(), THREADS as u64 * ROUNDS);
}

#[test]
fn the_default_excludes() {
    counts_exactly(DefaultPark {});
}

#[test]
fn spinning_excludes() {
    counts_exactly(Spin);
}

#[cfg(all(feature = "libc", unix))]
#[test]
fn yielding_excludes() {
    counts_exactly(alloc_core::sync::Yield);
}

/// A wait that returns at once: the lock may not rely on its waits.
#[test]
fn a_wait_may_return_for_no_reason() {
    struct Restless;
    impl Park for Restless {
        const SPINS: u32 = 0;
        fn wait(&self, _: &std::sync::atomic::AtomicU32, _: u32) {
            thread::yield_now();
        }
        fn wake_one(&self, _: *const std::sync::atomic::AtomicU32) {}
    }
    counts_exactly(Restless);
}

#[test]
fn a_mutex_guards_its_value_from_a_static() {
    static TOTAL: Mutex<u64> = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| *TOTAL.lock() += 1));
        }
    });
    assert_eq!(*TOTAL.lock(), THREADS as u64 * ROUNDS);
}

#[test]
fn try_lock_tells_whether_the_lock_is_held() {
    let mut mutex = Mutex::new(1);
    let guard = mutex.try_lock().expect("free");
    assert!(mutex.try_lock().is_none());
    assert_eq!(format!("{mutex:?}"), "Mutex { value: \"<locked>\" }".replace('"', ""));
    // A failed try must not have given the lock back.
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert_eq!(mutex.try_lock().as_deref(), Some(&1));
    *mutex.get_mut() = 2;
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 2 }");
    assert_eq!(mutex.into_inner(), 2);

    let lock = RawLock::new();
    assert!(!lock.is_locked() && lock.try_lock() && lock.is_locked() && !lock.try_lock());
    // SAFETY: locked above.
    unsafe { lock.unlock() };
    assert!(!lock.is_locked());
}

#[test]
fn waiters_get_the_lock_one_after_the_other() {
    // Every thread but one finds the lock taken and, having spun, waits; each hands it to the next.
    let mutex = Mutex::new(Vec::new());
    let held = mutex.lock();
    let started = CachePadded::new(AtomicBool::new(false));
    thread::scope(|scope| {
        for id in 0..THREADS {
            let (mutex, started) = (&mutex, &started);
            scope.spawn(move || {
                started.store(true, Ordering::Relaxed);
                let mut order = mutex.lock();
                order.push(id);
                // Long enough for the others to give up spinning.
                thread::sleep(std::time::Duration::from_millis(2));
            });
        }
        while !started.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(5));
        drop(held);
    });
    let mut order = mutex.into_inner();
    order.sort_unstable();
    assert_eq!(order, (0..THREADS).collect::<Vec<_>>());
}

#[cfg(all(feature = "libc", target_os = "linux"))]
mod in_a_process {
    use super::*;
    use crate::support::{errno, in_child, set_errno};
    use alloc_core::sync::Futex;

    #[test]
    fn waiting_and_waking_keep_errno() {
        use std::sync::atomic::AtomicU32;
        set_errno(77);
        // The kernel answers EAGAIN: the word is not what the waiter expects.
        Futex.wait(&AtomicU32::new(1), 2);
        assert_eq!(errno(), 77);
        // And EFAULT: nothing can wait at an address of its own.
        Futex.wake_one(std::ptr::without_provenance(usize::MAX & !3));
        assert_eq!(errno(), 77);
    }

    #[test]
    fn a_forked_child_frees_the_lock_of_a_thread_that_it_lacks() {
        let mutex = Mutex::new(5);
        let holds = AtomicBool::new(false);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _guard = mutex.lock();
                holds.store(true, Ordering::Release);
                while !done.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            });
            while !holds.load(Ordering::Acquire) {
                thread::yield_now();
            }
            in_child(|| {
                if mutex.try_lock().is_some() {
                    return false;
                }
                // SAFETY: the only thread of the child; the holder never changes the value; no guard exists here.
                unsafe { mutex.reset_after_fork() };
                *mutex.lock() == 5 && mutex.try_lock().is_some()
            });
            assert!(mutex.try_lock().is_none(), "the parent's lock is its own");
            done.store(true, Ordering::Release);
        });
        assert_eq!(*mutex.lock(), 5);
    }
}

#[test]
fn ranks_in_order_pass() {
    let (low, high) = (RankedMutex::<3, _>::new(1), RankedMutex::<63, _>::new(2));
    for _ in 0..2 {
        let first = low.lock();
        let second = high.try_lock().expect("free");
        assert_eq!(*first + *second, 3);
        // Given back in either order.
        drop(first);
        drop(second);
    }
    // Other threads have ranks of their own.
    let held = high.lock();
    thread::scope(|scope| drop(scope.spawn(|| *low.lock() += 1)));
    drop(held);
    assert_eq!(*low.lock(), 2);
    // A try that fails leaves no rank behind.
    let held = high.lock();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(high.try_lock().is_none());
            drop(low.lock());
        });
    });
    drop(held);
}

#[cfg(all(feature = "std", feature = "libc", debug_assertions))]
mod ranks_out_of_order {
    use super::*;
    use std::process::Command;

    const ROLE: &str = "ALLOC_CORE_TEST_RANKS";

    /// Not a test of its own: what the child processes below run.
    #[test]
    fn child() {
        let Ok(role) = std::env::var(ROLE) else { return };
        let (two, also_two, five) =
            (RankedMutex::<2, _>::new(()), RankedMutex::<2, _>::new(()), RankedMutex::<5, _>::new(()));
        // What is right must pass first.
        drop((two.lock(), five.lock()));
        match role.as_str() {
            "lower" => {
                let _five = five.lock();
                println!("at {:p}.", &raw const two);
                drop(two.lock());
            }
            "same" => {
                let _two = two.lock();
                println!("at {:p}.", &raw const also_two);
                drop(also_two.try_lock());
            }
            // A deadlock, were it not for the ranks.
            "itself" => {
                let _two = two.lock();
                println!("at {:p}.", &raw const two);
                drop(two.lock());
            }
            other => panic!("no role {other}"),
        }
        println!("survived");
    }

    fn stops(role: &str, ranks: &str) {
        use std::os::unix::process::ExitStatusExt;
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lock::ranks_out_of_order::child", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let address =
            said.split("at ").nth(1).and_then(|rest| rest.split('.').next()).expect("the child got there");
        assert!(!said.contains("survived"));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "strata: lock: lock order at {address}: a lock of the same or a higher rank is already held ({ranks})\n"
            )
        );
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    }

    #[test]
    fn a_lower_rank_stops_the_program() {
        stops("lower", "rank 2 wanted, rank 5 held");
    }

    #[test]
    fn the_same_rank_stops_the_program() {
        stops("same", "rank 2 wanted, rank 2 held");
    }

    #[test]
    fn locking_again_stops_the_program() {
        stops("itself", "rank 2 wanted, rank 2 held");
    }
}

/// Builds that do not check take locks in any order, and pay nothing for the ranks.
#[cfg(not(all(feature = "std", debug_assertions)))]
#[test]
fn unchecked_ranks_are_free() {
    let (low, high) = (RankedMutex::<3, _>::new(1_u32), RankedMutex::<4, _>::new(2));
    let held = high.lock();
    assert_eq!(*low.lock() + *held, 3);
    assert_eq!(size_of_val(&low), size_of::<Mutex<u32>>());
}

#[cfg(feature = "lock_api")]
#[test]
fn serves_lock_api() {
    static TOTAL: lock_api::Mutex<RawLock, u64> = lock_api::Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| *TOTAL.lock() += 1));
        }
    });
    let total = TOTAL.try_lock().expect("free");
    assert!(TOTAL.is_locked() && TOTAL.try_lock().is_none());
    assert_eq!(*total, THREADS as u64 * ROUNDS);
}
