//! Sub-buffers of threads (TLABs, as the JVM calls them): the part of a shared arena that one thread has to itself.
//!
//! A thread remembers the sub-buffers of the arenas that it used last, in a thread-local that is initialised at compile
//! time and has no destructor: its first use allocates nothing, and it can be used to a thread's very end.
//!
//! # Epochs
//!
//! A sub-buffer belongs to one *epoch* of one arena. Epochs are numbers from one counter of the process, never used
//! twice: an arena draws one at its first request and after every reset, so that comparing one number tells both
//! whose sub-buffer it is and whether it is still good. What a thread remembers of an arena that was reset or dropped
//! never compares equal again, and is not touched.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::window::Window;

/// The epoch of an arena without memory, and of a slot that was never used. Both have empty windows, so that a match
/// between them is harmless.
pub(crate) const NO_EPOCH: u64 = 0;

/// The first sub-buffer of a thread in an arena, and the smallest.
pub(crate) const SMALLEST: usize = 4 << 10;

/// The largest sub-buffer: a huge page. With smaller ones, threads that fill the same arena at the same pace fault in the
/// same huge pages at the same time, each clears one, and all but one are thrown away.
pub(crate) const LARGEST: usize = 2 << 20;

/// The number of arenas whose sub-buffers a thread remembers.
const SLOTS: usize = 4;

/// The sub-buffer of one arena.
pub(crate) struct Slot {
    pub(crate) epoch: Cell<u64>,
    pub(crate) window: Window,
    /// Bytes of all sub-buffers that the thread took in this epoch.
    pub(crate) taken: Cell<usize>,
}

impl Slot {
    const fn new() -> Self {
        Self { epoch: Cell::new(NO_EPOCH), window: Window::empty(), taken: Cell::new(0) }
    }

    fn swap(&self, other: &Self) {
        self.epoch.swap(&other.epoch);
        self.window.swap(&other.window);
        self.taken.swap(&other.taken);
    }

    /// Forgets the sub-buffer, and starts over for another arena.
    fn start(&self, epoch: u64) {
        self.window.swap(&Window::empty());
        self.taken.set(0);
        self.epoch.set(epoch);
    }
}

/// The slots of a thread, the one used last in front.
pub(crate) struct Tlabs {
    front: Slot,
    others: [Slot; SLOTS - 1],
}

std::thread_local! {
    static TLABS: Tlabs =
        const { Tlabs { front: Slot::new(), others: [const { Slot::new() }; SLOTS - 1] } };
}

/// Runs `f` with the calling thread's slots.
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(&Tlabs) -> R) -> R {
    TLABS.with(f)
}

impl Tlabs {
    /// The window of `epoch`, where that is in front.
    #[inline(always)]
    pub(crate) fn front(&self, epoch: u64) -> Option<&Window> {
        (self.front.epoch.get() == epoch).then_some(&self.front.window)
    }

    /// Brings the slot of `epoch` to the front, taking over the one that was not used for longest where there is none.
    pub(crate) fn fetch(&self, epoch: u64) -> &Slot {
        if self.front.epoch.get() != epoch {
            // Each step moves a slot one place back, until the wanted one, or the last, has come forward.
            for other in &self.others {
                self.front.swap(other);
                if self.front.epoch.get() == epoch {
                    return &self.front;
                }
            }
            self.front.start(epoch);
        }
        &self.front
    }
}

/// A number that no arena had before.
pub(crate) fn new_epoch() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(NO_EPOCH + 1);
    // Relaxed: only that no two calls get the same number matters.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(tlabs: &Tlabs) -> [u64; SLOTS] {
        let [a, b, c] = &tlabs.others;
        [tlabs.front.epoch.get(), a.epoch.get(), b.epoch.get(), c.epoch.get()]
    }

    #[test]
    fn the_slot_used_last_is_in_front_and_the_oldest_is_given_up() {
        let tlabs = Tlabs { front: Slot::new(), others: [const { Slot::new() }; SLOTS - 1] };
        for epoch in [11, 12, 13, 14] {
            tlabs.fetch(epoch).taken.set(epoch as usize);
        }
        assert_eq!(epochs(&tlabs), [14, 13, 12, 11]);
        assert_eq!(tlabs.fetch(12).taken.get(), 12);
        assert_eq!(epochs(&tlabs), [12, 14, 13, 11]);
        assert_eq!(tlabs.fetch(15).taken.get(), 0, "a slot that is taken over starts small");
        assert_eq!(epochs(&tlabs), [15, 12, 14, 13]);
        assert!(tlabs.front(15).is_some() && tlabs.front(11).is_none());
    }
}
