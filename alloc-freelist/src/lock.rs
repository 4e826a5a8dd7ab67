//! Who may use a heap at the same time.

use core::cell::Cell;
use core::marker::PhantomData;

use alloc_core::sync::{Park, RawLock};

/// What a heap does to be used by one thread at a time.
///
/// # Safety
/// Where `Self` is `Sync`, `acquire` returns to one caller at a time, until that one's `release`; what it wrote before is
/// seen by the next one. Neither unwinds, nor allocates.
pub unsafe trait Lock {
    /// Waits until nobody else uses the heap.
    fn acquire(&self);

    /// Lets the next one in.
    ///
    /// # Safety
    /// The caller has acquired the lock and not released it since.
    unsafe fn release(&self);
}

/// No lock: the heap stays on one thread at a time, by its type.
#[derive(Clone, Debug, Default)]
pub struct Unlocked(PhantomData<Cell<()>>);

impl Unlocked {
    /// No lock.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: it is not `Sync`, so that nothing is promised.
unsafe impl Lock for Unlocked {
    #[inline(always)]
    fn acquire(&self) {}

    #[inline(always)]
    unsafe fn release(&self) {}
}

// SAFETY: a raw lock is exclusive, and its release is seen by the next acquire.
unsafe impl<P: Park> Lock for RawLock<P> {
    #[inline(always)]
    fn acquire(&self) {
        self.lock();
    }

    #[inline(always)]
    unsafe fn release(&self) {
        // SAFETY: the caller has acquired the lock, which holds it.
        unsafe { self.unlock() };
    }
}

/// A held lock, released when it is dropped.
pub(crate) struct Held<'a, L: Lock>(&'a L);

impl<'a, L: Lock> Held<'a, L> {
    #[inline(always)]
    pub(crate) fn acquire(lock: &'a L) -> Self {
        lock.acquire();
        Self(lock)
    }
}

impl<L: Lock> Drop for Held<'_, L> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: a `Held` is made by acquiring, and dropped once.
        unsafe { self.0.release() };
    }
}
