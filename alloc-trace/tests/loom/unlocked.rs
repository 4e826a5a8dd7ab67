//! The same files behind a lock that lets everybody in.

mod sync {
    pub(crate) use alloc_core::sync::atomic;
    use alloc_core::sync::atomic::{AtomicBool, Ordering};
    use core::cell::UnsafeCell;
    use core::ops::{Deref, DerefMut};

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: none: that is what the models are to find out. Values here are atomics and numbers.
    unsafe impl<T> Sync for Mutex<T> {}

    pub(crate) struct Guard<'a, T>(&'a Mutex<T>);

    impl<T> Mutex<T> {
        #[allow(dead_code, reason = "one of the two files makes it so")]
        pub(crate) fn new(value: T) -> Self {
            Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        pub(crate) fn lock(&self) -> Guard<'_, T> {
            Guard(self)
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: as above: loom runs one thread at a time.
            unsafe { &*self.0.value.get() }
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above.
            unsafe { &mut *self.0.value.get() }
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            self.0.taken.store(false, Ordering::Release);
        }
    }
}

#[path = "../../src/sink/live.rs"]
pub(crate) mod live;
#[path = "../../src/sink/tally.rs"]
pub(crate) mod tally;
