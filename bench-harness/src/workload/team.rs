//! A team of threads that starts together and is timed to the end of its last member.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What a team did.
pub(super) struct Shared {
    /// From the moment the first member was let go to the end of the last.
    pub(super) elapsed: Duration,
    /// Sum of what the units returned.
    pub(super) sum: u64,
}

/// Does `units` units of work, numbered from 0, on `threads` threads. Thread t does units t, t + threads and so on: the
/// division is fixed, so that a thread's memory has the same history in every round.
pub(super) fn share(threads: usize, units: usize, work: impl Fn(usize) -> u64 + Sync) -> Shared {
    run(threads, |member| {
        (member..units).step_by(threads).fold(0_u64, |sum, unit| sum.wrapping_add(work(unit)))
    })
}

/// Calls `work` once on each of `threads` threads with the thread's number; the calling thread is number 0.
pub(super) fn run(threads: usize, work: impl Fn(usize) -> u64 + Sync) -> Shared {
    run_then(threads, |member| (work(member), ()), |()| 0)
}

/// Like [`run`], and then calls `after` on each thread with what `work` left there, untimed. `after` may add to the sum.
pub(super) fn run_then<T>(
    threads: usize,
    work: impl Fn(usize) -> (u64, T) + Sync,
    after: impl Fn(T) -> u64 + Sync,
) -> Shared {
    let gate = Gate::new(threads);
    let member = |number: usize| -> Option<Member> {
        if !gate.pass() {
            return None;
        }
        let start = Instant::now();
        let (sum, left) = work(number);
        let end = Instant::now();
        Some(Member { start, end, sum: sum.wrapping_add(after(left)) })
    };
    let members = thread::scope(|scope| {
        let mut others = Vec::with_capacity(threads - 1);
        for number in 1..threads {
            let member = &member;
            match thread::Builder::new().spawn_scoped(scope, move || member(number)) {
                Ok(other) => others.push(other),
                Err(error) => {
                    gate.cancel();
                    panic!("cannot start thread {number} of {threads}: {error}");
                }
            }
        }
        let mut members = vec![member(0)];
        for other in others {
            members.push(other.join().expect("a thread of the workload panicked"));
        }
        members
    });
    Member::together(members.into_iter().flatten())
}

/// One thread's part.
struct Member {
    start: Instant,
    end: Instant,
    sum: u64,
}

impl Member {
    fn together(members: impl Iterator<Item = Member>) -> Shared {
        let all = members
            .reduce(|one, two| Member {
                start: one.start.min(two.start),
                end: one.end.max(two.end),
                sum: one.sum.wrapping_add(two.sum),
            })
            .expect("a team has at least one member");
        Shared { elapsed: all.end - all.start, sum: all.sum }
    }
}

/// Lets a number of threads pass at once, when all have come; or, when one could not be started, sends them home.
struct Gate {
    awaited: Mutex<Option<usize>>,
    opened: Condvar,
}

impl Gate {
    fn new(threads: usize) -> Gate {
        Gate { awaited: Mutex::new(Some(threads)), opened: Condvar::new() }
    }

    /// Waits for the others. False when the gate was cancelled.
    fn pass(&self) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = &mut *awaited {
            *threads -= 1;
            if *threads == 0 {
                self.opened.notify_all();
            }
        }
        while awaited.is_some_and(|threads| threads > 0) {
            awaited = self.opened.wait(awaited).unwrap_or_else(PoisonError::into_inner);
        }
        awaited.is_some()
    }

    fn cancel(&self) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.opened.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_unit_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 8, 40] {
            let done: Vec<AtomicUsize> = (0..33).map(|_| AtomicUsize::new(0)).collect();
            let shared = share(threads, done.len(), |unit| {
                done[unit].fetch_add(1, Ordering::Relaxed);
                unit as u64
            });
            assert_eq!(shared.sum, (0..33).sum::<u64>());
            assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn what_comes_after_is_summed_but_not_timed() {
        let pause = Duration::from_millis(20);
        let began = Instant::now();
        let shared = run_then(
            2,
            |member| (member as u64, member as u64),
            |left| {
                thread::sleep(pause);
                left * 10
            },
        );
        assert_eq!(shared.sum, 11);
        // The last member's pause came after its end, however late that was.
        assert!(began.elapsed() >= shared.elapsed + pause);
    }

    #[test]
    fn a_cancelled_gate_sends_every_thread_home() {
        let gate = Gate::new(3);
        thread::scope(|scope| {
            let early = scope.spawn(|| gate.pass());
            gate.cancel();
            assert!(!gate.pass());
            assert!(!early.join().expect("no panic"));
        });
    }
}
