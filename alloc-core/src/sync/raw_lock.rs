//! A lock in four bytes.
//!
//! Three states, after the second mutex of Ulrich Drepper's *Futexes Are Tricky*:
//!
//! ```text
//!            lock                 another locker gives up spinning
//!   FREE ------------> LOCKED ------------------------------------> CONTENDED
//!    ^                    |                                             |
//!    +------ unlock ------+                                             |
//!    +------ unlock, then wake one waiter ------------------------------+
//! ```
//!
//! A thread that has waited takes the lock as CONTENDED, since it cannot know whether others still wait; the price is
//! at most one wake for nobody. An uncontended lock and unlock are one exchange each and never enter the kernel.

use core::fmt;

use super::park::{DefaultPark, Park};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::hint::spin_loop;

const FREE: u32 = 0;
const LOCKED: u32 = 1;
const CONTENDED: u32 = 2;

/// A lock without a value: spins a bounded number of times, then waits as `P` does. Not fair, not re-entrant.
///
/// It allocates nothing, keeps `errno`, and is free when all its bytes are zero.
pub struct RawLock<P: Park = DefaultPark> {
    state: AtomicU32,
    park: P,
}

#[cfg(not(alloc_loom))]
const _: () = assert!(size_of::<RawLock>() == 4);

impl<P: Park> fmt::Debug for RawLock<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawLock").field("locked", &self.is_locked()).finish_non_exhaustive()
    }
}

impl Default for RawLock {
    fn default() -> Self {
        Self::new()
    }
}

impl RawLock {
    const_unless_loom! {
        /// A free lock.
        #[must_use]
        pub const fn new() -> Self {
            Self { state: AtomicU32::new(FREE), park: DefaultPark {} }
        }
    }
}

impl<P: Park> RawLock<P> {
    const_unless_loom! {
        /// A free lock whose lockers wait as `park` does.
        #[must_use]
        pub const fn with_park(park: P) -> Self {
            Self { state: AtomicU32::new(FREE), park }
        }
    }

    /// Takes the lock if it is free now.
    #[inline]
    #[must_use]
    pub fn try_lock(&self) -> bool {
        // Acquire: what the last holder wrote before its unlock is seen. Relaxed on failure: nothing is read under it.
        self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock, waiting for it where needed.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_contended();
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        if self.spin() == FREE && self.try_lock() {
            return;
        }
        // Acquire, as in `try_lock`. An exchange, not a store after a look: the holder may unlock in between, and must
        // find the mark or leave the lock to us.
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            self.park.wait(&self.state, CONTENDED);
            self.spin();
        }
    }

    /// Looks at the lock for a while, and returns at once where that is hopeless: others wait already.
    fn spin(&self) -> u32 {
        let mut left = P::SPINS;
        loop {
            // Relaxed: a guess; the exchange that follows decides.
            let seen = self.state.load(Ordering::Relaxed);
            if seen != LOCKED || left == 0 {
                return seen;
            }
            left -= 1;
            spin_loop();
        }
    }

    /// Gives the lock back and wakes one waiter.
    ///
    /// # Safety
    /// The lock is held, and its holder calls this or has handed that right over.
    #[inline]
    pub unsafe fn unlock(&self) {
        let word = &raw const self.state;
        // Release: what the holder wrote is seen by the next one's Acquire.
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            self.park.wake_one(word);
        }
    }

    /// Whether anybody holds the lock at this moment. For diagnostics: the answer is old when it arrives.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        // Relaxed: no memory is read on the strength of it.
        self.state.load(Ordering::Relaxed) != FREE
    }

    /// Makes the lock free in the child after `fork`, where whoever held or awaited it does not exist.
    ///
    /// # Safety
    /// The caller is the only thread of a forked child, and what the lock protects is whole: its holder was the thread
    /// that forked, or the caller repairs it.
    pub unsafe fn reset_after_fork(&self) {
        // Relaxed: there is no other thread, and a later one is started by a call that orders this before it.
        self.state.store(FREE, Ordering::Relaxed);
    }
}

// SAFETY: `lock` and a successful `try_lock` return with the lock held, and the exchange in `try_lock` and the one
// in `lock_contended` each leave FREE for at most one thread, so that the lock is exclusive.
#[cfg(all(feature = "lock_api", not(alloc_loom)))]
unsafe impl lock_api::RawMutex for RawLock {
    const INIT: Self = Self::new();

    // Any thread may unlock on behalf of the holder: the state does not name one.
    type GuardMarker = lock_api::GuardSend;

    #[inline]
    fn lock(&self) {
        Self::lock(self);
    }

    #[inline]
    fn try_lock(&self) -> bool {
        Self::try_lock(self)
    }

    #[inline]
    unsafe fn unlock(&self) {
        // SAFETY: the caller promises that the lock is held in this context.
        unsafe { Self::unlock(self) };
    }

    #[inline]
    fn is_locked(&self) -> bool {
        Self::is_locked(self)
    }
}
