//! A value behind a lock that no signal handler waits for on its own thread.
//!
//! A handler may allocate and free while it interrupts a thread that has the lock: POSIX forbids it, programs do it. It is told
//! that its thread is inside, and finds another way.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

use alloc_core::sync::{Acquired, OwnerLock};

use crate::errno::KeepErrno;

/// The value and its lock.
pub(crate) struct Owned<T> {
    lock: OwnerLock,
    /// Forks that the holder is between, one within the other: a handler may fork where its thread forks.
    forks: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached with the lock held alone, by one thread at a time.
unsafe impl<T: Send> Sync for Owned<T> {}

/// A tenth of a millisecond.
fn pause() -> core::ffi::c_int {
    let _errno = KeepErrno::new();
    let time = libc::timespec { tv_sec: 0, tv_nsec: 100_000 };
    // SAFETY: a time, and no place for what is left of it.
    unsafe { libc::nanosleep(&raw const time, core::ptr::null_mut()) }
}

/// The right to use the value. Given back when dropped.
pub(crate) struct Inside<'a, T>(&'a Owned<T>);

impl<T> Owned<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { lock: OwnerLock::new(), forks: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Takes the lock, waiting for other threads. `None` where the calling thread has it already: it was interrupted, or is
    /// about to fork.
    pub(crate) fn enter(&self) -> Option<Inside<'_, T>> {
        // Not `then_some`, which would make the guard, and drop it, in any case.
        (self.lock.acquire() == Acquired::Now).then(|| Inside(self))
    }

    /// Takes the lock if nobody has it, for those whose thread may have been interrupted with another lock in hand, which the
    /// holder of this one waits for.
    pub(crate) fn try_enter(&self) -> Option<Inside<'_, T>> {
        (self.lock.try_acquire() == Some(Acquired::Now)).then(|| Inside(self))
    }

    /// Holds the lock until [`after_fork`](Self::after_fork), so that the child finds the value whole. In a handler that
    /// interrupted the holder it does nothing: in both processes, the interrupted work is completed when the handler returns.
    pub(crate) fn before_fork(&self) {
        let acquired = self.lock.acquire();
        self.note_fork(acquired);
    }

    /// Likewise, where holders wait for other locks, as in [`try_enter`](Self::try_enter): waits for a few milliseconds, and then
    /// the child finds the lock taken for good.
    pub(crate) fn try_before_fork(&self) {
        for turn in 0..200 {
            match self.lock.try_acquire() {
                Some(acquired) => return self.note_fork(acquired),
                // SAFETY: may be called at any time.
                None if turn < 100 => unsafe { libc::sched_yield() },
                None => pause(),
            };
        }
    }

    fn note_fork(&self, acquired: Acquired) {
        // Relaxed, here and below: the lock's holder alone, and its handlers.
        if acquired == Acquired::Now || self.forks.load(Ordering::Relaxed) > 0 {
            self.forks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives the lock back, in the parent and in the child.
    ///
    /// # Safety
    /// The calling thread called one of the two above, once, or is its copy in the child.
    pub(crate) unsafe fn after_fork(&self) {
        if self.lock.is_mine()
            && self.forks.load(Ordering::Relaxed) > 0
            && self.forks.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // SAFETY: taken by the first `before_fork`, in this thread.
            unsafe { self.lock.release() };
        }
    }
}

impl<T> Deref for Inside<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held by this guard alone.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Inside<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        // SAFETY: taken by `enter`.
        unsafe { self.0.lock.release() };
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn who_is_inside_is_told_and_others_wait() {
        let value = Owned::new(0_u64);
        {
            let _inside = value.enter().unwrap();
            assert!(value.enter().is_none());
            // A handler's fork.
            value.before_fork();
            // SAFETY: called above.
            unsafe { value.after_fork() };
            assert!(value.enter().is_none());
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| *value.enter().unwrap() += 1));
            }
        });
        assert_eq!(*value.enter().unwrap(), 4000);
    }

    #[test]
    fn forks_within_a_fork_leave_it_locked() {
        let value = Owned::new(());
        value.before_fork();
        value.before_fork();
        // SAFETY: called above.
        unsafe { value.after_fork() };
        assert!(value.enter().is_none());
        // SAFETY: as above.
        unsafe { value.after_fork() };
        assert!(value.enter().is_some());
    }
}
