//! A lock that knows which thread holds it.
//!
//! A signal handler that allocates while its own thread is inside of the heap would wait for itself, and so would an
//! atfork handler that runs after the heap was locked for the fork. This lock tells both that they are inside already.
//!
//! The word is 0, or the holder's number shifted up by one, with the lowest bit set while others may be waiting in the
//! kernel: Ulrich Drepper's third mutex (*Futexes Are Tricky*), with the holder where that has the constant 1.

use super::park::{DefaultPark, Park};
use crate::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const AWAITED: u32 = 1;

/// What an attempt to take the lock came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It was taken, and is to be released.
    Now,
    /// The calling thread had it before.
    Before,
}

/// A lock in four bytes. Not fair. Keeps `errno`, and may be taken in signal handlers.
#[derive(Debug)]
pub struct OwnerLock {
    state: AtomicU32,
    park: DefaultPark,
}

/// The calling thread's number: where its control block lies, which is aligned to 64 bytes. Two threads whose blocks are a
/// multiple of 128 GiB apart have the same one; each then believes to hold what the other holds, which callers must bear
/// (none touches the heap on the strength of that).
fn me() -> u32 {
    // SAFETY: may be called from any thread at any time.
    let thread = unsafe { libc::pthread_self() };
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what differs")]
    let number = (thread >> 6) as u32;
    match number << 1 {
        0 => 2,
        number => number,
    }
}

impl Default for OwnerLock {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnerLock {
    /// A lock that nobody holds.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AtomicU32::new(FREE), park: DefaultPark {} }
    }

    /// Takes the lock, waiting for it where another thread has it.
    #[inline]
    pub fn acquire(&self) -> Acquired {
        let me = me();
        // Acquire: what the last holder wrote before its release is seen. Relaxed on failure: nothing is read under it.
        match self.state.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Acquired::Now,
            Err(held) if held & !AWAITED == me => Acquired::Before,
            Err(_) => self.wait(me),
        }
    }

    /// Takes the lock if nobody has it. `None` where another thread does.
    #[inline]
    pub fn try_acquire(&self) -> Option<Acquired> {
        let me = me();
        // As in `acquire`.
        match self.state.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(Acquired::Now),
            Err(held) if held & !AWAITED == me => Some(Acquired::Before),
            Err(_) => None,
        }
    }

    /// Whether the calling thread has the lock.
    pub fn is_mine(&self) -> bool {
        // Relaxed: only this thread makes it so, and ends it.
        self.state.load(Ordering::Relaxed) & !AWAITED == me()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, me: u32) -> Acquired {
        for _ in 0..DefaultPark::SPINS {
            core::hint::spin_loop();
            // Relaxed: a guess; the exchange decides.
            if self.state.load(Ordering::Relaxed) == FREE
                // As in `acquire`.
                && self.state.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Acquired::Now;
            }
        }
        loop {
            // Relaxed: as above.
            let held = self.state.load(Ordering::Relaxed);
            let (wanted, order) = if held == FREE {
                // Marked, since others may still be waiting. Acquire, as in `acquire`.
                (me | AWAITED, Ordering::Acquire)
            } else {
                // Relaxed: the mark alone is shared; the kernel compares it again before it lets us sleep.
                (held | AWAITED, Ordering::Relaxed)
            };
            if self.state.compare_exchange(held, wanted, order, Ordering::Relaxed).is_ok() {
                if held == FREE {
                    return Acquired::Now;
                }
                self.park.wait(&self.state, wanted);
            }
        }
    }

    /// Gives the lock back and wakes one waiter.
    ///
    /// # Safety
    /// The calling thread holds the lock, by an answer of [`Acquired::Now`].
    #[inline]
    pub unsafe fn release(&self) {
        let word = &raw const self.state;
        // Release: what we wrote is seen by the next holder's Acquire.
        if self.state.swap(FREE, Ordering::Release) & AWAITED != 0 {
            self.park.wake_one(word);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::cell::UnsafeCell;
    use std::sync::Arc;
    use std::vec::Vec;

    struct Counter {
        lock: OwnerLock,
        count: UnsafeCell<u64>,
    }

    // SAFETY: the count is touched with the lock held alone.
    unsafe impl Sync for Counter {}

    #[test]
    fn one_thread_at_a_time() {
        const EACH: u64 = 20_000;
        let counter = Arc::new(Counter { lock: OwnerLock::new(), count: UnsafeCell::new(0) });
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    for _ in 0..EACH {
                        assert_eq!(counter.lock.acquire(), Acquired::Now);
                        // SAFETY: the lock is held.
                        unsafe { *counter.count.get() += 1 };
                        // SAFETY: taken above.
                        unsafe { counter.lock.release() };
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(counter.lock.acquire(), Acquired::Now);
        // SAFETY: the lock is held.
        assert_eq!(unsafe { *counter.count.get() }, 4 * EACH);
    }

    #[test]
    fn the_holder_is_told_and_others_wait() {
        let lock = OwnerLock::new();
        assert_eq!(lock.acquire(), Acquired::Now);
        assert_eq!(lock.acquire(), Acquired::Before);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                assert_eq!(lock.acquire(), Acquired::Now);
                // SAFETY: taken just now.
                unsafe { lock.release() };
            });
            // Until it sleeps, or has at least marked the lock.
            while lock.state.load(Ordering::Relaxed) & AWAITED == 0 {
                std::thread::yield_now();
            }
            assert_eq!(lock.acquire(), Acquired::Before, "the mark does not hide the holder");
            // SAFETY: taken above.
            unsafe { lock.release() };
            other.join().unwrap();
        });
        assert_eq!(lock.state.load(Ordering::Relaxed), FREE);
    }
}
