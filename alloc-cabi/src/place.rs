//! A static's place for a value that is made when the environment has been read.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

/// Room for one `T`, filled once at most and never emptied.
#[derive(Debug)]
pub(crate) struct Place<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: filled before anybody is told of it, and shared from then on.
unsafe impl<T: Sync> Sync for Place<T> {}

impl<T: Sync> Place<T> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Fills the place.
    ///
    /// # Safety
    /// Called once, and before [`get`](Self::get).
    pub(crate) unsafe fn fill(&'static self, value: T) -> &'static T {
        // SAFETY: nobody knows the place's contents yet, as the caller promises.
        unsafe { self.0.get().write(MaybeUninit::new(value)) };
        // SAFETY: filled just now.
        unsafe { self.get() }
    }

    /// What the place was filled with.
    ///
    /// # Safety
    /// [`fill`](Self::fill) was called.
    #[inline(always)]
    pub(crate) unsafe fn get(&'static self) -> &'static T {
        // SAFETY: initialised, as the caller promises, and never written to again; a `MaybeUninit` lies where its value does.
        unsafe { &*self.0.get().cast::<T>() }
    }
}
