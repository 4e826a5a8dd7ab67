//! Locks with a place in one order, so that no two threads can wait for each other.
//!
//! Every lock has a rank. A thread may lock a rank only above all those it holds, which is checked in debug builds with
//! the feature `std`, at the first wrong order on any run, not at the rare deadlock. Release builds do not look.
//! After jemalloc's `witness`.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::mutex::{Mutex, MutexGuard};

/// A [`Mutex`] of rank `RANK`, 0 to 63. Higher ranks are locked later.
pub struct RankedMutex<const RANK: u8, T: ?Sized>(Mutex<T>);

impl<const RANK: u8, T> RankedMutex<RANK, T> {
    const_unless_loom! {
        /// A free mutex around a value.
        #[must_use]
        pub const fn new(value: T) -> Self {
            const { assert!(RANK < 64, "lock ranks are 0 to 63") };
            Self(Mutex::new(value))
        }
    }
}

impl<const RANK: u8, T: ?Sized> RankedMutex<RANK, T> {
    /// Waits for the value. Stops the program where checked and the order is wrong, before it waits.
    #[inline]
    pub fn lock(&self) -> RankedMutexGuard<'_, T> {
        let held = Held::enter(RANK, (&raw const self.0).addr());
        RankedMutexGuard { value: self.0.lock(), _held: held, _thread: PhantomData }
    }

    /// The value, if it is free now. Stops the program where checked and the order is wrong, though this cannot
    /// deadlock by itself: the same place would when it waits.
    #[inline]
    pub fn try_lock(&self) -> Option<RankedMutexGuard<'_, T>> {
        let held = Held::enter(RANK, (&raw const self.0).addr());
        Some(RankedMutexGuard { value: self.0.try_lock()?, _held: held, _thread: PhantomData })
    }

    /// The value without the lock, which an exclusive borrow makes needless.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// The value's address, for whoever holds the lock without a guard.
    #[must_use]
    pub fn value(&self) -> *mut T {
        self.0.value()
    }

    /// Takes the lock and keeps it, as [`Mutex::hold`] does. Its rank is not entered among those that the thread holds: a
    /// process that is about to fork takes all locks, those of one rank in an order of its own.
    pub fn hold(&self) {
        self.0.hold();
    }

    /// Gives the lock back that [`hold`](Self::hold) took.
    ///
    /// # Safety
    /// As for [`Mutex::release`].
    pub unsafe fn release(&self) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.release() };
    }

    /// Makes the mutex free in the child after `fork`.
    ///
    /// # Safety
    /// As for [`Mutex::reset_after_fork`].
    pub unsafe fn reset_after_fork(&self) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.reset_after_fork() };
    }
}

impl<const RANK: u8, T: ?Sized + fmt::Debug> fmt::Debug for RankedMutex<RANK, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RankedMutex").field("rank", &RANK).field("mutex", &&self.0).finish()
    }
}

/// The right to use a [`RankedMutex`]'s value. Stays on its thread, whose ranks it is counted among.
#[must_use = "the lock is given back at once when its guard is not kept"]
#[derive(Debug)]
pub struct RankedMutexGuard<'a, T: ?Sized> {
    // Before `_held`: the lock is given back first, the rank after it.
    value: MutexGuard<'a, T>,
    _held: Held,
    _thread: PhantomData<*mut ()>,
}

impl<T: ?Sized> Deref for RankedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for RankedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(all(feature = "std", debug_assertions))]
use checked::Held;
#[cfg(not(all(feature = "std", debug_assertions)))]
use unchecked::Held;

#[cfg(all(feature = "std", debug_assertions))]
mod checked {
    use core::cell::Cell;

    use crate::misuse::{Misuse, abort};

    std::thread_local! {
        // One bit for each rank. Const and without a destructor, so that its first use does not allocate and its last
        // may come after the thread's own destructors.
        static RANKS: Cell<u64> = const { Cell::new(0) };
    }

    /// One rank among those that the thread holds.
    #[derive(Debug)]
    pub(super) struct Held(u8);

    impl Held {
        pub(super) fn enter(rank: u8, address: usize) -> Self {
            let ranks = RANKS.get();
            if ranks >> rank != 0 {
                stop(rank, 63 - ranks.leading_zeros(), address);
            }
            RANKS.set(ranks | 1 << rank);
            Self(rank)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            RANKS.set(RANKS.get() & !(1 << self.0));
        }
    }

    #[cold]
    fn stop(rank: u8, highest: u32, address: usize) -> ! {
        Misuse::LockOrder
            .line("lock", address)
            .text(" (rank ")
            .decimal(rank.into())
            .text(" wanted, rank ")
            .decimal(highest.into())
            .text(" held)")
            .emit();
        abort()
    }
}

#[cfg(not(all(feature = "std", debug_assertions)))]
mod unchecked {
    /// Nothing: this build does not count ranks.
    #[derive(Debug)]
    pub(super) struct Held;

    impl Held {
        #[inline]
        pub(super) fn enter(_rank: u8, _address: usize) -> Self {
            Self
        }
    }
}
