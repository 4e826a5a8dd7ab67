//! Which thread was given a block last, as far as it is remembered: so that most frees need no time of their own.
//!
//! Events of two threads at one address are put in order by their times. A free that takes the time of a moment before it
//! stays in order with whatever comes after it, since that has later times; and with what came before it on its own
//! thread, since a thread's events keep their order. Only the allocation of the very block by *another* thread could be
//! put behind it wrongly, and that is what this table rules out.
//!
//! One word for each place of addresses: the upper part of the address, which with the place makes the whole, and the
//! thread. Written by who was given the block before the program gets it, and read by who frees it: whichever way the
//! block went between the two, the word is seen, or one that was written later, for another address or by another
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

    /// The thread was given the block, and has not yet passed it on.
    #[inline]
    pub(crate) fn given(&self, address: usize, thread: u32) {
        if let Some((place, word)) = self.place(address, thread) {
            // Relaxed: the block's own way from thread to thread orders this before the free.
            place.store(word, Ordering::Relaxed);
        }
    }

    /// Whether the block, which the thread is about to free, is surely one that it was given itself.
    #[inline]
    pub(crate) fn was_given_to(&self, address: usize, thread: u32) -> bool {
        self.place(address, thread).is_some_and(|(place, word)| place.load(Ordering::Relaxed) == word)
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
