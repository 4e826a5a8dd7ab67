//! How a thread waits for a lock: by the kernel's futex, by giving up its turn, or by spinning.

#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
use crate::errno::KeepErrno;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::hint::spin_loop;

/// A way to wait for a word to change.
///
/// What [`RawLock`](super::RawLock) needs for a waiter never to sleep through its wake: `wait` compares the word with
/// `expected` and starts to wait as one step in the order of all `wake_one` of that word. Either the comparison sees
/// what was stored before a `wake_one`, or that `wake_one` finds the waiter.
pub trait Park {
    /// How often a locker looks at a taken lock before it waits.
    const SPINS: u32;

    /// Waits while `word` is `expected`, until a wake. May return at any time; its caller looks again.
    fn wait(&self, word: &AtomicU32, expected: u32);

    /// Wakes one thread that waits for `word`, if any does. Does not read `word`, which may be gone by then.
    fn wake_one(&self, word: *const AtomicU32);
}

/// The best way to wait that this build has.
#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
pub type DefaultPark = Futex;
/// The best way to wait that this build has.
#[cfg(all(feature = "libc", unix, not(target_os = "linux"), not(alloc_loom)))]
pub type DefaultPark = Yield;
/// The best way to wait that this build has.
#[cfg(any(alloc_loom, not(all(feature = "libc", unix))))]
pub type DefaultPark = Spin;

/// Waits in the kernel (Linux). Keeps `errno`.
#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Futex;

#[cfg(all(feature = "libc", target_os = "linux", not(alloc_loom)))]
impl Park for Futex {
    // About the time of a system call: a lock held for a batch is free again before the kernel would have slept.
    const SPINS: u32 = 100;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        let _errno = KeepErrno::new();
        let no_timeout = core::ptr::null::<libc::timespec>();
        // SAFETY: FUTEX_WAIT reads the four aligned bytes of `word`, which the reference keeps alive, and no timeout.
        // Every outcome (woken, value differs, a signal) is a return that the caller expects.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                no_timeout,
            )
        };
    }

    fn wake_one(&self, word: *const AtomicU32) {
        let _errno = KeepErrno::new();
        // SAFETY: a private FUTEX_WAKE takes the address as a name and does not touch what is there. Should the lock be
        // gone and another futex live at its address, that one's waiter wakes for nothing, which waiters expect.
        unsafe {
            libc::syscall(libc::SYS_futex, word.addr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1)
        };
    }
}

/// Gives up the processor between looks. Keeps `errno`: the call cannot fail.
#[cfg(all(feature = "libc", unix))]
#[derive(Clone, Copy, Debug, Default)]
pub struct Yield;

#[cfg(all(feature = "libc", unix))]
impl Park for Yield {
    const SPINS: u32 = 100;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        // Relaxed: the lock's own exchange orders what the word protects.
        while word.load(Ordering::Relaxed) == expected {
            // SAFETY: may be called at any time from any thread.
            unsafe { libc::sched_yield() };
        }
    }

    fn wake_one(&self, _word: *const AtomicU32) {}
}

/// Looks until the word changes. All that a target without an operating system can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spin;

impl Park for Spin {
    // Its wait is a spin already.
    const SPINS: u32 = 0;

    fn wait(&self, word: &AtomicU32, expected: u32) {
        // Relaxed: the lock's own exchange orders what the word protects.
        while word.load(Ordering::Relaxed) == expected {
            spin_loop();
        }
    }

    fn wake_one(&self, _word: *const AtomicU32) {}
}
