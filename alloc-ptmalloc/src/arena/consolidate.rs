//! Chunks that are kept apart, as they were freed, go into the bins: fastbins in era `Classic`, the depot in ours.
//!
//! Many chunks come at once, and those that were cut from one piece come one after the other. So neighbours are joined as they
//! come, and each run is merged and sorted once:
//!
//! ```text
//!  blocks of a magazine     | 1 | 2 | 3 |      | 4 |       | 6 | 5 |
//!  runs                     |  one run  |      |   |       |  run  |       three merges, not six
//! ```
//!
//! Blocks of other arenas among them are set aside: `strays.rs`.

use alloc_core::backend::Backend;

use super::State;
use super::free::MUCH;
use super::strays::set_aside;
use crate::chunk::{Chunk, PREV_IN_USE, size_of};
use crate::class::CLASSES;
use crate::links::Mask;
use crate::magazine::{Magazine, Node};
use crate::source::Source;

/// Chunks that come back together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Returned {
    /// Bytes of the chunks.
    bytes: usize,
    /// Bytes of the largest merged chunk.
    largest: usize,
    /// Neighbours that wait to be merged, in use until then: the first chunk, and the chunk after the last.
    run: Option<(Chunk, Chunk)>,
}

impl State {
    /// Takes apart all that is kept: `malloc_consolidate`. Returns the bytes that went into the bins.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(crate) unsafe fn consolidate<B: Backend>(&mut self, source: &Source<B>) -> usize {
        let mut returned = Returned::default();
        // SAFETY: the caller's promise.
        unsafe { self.consolidate_fast(source, &mut returned) };
        if self.rebuilding_pays() {
            // SAFETY: the caller's promise; only era `Ours` has a depot.
            let (bytes, largest) = unsafe { self.rebuild(source) };
            returned.bytes += bytes;
            returned.largest = returned.largest.max(largest);
        }
        // SAFETY: the arena is held.
        while let Some(magazine) = unsafe { self.depot.pop_any() } {
            // SAFETY: the blocks are nobody's.
            unsafe { self.take_apart(source, magazine, &mut returned) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.settle(source, returned) }
    }

    /// Takes apart the magazines that nobody wanted since this was last called. Returns the bytes that went into the bins.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(crate) unsafe fn release_stale<B: Backend>(&mut self, source: &Source<B>) -> usize {
        let mut returned = Returned::default();
        for class in 0..CLASSES {
            for _ in 0..self.depot.tick(class) {
                // SAFETY: the arena is held.
                let Some(magazine) = (unsafe { self.depot.pop(class) }) else { break };
                // SAFETY: the blocks are nobody's.
                unsafe { self.take_apart(source, magazine, &mut returned) };
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.settle(source, returned) }
    }

    /// Takes the blocks of a magazine back, and sets those aside that are other arenas'.
    ///
    /// # Safety
    /// The blocks are in use, and nobody's; `source` is the arena's.
    pub(super) unsafe fn take_apart<B: Backend>(
        &mut self,
        source: &Source<B>,
        mut magazine: Magazine,
        returned: &mut Returned,
    ) {
        let mine = self.mine(source);
        // SAFETY: the magazine is ours.
        while let Some(block) = unsafe { magazine.pop() } {
            if !mine.holds(Node::of(block)) {
                // SAFETY: it came out of the magazine.
                unsafe { set_aside(&mut self.strays, magazine.class, Node::of(block)) };
                continue;
            }
            // SAFETY: a magazine holds blocks of chunks.
            let chunk = unsafe { Chunk::of_block(block) };
            // SAFETY: the chunk is this arena's, and nobody uses it.
            unsafe { self.give(source, chunk, returned) };
        }
    }

    /// Ends the last run, and lets policy decide once, after many chunks. Returns their bytes.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(super) unsafe fn settle<B: Backend>(&mut self, source: &Source<B>, mut returned: Returned) -> usize {
        // SAFETY: the caller's promise.
        unsafe { self.end_run(source, &mut returned) };
        if returned.largest >= MUCH {
            // SAFETY: the caller's promise.
            unsafe { self.after_free(source, returned.largest) };
        }
        returned.bytes
    }

    /// Empties the fastbins.
    ///
    /// # Safety
    /// `source` is the arena's.
    unsafe fn consolidate_fast<B: Backend>(&mut self, source: &Source<B>, returned: &mut Returned) {
        let mask = Mask::new(source.config.check);
        while self.fastbins.chunks() > 0 {
            // SAFETY: the arena is held.
            match unsafe { self.fastbins.pop_any(mask) } {
                // SAFETY: the chunk is this arena's, in use as its neighbours see it, and nobody's.
                Ok(Some((chunk, _))) => unsafe { self.give(source, chunk, returned) },
                Ok(None) => break,
                // The bin was forgotten, so this ends.
                Err((misuse, chunk)) => source.misuse(misuse, chunk.block()),
            }
        }
    }

    /// Takes a chunk back: joins it to the run, or ends that and begins another.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    #[inline]
    unsafe fn give<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk, returned: &mut Returned) {
        // SAFETY: the caller's promise.
        let (word, next, next_word) = match unsafe { self.sound(chunk) } {
            Ok(sound) => sound,
            Err(misuse) => return source.misuse(misuse, chunk.block()),
        };
        returned.bytes += size_of(word);
        match returned.run {
            // P goes from size words that come to lie inside, so that a second free is seen: see `free`.
            Some((first, end)) if end == chunk => {
                // SAFETY: the chunk is the arena's.
                unsafe { chunk.set_head(word & !PREV_IN_USE) };
                returned.run = Some((first, next));
            }
            Some((first, end)) if first == next => {
                // SAFETY: the chunk is the arena's.
                unsafe { next.set_head(next_word & !PREV_IN_USE) };
                returned.run = Some((chunk, end));
            }
            _ => {
                // SAFETY: the caller's promise.
                unsafe { self.end_run(source, returned) };
                returned.run = Some((chunk, next));
            }
        }
    }

    /// Makes the run one chunk, and merges and sorts it.
    ///
    /// # Safety
    /// `source` is the arena's.
    #[inline]
    unsafe fn end_run<B: Backend>(&mut self, source: &Source<B>, returned: &mut Returned) {
        let Some((first, end)) = returned.run.take() else { return };
        // SAFETY: the chunks of a run fill it, and are the arena's.
        unsafe { first.set_size_keep_flags(end.address() - first.address()) };
        // SAFETY: the chunk is in use as its neighbours see it, and nobody's.
        let merged = unsafe { self.merge(source, first) };
        returned.largest = returned.largest.max(merged);
    }
}
