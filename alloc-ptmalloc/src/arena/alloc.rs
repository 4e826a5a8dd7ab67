//! One chunk: where it is looked for, in which order.
//!
//! ```text
//!  Classic                                     Modern                        Ours
//!  fastbin of the size                         -                             -
//!  small bin of the size                       the same                      the same
//!  (large: fastbins are consolidated)          -                             -
//!  unsorted bin: last remainder if alone,      the same                      last remainder (small sizes)
//!    exact fit, else each into its bin
//!  best fit, split                             the same                      the same, last remainder among them
//!  -                                           -                             depot, if full, before fresh memory
//!  top                                         the same                      the same
//!  fastbins consolidated, all again            -                             depot taken apart, all again
//!  more memory                                 the same                      the same
//! ```
//!
//! What a split leaves becomes, for small sizes, the **last remainder**: requests that follow each other get neighbouring
//! memory (Lea). In the eras of glibc it lies at the end of the unsorted bin. In ours it lies in no bin, as the designated
//! victim of dlmalloc does, so that cutting from it again is arithmetic.

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use super::State;
use crate::bins::map::{self, MIN_LARGE};
use crate::chunk::{Chunk, PREV_IN_USE};
use crate::config::Era;
use crate::size::{MIN_CHUNK, TO_BLOCK};
use crate::source::Source;

/// A chunk in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The chunk.
    pub(crate) chunk: Chunk,
    /// From this address on, the block reads as zero. `usize::MAX` when nothing is known.
    pub(crate) clean_from: usize,
}

impl Found {
    /// A chunk that was used before.
    #[inline]
    pub(super) const fn used(chunk: Chunk) -> Self {
        Self { chunk, clean_from: usize::MAX }
    }
}

/// A remainder of this size or more is sorted at once: where it can be purged and found by any request.
pub(super) const LARGEST_REMAINDER: usize = 64 << 10;

/// The depot is taken apart, before an arena grows or begins memory that was never touched, if it holds at least one part in so
/// many of the arena's memory.
const DEPOT_SHARE: usize = 64;
/// And at least so many bytes: what less of it could hold is not worth the walk.
const DEPOT_LEAST: usize = 32 << 10;
/// If it holds so large a part, and so many bytes, before anything is cut off top, touched or not. A program may give back other
/// classes than it takes: a string that was shrunk where it is goes to the class of its new size, and the next one of the old
/// size is cut anew.
const DEPOT_MOST_SHARE: usize = 16;
const DEPOT_MOST: usize = 64 << 10;

impl State {
    /// A chunk in use of `size` bytes, or up to a smallest chunk more. `None` when the backend has no more memory; nothing is
    /// lost then.
    ///
    /// # Safety
    /// `size` is a chunk size, and `source` is the arena's.
    pub(crate) unsafe fn allocate<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Found> {
        // SAFETY: the caller's promises are the callee's.
        if let Some(found) = unsafe { self.allocate_here(source, size) } {
            return Some(found);
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.allocate_more(source, size) }
    }

    /// From what the arena has, chunks that are kept apart excepted.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    #[inline]
    unsafe fn allocate_here<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Found> {
        let chunk = if source.config.era == Era::Ours {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.search(source, size) }
        } else {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.search_as_glibc(source, size) }
        };
        match chunk {
            Some(chunk) => Some(Found::used(chunk)),
            None if self.depot_comes_first(size) => None,
            // SAFETY: the caller's promises are the callee's.
            None => unsafe { self.carve_top(source, size) },
        }
    }

    /// Takes apart what is kept, if that is much, before asking for more; and all of it, if there is no more.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    #[cold]
    unsafe fn allocate_more<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Found> {
        // SAFETY: the caller's promises are the callee's.
        if self.keeps_much() && unsafe { self.consolidate(source) } > 0 {
            // SAFETY: as above.
            let found = unsafe { self.allocate_here(source, size) };
            if found.is_some() {
                return found;
            }
        }
        // SAFETY: as above.
        if unsafe { self.grow(source, size) } {
            // SAFETY: as above.
            return unsafe { self.carve_top(source, size) };
        }
        // SAFETY: as above.
        if unsafe { self.consolidate(source) } > 0 {
            // SAFETY: as above.
            return unsafe { self.allocate_here(source, size) };
        }
        None
    }

    /// Whether chunks are kept apart that should be used up before the arena grows: any fastbin (as in glibc), and a depot
    /// that has its share of the arena.
    pub(super) fn keeps_much(&self) -> bool {
        self.fastbins.chunks() > 0 || self.depot_is_full()
    }

    #[inline]
    fn depot_is_full(&self) -> bool {
        self.depot.bytes() >= (self.system_mem / DEPOT_SHARE).max(DEPOT_LEAST)
    }

    /// Whether the depot has so much that a chunk of `size` should not be cut off top: less is enough where that would begin memory
    /// that was never touched.
    #[inline]
    pub(super) fn depot_comes_first(&self, size: usize) -> bool {
        if self.depot.bytes() >= (self.system_mem / DEPOT_MOST_SHARE).max(DEPOT_MOST) {
            return true;
        }
        // SAFETY: the newest heap is live, and its header is the arena's.
        let fresh = unsafe { self.heap.as_ref() }.fresh;
        size > fresh.saturating_sub(self.top.address() + TO_BLOCK) && self.depot_is_full()
    }

    /// Era `Ours`: exact, last remainder, best fit.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    #[inline]
    unsafe fn search<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Chunk> {
        if size < MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            if let Some(chunk) = unsafe { self.take_exact(source, size) } {
                return Some(chunk);
            }
        }
        // SAFETY: as above.
        let (chunk, have) = unsafe { self.take_fit(source, size) }?;
        // SAFETY: the chunk is free, off its list, and as large.
        unsafe { self.split(source, chunk, have, size) };
        Some(chunk)
    }

    /// Takes the oldest chunk of the small bin of exactly `size`, in use.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate), and `size` is small.
    #[inline(always)]
    pub(super) unsafe fn take_exact<B: Backend>(&mut self, source: &Source<B>, size: usize) -> Option<Chunk> {
        let chunk = self.bins.small(size)?;
        // SAFETY: a chunk in a bin is free.
        if unsafe { chunk.size() } != size {
            self.forget(source, Misuse::CorruptedHeader, chunk);
            return None;
        }
        // SAFETY: as above, and of this size, with which it ends in its heap.
        if !unsafe { self.take_out(source, chunk, size) } {
            return None;
        }
        // SAFETY: the chunk is off its list, and the arena's.
        unsafe { chunk.set_used(size, self.flags) };
        Some(chunk)
    }

    /// Takes a free chunk of at least `size` off its list: the last remainder for small sizes if it is large enough, else the
    /// smallest there is. Returns it with its size; it is still marked free.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    #[inline]
    pub(super) unsafe fn take_fit<B: Backend>(
        &mut self,
        source: &Source<B>,
        size: usize,
    ) -> Option<(Chunk, usize)> {
        // SAFETY: the last remainder is a free chunk.
        let remainder = self.last_remainder.map(|chunk| (chunk, unsafe { chunk.size() }));
        let remainder = remainder.filter(|&(_, have)| have >= size && source.config.era == Era::Ours);
        if let Some(found) = remainder.filter(|_| size < MIN_LARGE) {
            self.last_remainder = None;
            return Some(found);
        }
        // Each failure leaves a bin forgotten, so this ends.
        loop {
            // SAFETY: the arena is held.
            let best = match unsafe { self.bins.best_fit(size) } {
                Ok(best) => best,
                Err((misuse, bin)) => {
                    self.distrust_bin(source, misuse, bin);
                    continue;
                }
            };
            // SAFETY: a chunk in a bin is free.
            let best = best.map(|chunk| (chunk, unsafe { chunk.size() }));
            match (best, remainder) {
                (best, Some((chunk, have))) if best.is_none_or(|(_, larger)| have <= larger) => {
                    self.last_remainder = None;
                    return Some((chunk, have));
                }
                (Some((chunk, have)), _) => {
                    // SAFETY: the chunk is in a bin.
                    if unsafe { self.take_sound(source, chunk, have, size) } {
                        return Some((chunk, have));
                    }
                    // It was found in the bin of `size`, or at the head of another one.
                    self.bins.forget(map::index(size));
                }
                (None, _) => return None,
            }
        }
    }

    /// Takes a chunk off its list, if its size word may be right and is at least `least`.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate); `chunk` is on a list, and `have` is what its size word says.
    #[inline]
    pub(super) unsafe fn take_sound<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        have: usize,
        least: usize,
    ) -> bool {
        if have < least || !chunk.is_near(chunk.address().wrapping_add(have)) {
            self.forget(source, Misuse::CorruptedHeader, chunk);
            return false;
        }
        // SAFETY: the size does not leave the heap.
        unsafe { self.take_out(source, chunk, have) }
    }

    /// Makes a free chunk of `have` bytes one in use of `size`, and its rest a free one. A rest too small for a chunk stays
    /// with it.
    ///
    /// # Safety
    /// The chunk is marked free, off its list, and `have` is its size, at least `size`, which is a chunk size.
    #[inline]
    pub(crate) unsafe fn split<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        have: usize,
        size: usize,
    ) {
        let left = have - size;
        if left < MIN_CHUNK {
            // SAFETY: the chunk is the arena's, off its list.
            unsafe { chunk.set_used(have, self.flags) };
            return;
        }
        // SAFETY: as above. What is before a free chunk is in use.
        unsafe { chunk.set_head(size | self.flags | PREV_IN_USE) };
        // SAFETY: the rest lies in the chunk.
        let rest = unsafe { chunk.at_offset(size) };
        // SAFETY: the rest is the arena's; the chunk before it is in use, and the one after it says already that its
        // neighbour is free.
        unsafe { rest.set_head(left | self.flags | PREV_IN_USE) };
        // SAFETY: the rest is free, and a chunk follows.
        unsafe { rest.set_foot(left) };
        // SAFETY: it is free and on no list.
        unsafe { self.put_remainder(source, rest, left, size) };
    }

    /// Puts what a split for `size` left where the era wants it.
    ///
    /// # Safety
    /// The chunk is free, of `left` bytes, merged, and on no list.
    #[inline]
    pub(super) unsafe fn put_remainder<B: Backend>(
        &mut self,
        source: &Source<B>,
        rest: Chunk,
        left: usize,
        size: usize,
    ) {
        if source.config.era != Era::Ours {
            // SAFETY: the caller's promises are the callee's.
            let put = unsafe { self.bins.push_unsorted(rest, left) };
            self.report(source, put, rest);
            if size < MIN_LARGE {
                self.last_remainder = Some(rest);
            }
            return;
        }
        if size >= MIN_LARGE || left >= LARGEST_REMAINDER {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.sort(source, rest, left) };
            return;
        }
        if let Some(before) = self.last_remainder.replace(rest) {
            // SAFETY: the last remainder is a free chunk.
            let size = unsafe { before.size() };
            // SAFETY: it is on no list.
            unsafe { self.sort(source, before, size) };
        }
    }

    /// Puts a free chunk in the bin of its size.
    ///
    /// # Safety
    /// As for [`Bins::insert`](crate::bins::Bins::insert).
    #[inline]
    pub(super) unsafe fn sort<B: Backend>(&mut self, source: &Source<B>, chunk: Chunk, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        let put = unsafe { self.bins.insert(chunk, size) };
        self.report(source, put, chunk);
    }

    /// Takes a free chunk off whatever list it is on, or says why it cannot be trusted, and leaves it out of everything from
    /// then on. Whether it is the caller's.
    ///
    /// # Safety
    /// The arena is held. The chunk is marked free, and `size`, which its size word or foot says, does not leave the heap.
    #[inline(always)]
    pub(crate) unsafe fn take_out<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk: Chunk,
        size: usize,
    ) -> bool {
        if self.last_remainder == Some(chunk) {
            self.last_remainder = None;
            if source.config.era == Era::Ours {
                return true;
            }
        }
        // SAFETY: the caller's promises are the callee's.
        match unsafe { self.bins.unlink(chunk, size) } {
            Ok(()) => true,
            Err(misuse) => {
                // SAFETY: the caller's promises are the callee's.
                unsafe { self.distrust(source, misuse, chunk, size) };
                false
            }
        }
    }
}
