//! A value behind a raw lock.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::raw_lock::RawLock;

/// A value that one thread at a time may use. Never poisoned, never allocates, usable in a `static`.
pub struct Mutex<T: ?Sized> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock by one thread at a time, which is a `Send` of it from holder to holder.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    const_unless_loom! {
        /// A free mutex around a value.
        #[must_use]
        pub const fn new(value: T) -> Self {
            Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
        }
    }

    /// The value, when nobody else can want it any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the value.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.lock();
        MutexGuard { mutex: self, _value: PhantomData }
    }

    /// The value, if it is free now.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| MutexGuard { mutex: self, _value: PhantomData })
    }

    /// The value without the lock, which an exclusive borrow makes needless.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value's address, for whoever holds the lock without a guard.
    #[must_use]
    pub fn value(&self) -> *mut T {
        self.value.get()
    }

    /// Takes the lock and keeps it, until [`release`](Self::release): what a process does before it forks, so that no
    /// other thread is in the middle of a change.
    pub fn hold(&self) {
        self.raw.lock();
    }

    /// Gives the lock back that [`hold`](Self::hold) took.
    ///
    /// # Safety
    /// The lock is held by way of `hold`, and nothing uses the value on the strength of that any more.
    pub unsafe fn release(&self) {
        // SAFETY: the caller promises that the lock is held and its to give back.
        unsafe { self.raw.unlock() };
    }

    /// Makes the mutex free in the child after `fork`.
    ///
    /// # Safety
    /// As for [`RawLock::reset_after_fork`], and no guard of this mutex is used or dropped in the child.
    pub unsafe fn reset_after_fork(&self) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.raw.reset_after_fork() };
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(value) => shown.field("value", &&*value),
            None => shown.field("value", &format_args!("<locked>")),
        };
        shown.finish()
    }
}

/// The right to use a [`Mutex`]'s value. Dropping it gives the lock back.
#[must_use = "the lock is given back at once when its guard is not kept"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    // Shares and sends like the exclusive borrow that it stands for.
    _value: PhantomData<&'a mut T>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, and lends no `&mut` while `self` is borrowed shared.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and `self` is borrowed exclusively.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a guard exists only while it holds the lock, and this is its end.
        unsafe { self.mutex.raw.unlock() };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
