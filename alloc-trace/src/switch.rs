//! One switch for all sinks of the process, which every traced call asks first: whether any sink is on at all.
//!
//! It has one address, which the processor's instructions hold, whatever sink a [`Traced`](crate::Traced) tells. On x86-64 it is
//! compared where it lies; a load of an atomic goes through a register, and takes an instruction more.
//!
//! Order: nobody needs any. It only says that a sink's own word is to be asked. A thread that turned a sink on, or was begun or
//! waited for it, finds the switch as it finds the word; others find both a little later. The word is read anew behind the switch,
//! and again, with Acquire, where the event is recorded.

use core::sync::atomic::{AtomicU32, Ordering};

/// How many sinks are on.
static ON: AtomicU32 = AtomicU32::new(0);

/// Whether any sink may be on.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
#[inline(always)]
pub(crate) fn is_any_on() -> bool {
    // SAFETY: four bytes, aligned, which a processor reads at once; they lie in the program's or library's own data.
    unsafe {
        core::arch::asm!(
            "cmp dword ptr [rip + {switch}], 0",
            "je {off}",
            switch = sym ON,
            off = label { return false },
            options(readonly, nostack),
        );
    }
    true
}

/// Whether any sink may be on.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
#[inline(always)]
pub(crate) fn is_any_on() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// What a sink's own word says, by a number that is 0 while it is off. All of its changes are seen to here, so that sinks that are
/// on are counted once each.
///
/// Whoever ends between two steps of a change (in the child of a fork, for one) leaves the count too high and never too low.
#[derive(Debug)]
pub(crate) struct Word(AtomicU32);

impl Word {
    /// Off.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Relaxed.
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Acquire: pairs with [`set`](Self::set). Who finds the sink on finds what was set before that.
    #[inline(always)]
    pub(crate) fn acquire(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Sets another value, on or off. Returns the last one. Acquire and Release.
    pub(crate) fn set(&self, value: u32) -> u32 {
        self.set_counted(value, &ON)
    }

    fn set_counted(&self, value: u32, on: &AtomicU32) -> u32 {
        // Counted before it is on, and until it is off.
        if value != 0 {
            on.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.0.swap(value, Ordering::AcqRel);
        if before != 0 {
            on.fetch_sub(1, Ordering::Relaxed);
        }
        before
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn sinks_that_are_on_are_counted_once_each() {
        let count = AtomicU32::new(0);
        let now = || count.load(Ordering::Relaxed);
        let (one, other) = (Word::new(), Word::new());
        assert_eq!((one.set_counted(0, &count), now()), (0, 0));
        assert_eq!((one.set_counted(5, &count), now()), (0, 1));
        assert_eq!((one.set_counted(6, &count), now()), (5, 1), "on in another way");
        assert_eq!((other.set_counted(1, &count), now()), (0, 2));
        assert_eq!((one.get(), one.acquire(), other.get()), (6, 6, 1));
        assert_eq!((one.set_counted(0, &count), now()), (6, 1));
        assert_eq!((one.set_counted(0, &count), now()), (0, 1), "off already");
        assert_eq!((other.set_counted(0, &count), now()), (1, 0));
    }

    /// Threads that turn one sink on and off at once leave the count as it was.
    #[test]
    fn no_change_is_counted_twice_or_lost() {
        let (count, word) = (AtomicU32::new(0), Word::new());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (count, word) = (&count, &word);
                scope.spawn(move || {
                    for value in 0..10_000 {
                        word.set_counted((value + thread) % 3, count);
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), u32::from(word.get() != 0));
        word.set_counted(0, &count);
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    /// Other tests' sinks may be on besides, so that only this can be said.
    #[test]
    fn a_sink_that_is_on_is_found_by_the_switch() {
        let word = Word::new();
        word.set(1);
        assert!(is_any_on());
        assert!(std::thread::spawn(is_any_on).join().unwrap());
        drop(word);
    }
}
