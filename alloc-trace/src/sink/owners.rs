//! Which thread had the last event at an address, as far as it is remembered: so that most events need no time of their own.
//!
//! Events of two threads at one address are put in order by their times. An event that takes the time of a moment before it
//! stays in order with whatever comes after it, since that has later times; and with what came before it on its own
//! thread, since a thread's events keep their order. Only an event at the very address on *another* thread could be put
//! behind it wrongly, and that is what this table rules out.
//!
//! One word for each place of addresses: the upper part of the address, which with the place makes the whole, and the
//! thread. Written at each event that finds another word there: of an allocation before the program gets the block, of a
//! free before the strategy gets it back, of a resize before and after. Whichever way the block, or its place in the heap,
//! goes from one thread to the next, the word is seen there, or one that was written later, for another address or by another
//! thread. So an answer *yes* is certain, and *no* may be forgetfulness. Neither needs an exchange.
//!
//! Blocks that share a cache line share one here too, so that threads meet in this table where they meet in the heap.

use super::sync::atomic::{AtomicU64, Ordering};

/// Places, as a power of two: 128 KiB. `ci/loom.sh` needs no more than one.
const BITS: u32 = if cfg!(alloc_loom) { 0 } else { 14 };
const PLACES: usize = 1 << BITS;
/// Blocks are told apart by their multiples of 16 bytes; others are not remembered.
const UNIT: u32 = 4;

/// The table. Valid when all bytes are zero.
#[derive(Debug)]
pub(crate) struct Owners {
    words: [AtomicU64; PLACES],
}

impl Owners {
    #[cfg(alloc_loom)]
    pub(crate) fn new() -> Self {
        Self { words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Notes an event at the address, by the thread. Whether the last one there was surely its own too.
    #[inline]
    pub(crate) fn touch(&self, address: usize, thread: u32) -> bool {
        let Some((place, word)) = self.place(address, thread) else { return false };
        // Relaxed: the way of the block from thread to thread puts what they do here in order.
        let own = place.load(Ordering::Relaxed) == word;
        if !own {
            place.store(word, Ordering::Relaxed);
        }
        own
    }

    #[inline]
    fn place(&self, address: usize, thread: u32) -> Option<(&AtomicU64, u64)> {
        let unit = address as u64 >> UNIT;
        let upper = unit >> BITS;
        if !address.is_multiple_of(1 << UNIT) || upper > u32::MAX.into() {
            return None;
        }
        // Heaps of threads often lie at the same low bits: the upper ones set them apart.
        let apart = upper.wrapping_mul(0x9e37_79b9) >> (32 - BITS);
        let place = self.words.get((unit ^ apart) as usize % PLACES)?;
        Some((place, upper << 32 | u64::from(thread)))
    }
}
