//! Which thread had the last event in each part of the address space: so that most events need no time of their own.
//!
//! Events of two threads at one address are put in order by their times. An event that takes the time of a moment before it
//! stays in order with whatever comes after it, since that has later times; and with what came before it on its own
//! thread, since a thread's events keep their order. Only an event at the very address on *another* thread could be put
//! behind it wrongly, and that is what this table rules out.
//!
//! One word for each place, which many addresses share: the thread that had the last event there. A thread that finds its own
//! mark may go on with the last time that it read. One that finds another's reads the time, *then* puts its mark there, and has to
//! read the time again for its next event. So of each thread, every time that events behind a mark have was read behind the
//! mark was put there, and every time that events before the next thread's mark have was read before that.
//!
//! Say that an event of thread A at an address comes before one of thread B, which finds its own mark. A found its mark at that
//! place, or put it there; B has put its own there since, for otherwise B would find A's. A read the event's time before it
//! looked at the place, and found it its own, or before it put its mark: in both cases before B put its own there. B read the time that
//! it goes on with after that. So B's event has the later time. It does not matter whose addresses share a place, but that threads
//! that share one put their marks there by turns; nor that a mark is put there with an exchange, but for the order of times and marks.
//!
//! A thread that works with blocks in parts of the address space that are its own finds its mark each time and writes nothing
//! here: no line of this table goes from processor to processor then.

use super::sync::atomic::{AtomicU32, Ordering};

/// Places, as a power of two: 32 KiB. `ci/loom.sh` needs no more than one.
const BITS: u32 = if cfg!(alloc_loom) { 0 } else { 13 };
const PLACES: usize = 1 << BITS;
/// Bits of an address within a part: as many threads work in one page as share it in the heap.
const PART: u32 = 12;

/// Who had an event: the number of the thread's record, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u32);

impl Mark {
    /// Nobody's: those who have it may share no times.
    pub(crate) const NONE: Self = Self(0);

    /// The mark of a number from 1 on.
    pub(crate) const fn of(number: u32) -> Self {
        Self(number)
    }
}

/// The time of an event that has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) ticks: u64,
    /// Whether the thread's next events may have the same time.
    pub(crate) may_be_shared: bool,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Owners {
    words: [AtomicU32; PLACES],
}

impl Owners {
    #[cfg(not(alloc_loom))]
    pub(crate) const fn new() -> Self {
        Self { words: [const { AtomicU32::new(0) }; PLACES] }
    }

    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self { words: core::array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// Whether an event at the address, by the thread with this mark, may have the last time that the thread read.
    #[inline(always)]
    pub(crate) fn is_own(&self, address: usize, mark: Mark) -> bool {
        // Relaxed: the way of a block from thread to thread puts what they do here in order.
        self.words.get(place(address)).is_some_and(|word| word.load(Ordering::Relaxed) == mark.0)
    }

    /// The time of an event at the address, by the thread with this mark. `ticks` reads the time, in order with the accesses around.
    pub(crate) fn stamp(&self, address: usize, mark: Mark, ticks: impl FnOnce() -> u64) -> Stamp {
        // First of all: see above.
        let ticks = ticks();
        if mark != Mark::NONE && self.is_own(address, mark) {
            return Stamp { ticks, may_be_shared: true };
        }
        if let Some(word) = self.words.get(place(address)) {
            // An exchange, so that the mark is there before the thread's next time is read. Acquire and Release: the times
            // behind this one are later than those before the marks that it replaces.
            word.swap(mark.0, Ordering::AcqRel);
        }
        Stamp { ticks, may_be_shared: false }
    }
}

/// Neighbouring parts, and the same parts of threads' heaps, lie apart: by the upper bits of a product (Knuth's multiplicative
/// hashing).
#[inline(always)]
const fn place(address: usize) -> usize {
    if BITS == 0 { 0 } else { ((address >> PART) as u32).wrapping_mul(0x9e37_79b1) as usize >> (32 - BITS) }
}

#[cfg(all(test, not(alloc_loom)))]
mod tests {
    use super::*;

    static TABLE: Owners = Owners::new();

    #[test]
    fn threads_are_told_apart_and_parts_are_theirs() {
        let (mine, theirs) = (Mark::of(1), Mark::of(u32::MAX));
        let base = 0x7f00_0000_1230;
        assert!(!TABLE.is_own(base, mine));
        assert_eq!(TABLE.stamp(base, mine, || 5), Stamp { ticks: 5, may_be_shared: false });
        assert_eq!(TABLE.stamp(base, mine, || 6), Stamp { ticks: 6, may_be_shared: true });
        // All of the page, and nobody else's.
        assert!(TABLE.is_own(0x7f00_0000_1000, mine) && TABLE.is_own(0x7f00_0000_1fff, mine));
        assert!(!TABLE.is_own(base, theirs) && !TABLE.is_own(base + 0x1000, mine));
        assert_eq!(TABLE.stamp(base, theirs, || 7), Stamp { ticks: 7, may_be_shared: false });
        assert!(TABLE.is_own(base, theirs) && !TABLE.is_own(base, mine));
        // Those without a mark share nothing, and leave nothing to others.
        assert!([8, 9].iter().all(|&now| !TABLE.stamp(base, Mark::NONE, || now).may_be_shared));
        assert!(!TABLE.is_own(base, theirs) && !TABLE.is_own(base, mine));
    }

    /// Threads with heaps of 2 MiB each, 64 MiB apart, meet in few places.
    #[test]
    fn heaps_of_threads_are_set_apart() {
        const PAGES: usize = 512;
        let base = 0x7f00_0000_0000;
        let mut taken = [0_u8; PLACES];
        for thread in 0..4 {
            for page in 0..PAGES {
                taken[place(base + (thread << 26) + (page << PART))] |= 1 << thread;
            }
        }
        let shared = taken.iter().filter(|threads| threads.count_ones() > 1).count();
        assert!(shared < 4 * PAGES / 4, "{shared}");
    }
}
