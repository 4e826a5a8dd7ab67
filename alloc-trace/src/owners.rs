//! Which thread had the last event at an address, as far as it is remembered: so that most events need no time of their own.
//!
//! Events of two threads at one address are put in order by their times. An event that takes the time of a moment before it
//! stays in order with whatever comes after it, since that has later times; and with what came before it on its own
//! thread, since a thread's events keep their order. Only an event at the very address on *another* thread could be put
//! behind it wrongly, and that is what this table rules out.
//!
//! One word for each place of addresses: the address, and in its upper bits the number of the thread's record. Written at each
//! event that finds another word there: of an allocation before the program gets the block, of a free before the strategy gets it
//! back, of a resize before and after. Whichever way the block, or its place in the heap,
//! goes from one thread to the next, the word is seen there, or one that was written later, for another address or by another
//! thread. So an answer *yes* is certain, and *no* may be forgetfulness. Neither needs an exchange.
//!
//! Blocks that share a cache line share one here too, so that threads meet in this table where they meet in the heap.

use super::sync::atomic::{AtomicU64, Ordering};

/// Places, as a power of two: 128 KiB. `ci/loom.sh` needs no more than one.
const BITS: u32 = if cfg!(alloc_loom) { 0 } else { 14 };
const PLACES: usize = 1 << BITS;
/// Blocks less than 16 bytes apart are in one place.
const UNIT: u32 = 4;
/// Bits of an address: those that Linux gives out unasked. Others are not remembered.
const ADDRESS: u32 = 48;

/// Who had an event: zero in the bits of an address, and else the number of the thread's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    /// Nobody's: [`Owners::touch`] may confuse those who have it.
    pub(crate) const NONE: Self = Self(0);

    /// The mark of a number from 1 on; none where it has too many bits.
    pub(crate) const fn of(number: u32) -> Self {
        if number < 1 << (u64::BITS - ADDRESS) { Self((number as u64) << ADDRESS) } else { Self::NONE }
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Owners {
    words: [AtomicU64; PLACES],
}

impl Owners {
    #[cfg(not(alloc_loom))]
    pub(crate) const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; PLACES] }
    }

    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self { words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Notes an event at the address, by the thread. Whether the last one there was surely its own too, if its mark is its own.
    #[inline(always)]
    pub(crate) fn touch(&self, address: usize, mark: Mark) -> bool {
        if address >> ADDRESS != 0 {
            return false;
        }
        let word = address as u64 | mark.0;
        let Some(place) = self.words.get(place(address)) else { return false };
        // Relaxed: the way of the block from thread to thread puts what they do here in order.
        let own = place.load(Ordering::Relaxed) == word;
        if !own {
            place.store(word, Ordering::Relaxed);
        }
        own
    }
}

/// Heaps of threads often lie at the same low bits: the upper ones set them apart, by many lines.
const fn place(address: usize) -> usize {
    ((address ^ address >> 15) >> UNIT) % PLACES
}

#[cfg(all(test, not(alloc_loom)))]
mod tests {
    use super::*;

    static TABLE: Owners = Owners::new();

    #[test]
    fn addresses_and_threads_are_told_apart() {
        let marks = [1, 2, 0xffff].map(Mark::of);
        assert!(!marks.contains(&Mark::NONE));
        assert!([0, 0x1_0000, u32::MAX].iter().all(|&number| Mark::of(number) == Mark::NONE));
        let top = (1 << ADDRESS) - 16;
        for address in [0x7f00_0000_1230, 0x7f00_0000_1231, top] {
            for mark in marks {
                assert_eq!([0; 3].map(|_| TABLE.touch(address, mark)), [false, true, true]);
            }
        }
        // Of more bits than there is room for.
        assert_eq!([0; 3].map(|_| TABLE.touch(1 << ADDRESS | 0x1230, marks[0])), [false; 3]);
    }

    #[test]
    fn heaps_of_threads_are_set_apart() {
        const LINE: usize = 8;
        let base = 0x7f00_0000_0000;
        for heap in 1..64 {
            let apart = place(base).abs_diff(place(base + (heap << 26)));
            assert!(apart >= 16 * LINE, "{heap}: {apart}");
        }
        // Neighbours are in one line, or in two next to each other.
        assert!(
            (0..4096_usize)
                .all(|unit| place(base + 16 * unit).abs_diff(place(base + 16 * unit + 16)) < 2 * LINE)
        );
    }
}
