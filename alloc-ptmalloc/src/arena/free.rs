//! A chunk comes back: it is checked, merged with its free neighbours, and put in a bin.
//!
//! ```text
//!   before free?     the chunk      after free?                    goes to
//!  +-----------+----------------+-----------+      Classic   up to 128: its fastbin, unmerged; else the unsorted bin
//!  | take out  |                | take out  |  ->  Modern    small: its small bin; large: the unsorted bin
//!  +-----------+----------------+-----------+      Ours      the bin of its size, or the last remainder if that was part
//!        \___________ one free chunk ______/       all       top, if that comes after
//! ```
//!
//! The size word of every chunk that is merged into one before it is left with P clear, so that a second free of any block
//! in the merged chunk finds its next chunk saying that it is free already, for as long as the memory is not reused.

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use super::State;
use super::alloc::LARGEST_REMAINDER;
use crate::bins::map::MIN_LARGE;
use crate::chunk::{Chunk, PREV_IN_USE, contradicts, size_of};
use crate::config::{Era, Tunables};
use crate::links::Mask;
use crate::magazine::Node;
use crate::size::MIN_CHUNK;
use crate::source::Source;

/// From this size of a merged chunk on, fastbins are consolidated and policy is asked whether memory goes back.
pub(super) const MUCH: usize = 64 << 10;

/// The smallest size word that can follow a chunk: a fence's.
const MIN_NEXT: usize = 16;

impl State {
    /// Takes a chunk back from its holder.
    ///
    /// # Safety
    /// `chunk` lies in a heap of this arena, `source` is the arena's, and nobody uses the block any more. That it is a chunk in
    /// use is checked as far as its surroundings tell.
    pub(crate) unsafe fn free<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk) {
        if let Some(byte) = source.perturb() {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.perturb_freed(source, chunk, byte) };
        }
        if source.config.era == Era::Classic {
            // SAFETY: the caller's promises are the callee's.
            if unsafe { self.keep_fast(source, chunk) } {
                return;
            }
        }
        // SAFETY: the caller's promises are the callee's.
        let merged = unsafe { self.merge(source, chunk) };
        if merged >= MUCH {
            if self.fastbins.chunks() > 0 {
                // SAFETY: the arena is held, and `source` is its.
                unsafe { self.consolidate(source) };
            }
            // SAFETY: as above.
            unsafe { self.after_free(source, merged) };
        }
    }

    /// Puts a chunk in its fastbin, if there is one for it. Whether that is done with.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    #[inline]
    unsafe fn keep_fast<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk) -> bool {
        // SAFETY: the caller's promise.
        let size = unsafe { chunk.size() };
        if size > Tunables::get(&source.tunables.max_fast) {
            return false;
        }
        // SAFETY: the caller's promise.
        let kept = match unsafe { self.sound(chunk) } {
            // SAFETY: the chunk is in use, and its holder gave it up.
            Ok(_) => unsafe { self.fastbins.push(chunk, size, Mask::new(source.config.check)) },
            Err(misuse) => Err(misuse),
        };
        match kept {
            Ok(kept) => {
                // For walks, as in a magazine.
                // SAFETY: the chunk's holder gave it up, and a fastbin uses the first word alone.
                unsafe { Node::set_key(Node::of(chunk.block()), source.key) };
                kept
            }
            Err(misuse) => {
                source.misuse(misuse, chunk.block());
                true
            }
        }
    }

    /// What surrounds a chunk in use says that it is one. Returns its size word, the chunk after it and that one's size word.
    ///
    /// # Safety
    /// `chunk` lies in a heap of this arena.
    ///
    /// # Errors
    /// [`Misuse::CorruptedHeader`] when its size word or the next one cannot be, [`Misuse::DoubleFree`] when the next one says
    /// that it is free.
    #[inline]
    pub(crate) unsafe fn sound(&self, chunk: Chunk) -> Result<(usize, Chunk, usize), Misuse> {
        // SAFETY: the caller's promise.
        let word = unsafe { chunk.size_word() };
        let size = size_of(word);
        if size < MIN_CHUNK || !chunk.is_near(chunk.address().wrapping_add(size)) {
            return Err(Misuse::CorruptedHeader);
        }
        // SAFETY: the address lies in the same heap.
        let next = unsafe { chunk.at_offset(size) };
        // SAFETY: as above.
        let next_word = unsafe { next.size_word() };
        if size_of(next_word) < MIN_NEXT {
            return Err(Misuse::CorruptedHeader);
        }
        if next_word & PREV_IN_USE == 0 {
            return Err(Misuse::DoubleFree);
        }
        // Last: a free chunk may carry flags that one in use cannot.
        if contradicts(word, self.flags) {
            return Err(Misuse::CorruptedHeader);
        }
        Ok((word, next, next_word))
    }

    /// Merges a chunk in use with its free neighbours and puts the result in a bin, or into top. Returns the size of the
    /// result; 0 when something was wrong with the chunk, which was reported.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    pub(super) unsafe fn merge<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk) -> usize {
        // SAFETY: the caller's promise.
        let (word, next, next_word) = match unsafe { self.sound(chunk) } {
            Ok(sound) => sound,
            Err(misuse) => {
                source.misuse(misuse, chunk.block());
                return 0;
            }
        };
        let (mut start, mut size) = (chunk, size_of(word));
        // In era `Ours`, what is merged with the last remainder is the last remainder.
        let remainder = self.last_remainder;
        let mut remains = false;
        if word & PREV_IN_USE == 0 {
            // SAFETY: a chunk is here.
            let before_size = unsafe { chunk.prev_size() };
            let before_address = chunk.address().wrapping_sub(before_size);
            if before_size < MIN_CHUNK || !chunk.is_near(before_address) {
                source.misuse(Misuse::CorruptedHeader, chunk.block());
                return 0;
            }
            // SAFETY: the address lies in the same heap.
            let before = unsafe { chunk.before_offset(before_size) };
            // SAFETY: as above.
            if unsafe { before.size() } != before_size {
                source.misuse(Misuse::CorruptedHeader, chunk.block());
                return 0;
            }
            // SAFETY: the chunk before is marked free, and foot and size word agree.
            if unsafe { self.take_out(source, before, before_size) } {
                remains = remainder == Some(before);
                start = before;
                size += before_size;
            }
        }
        if next == self.top {
            // SAFETY: the chunk ends where top starts.
            return unsafe { self.merge_into_top(start, size, next_word) };
        }
        let next_size = size_of(next_word);
        if !next.is_near(next.address().wrapping_add(next_size)) {
            source.misuse(Misuse::CorruptedHeader, next.block());
        } else {
            // SAFETY: the address lies in the same heap.
            let after = unsafe { next.at_offset(next_size) };
            // SAFETY: as above.
            if !unsafe { after.prev_in_use() } {
                // SAFETY: the next chunk is marked free, and its size does not leave the heap.
                if unsafe { self.take_out(source, next, next_size) } {
                    // Its size word stays where it is, inside the merged chunk.
                    // SAFETY: the chunk is the arena's.
                    unsafe { next.set_head(next_word & !PREV_IN_USE) };
                    remains |= remainder == Some(next);
                    size += next_size;
                }
            }
        }
        // SAFETY: the chunk is the arena's, merged, and not the last of its heap, since it is not before top.
        unsafe { start.set_free(size, self.flags) };
        // SAFETY: it is free and on no list.
        unsafe { self.put_freed(source, start, size, remains) };
        size
    }

    /// Puts a merged chunk where the era wants it.
    ///
    /// # Safety
    /// The chunk is free, of `size`, merged, and on no list.
    #[inline]
    unsafe fn put_freed<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk, size: usize, remains: bool) {
        let put = match source.config.era {
            Era::Ours => {
                if remains && size < LARGEST_REMAINDER && self.last_remainder.is_none() {
                    self.last_remainder = Some(chunk);
                    return;
                }
                // SAFETY: the caller's promises are the callee's.
                unsafe { self.bins.insert(chunk, size) }
            }
            // SAFETY: the caller's promises are the callee's.
            Era::Modern if size < MIN_LARGE => unsafe { self.bins.insert_small(chunk, size) },
            // SAFETY: the caller's promises are the callee's.
            Era::Classic | Era::Modern => unsafe { self.bins.push_unsorted(chunk, size) },
        };
        self.report(source, put, chunk);
    }

    /// Puts memory that was no user's, and is in no bin, in the bins: what growing left of an old top, the ends of an aligned
    /// chunk, a tail that was cut off. It is merged with its neighbours.
    ///
    /// # Safety
    /// `chunk` has the size word of a chunk in use, P of the next chunk says so, and nobody holds its block.
    pub(crate) unsafe fn release<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.merge(source, chunk) };
    }

    /// Makes a chunk that ends at top its beginning. Returns the new size of top.
    ///
    /// # Safety
    /// The chunk is on no list, of `size`, top follows with the size word `top_word`, and what is before it is in use.
    #[inline]
    pub(super) unsafe fn merge_into_top(&mut self, chunk: Chunk, size: usize, top_word: usize) -> usize {
        // SAFETY: the old size word lies inside top from now on.
        unsafe { self.top.set_head(top_word & !PREV_IN_USE) };
        let size = size + size_of(top_word);
        // SAFETY: the chunk is the arena's.
        unsafe { chunk.set_head(size | PREV_IN_USE) };
        self.top = chunk;
        size
    }
}
