//! The depot: magazines that were flushed to their arena and are kept whole, for the next thread that wants one.
//!
//! ```text
//!  stacks[class] --> newest magazine --> ... --> oldest            one word each, see [`magazine`](crate::magazine)
//!  counts[class]     magazines there
//!  idle[class]       the fewest that were there since the last tick: so many were not needed
//! ```
//!
//! The depot is Bonwick's, and so is the rule of what to take apart: what lay there through a whole interval is not part
//! of the working set. Era `Ours`; the blocks in it look in use to their neighbours, as those in fastbins do. Nearly all of them
//! are this arena's; those that are not are told when it is taken apart: `arena/strays.rs`.

use core::ptr::NonNull;

use crate::class::{self, CLASSES, TINY};
use crate::magazine::{Magazine, Stack};
use crate::prefetch::prefetch;

const WORDS: usize = CLASSES.div_ceil(64);

/// Magazines that are taken apart side by side.
const ABREAST: usize = 16;

/// Magazines of an arena, by class.
#[derive(Debug)]
pub(crate) struct Depot {
    stacks: [Stack; CLASSES],
    counts: [u32; CLASSES],
    idle: [u32; CLASSES],
    /// A bit for each class that has a magazine.
    filled: [u64; WORDS],
    bytes: usize,
}

impl Depot {
    /// A depot without magazines.
    pub(crate) const fn new() -> Self {
        Self {
            stacks: [Stack::EMPTY; CLASSES],
            counts: [0; CLASSES],
            idle: [0; CLASSES],
            filled: [0; WORDS],
            bytes: 0,
        }
    }

    /// Bytes in all, by the chunk sizes of the classes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The magazines of a class.
    pub(crate) fn stack(&self, class: usize) -> Stack {
        self.stacks.get(class).copied().unwrap_or(Stack::EMPTY)
    }

    /// How many those are.
    pub(crate) fn count(&self, class: usize) -> usize {
        self.counts.get(class).map_or(0, |&count| count as usize)
    }

    /// Puts a magazine in.
    ///
    /// # Safety
    /// The magazine is not empty, and its blocks are nobody else's.
    #[inline]
    pub(crate) unsafe fn push(&mut self, magazine: Magazine) {
        let class = magazine.class;
        let (Some(stack), Some(count), Some(filled)) =
            (self.stacks.get_mut(class), self.counts.get_mut(class), self.filled.get_mut(class / 64))
        else {
            return;
        };
        self.bytes += magazine.count * class::chunk_size(class);
        *count += 1;
        *filled |= 1 << (class % 64);
        // SAFETY: the caller's promises are the callee's.
        unsafe { stack.push(magazine) };
    }

    /// Takes the newest magazine of a class.
    ///
    /// # Safety
    /// The arena is held.
    #[inline]
    pub(crate) unsafe fn pop(&mut self, class: usize) -> Option<Magazine> {
        let stack = self.stacks.get_mut(class)?;
        // SAFETY: the stack is the arena's.
        let magazine = unsafe { stack.pop() }?;
        self.bytes -= magazine.count * class::chunk_size(class);
        if let (Some(count), Some(idle), Some(filled)) =
            (self.counts.get_mut(class), self.idle.get_mut(class), self.filled.get_mut(class / 64))
        {
            *count -= 1;
            *idle = (*idle).min(*count);
            if *count == 0 {
                *filled &= !(1 << (class % 64));
            }
        }
        Some(magazine)
    }

    /// Takes a magazine of any class, of the largest first.
    ///
    /// # Safety
    /// The arena is held.
    pub(crate) unsafe fn pop_any(&mut self) -> Option<Magazine> {
        let (word, bits) = self.filled.iter().enumerate().rev().find(|(_, bits)| **bits != 0)?;
        // SAFETY: the caller's promise.
        unsafe { self.pop(word * 64 + bits.ilog2() as usize) }
    }

    /// Takes every magazine and shows every block of them, no longer linked, with its class.
    ///
    /// Blocks that a program freed in random order lie anywhere in memory, and where one is, only the one before it on its list
    /// knows. So several lists are followed side by side: while the processor waits for a block of one, it fetches those of
    /// the others.
    ///
    /// # Safety
    /// The arena is held.
    pub(crate) unsafe fn drain(&mut self, mut show: impl FnMut(usize, NonNull<u8>)) {
        let mut lanes = [Magazine::empty(0); ABREAST];
        loop {
            let mut shown = false;
            for lane in &mut lanes {
                if lane.head.is_null() {
                    // SAFETY: the caller's promise.
                    let Some(magazine) = (unsafe { self.pop_any() }) else { continue };
                    *lane = magazine;
                }
                // SAFETY: the magazine is ours.
                if let Some(block) = unsafe { lane.pop() } {
                    if let Some(next) = NonNull::new(lane.head) {
                        prefetch(next.cast(), 0);
                    }
                    show(lane.class, block);
                    shown = true;
                }
            }
            if !shown {
                break;
            }
        }
    }

    /// Whether a block is in a magazine of a class, or of the class of tiny requests if that is of the same size. Walks them
    /// all.
    ///
    /// # Safety
    /// The arena is held.
    pub(crate) unsafe fn holds(&self, class: usize, block: NonNull<u8>) -> bool {
        let tiny = if class == TINY + 1 { TINY } else { class };
        for class in tiny..=class {
            let mut stack = self.stack(class);
            // SAFETY: a copy of the stack is walked, and nothing written.
            while let Some(mut magazine) = unsafe { stack.pop() } {
                // SAFETY: as above.
                while let Some(kept) = unsafe { magazine.pop() } {
                    if kept == block {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// The magazines of a class that were not needed since the last tick, which this is.
    pub(crate) fn tick(&mut self, class: usize) -> usize {
        let (Some(&count), Some(idle)) = (self.counts.get(class), self.idle.get_mut(class)) else { return 0 };
        let unneeded = *idle;
        *idle = count - unneeded;
        unneeded as usize
    }
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a chunk in one go")]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::magazine::Node;

    /// Blocks of 64 bytes.
    #[repr(C, align(16))]
    struct Memory([[u64; 8]; 64]);

    fn magazine(memory: &mut Memory, class: usize, from: usize, count: usize) -> Magazine {
        let mut magazine = Magazine::empty(class);
        for block in &mut memory.0[from..from + count] {
            // SAFETY: the block is the test's, and large enough for a node.
            unsafe { magazine.push(NonNull::from(block).cast(), 1) };
        }
        magazine
    }

    fn head(magazine: Option<Magazine>) -> Option<*mut Node> {
        magazine.map(|magazine| magazine.head)
    }

    #[test]
    fn the_newest_magazine_of_a_class_comes_first() {
        let mut memory = Memory([[0; 8]; 64]);
        let mut depot = Depot::new();
        let [a, b, c] = [(4, 0, 3), (4, 3, 2), (70, 5, 1)]
            .map(|(class, from, count)| magazine(&mut memory, class, from, count));
        // SAFETY: the blocks are the test's.
        unsafe {
            for magazine in [a, b, c] {
                depot.push(magazine);
            }
            assert_eq!(depot.bytes(), 5 * 64 + class::chunk_size(70));
            assert_eq!((depot.count(4), depot.count(70), depot.count(5)), (2, 1, 0));
            assert!(depot.pop(5).is_none());
            let first = depot.pop(4).unwrap();
            assert_eq!((first.head, first.count, first.class), (b.head, 2, 4));
            assert_eq!(head(depot.pop_any()), Some(c.head), "the largest class");
            assert_eq!(head(depot.pop_any()), Some(a.head));
            assert!(depot.pop_any().is_none());
        }
        assert_eq!(depot.bytes(), 0);
    }

    #[test]
    fn draining_shows_every_block_once_and_leaves_nothing() {
        let mut memory = Memory([[0; 8]; 64]);
        let mut depot = Depot::new();
        // More magazines than lists followed side by side, of 1, 2 and 3 blocks, in three classes.
        let mut from = 0;
        for number in 0..2 * ABREAST - 2 {
            let count = number % 3 + 1;
            // SAFETY: the blocks are the test's.
            unsafe { depot.push(magazine(&mut memory, [4, 5, 70][number % 3], from, count)) };
            from += count;
        }
        let mut shown = Vec::new();
        // SAFETY: the blocks are the test's.
        unsafe { depot.drain(|_, block| shown.push(block.addr().get())) };
        let first = memory.0.as_ptr().addr();
        shown.sort_unstable();
        assert_eq!(shown, (0..from).map(|block| first + 64 * block).collect::<Vec<_>>());
        assert_eq!((depot.bytes(), depot.count(4), depot.count(5), depot.count(70)), (0, 0, 0, 0));
        // SAFETY: as above.
        unsafe { depot.drain(|_, _| panic!("nothing is left")) };
    }

    #[test]
    fn what_lay_through_an_interval_is_idle() {
        let mut memory = Memory([[0; 8]; 64]);
        let mut depot = Depot::new();
        let magazines = [0, 1, 2, 3, 4].map(|at| magazine(&mut memory, 4, at, 1));
        // SAFETY: the blocks are the test's.
        unsafe {
            for magazine in magazines {
                depot.push(magazine);
            }
            assert_eq!(depot.tick(4), 0, "they came since");
            let taken = [depot.pop(4).unwrap(), depot.pop(4).unwrap()];
            for magazine in taken {
                depot.push(magazine);
            }
            assert_eq!(depot.tick(4), 3, "two of five were needed");
            for _ in 0..3 {
                depot.pop(4).unwrap();
            }
        }
        assert_eq!(depot.tick(4), 2, "what is left lay there through the next interval");
    }
}
