//! Many chunks under one lock: what a thread cache asks for and gives back.
//!
//! ```text
//!  a free chunk, or the low end of top                     size words, links and keys in one pass, upwards
//!  +------------------------------------------+            +--------+--------+--------+----------------+
//!  |                                          |     ->     | block -|> block -|> block | rest, free     |
//!  +------------------------------------------+            +--------+--------+--------+----------------+
//! ```
//!
//! Fragments are used up before top is touched: chunks of exactly the size, the last remainder, then the smallest chunks
//! that fit, a few of them at most. Of memory that was never touched, no more is begun than a page.

use core::ptr;

use alloc_core::backend::Backend;

use super::State;
use super::consolidate::Returned;
use crate::bins::map::MIN_LARGE;
use crate::chunk::{Chunk, PREV_IN_USE};
use crate::class;
use crate::config::Era;
use crate::links::Mask;
use crate::magazine::{Magazine, Node};
use crate::size::{MIN_CHUNK, TO_BLOCK};
use crate::source::Source;

/// Chunks that one magazine is cut from, apart from those of exactly its size.
const SOURCES: usize = 4;

/// Memory that was never touched is begun in steps of this: a page, on most machines.
const FRESH_STEP: usize = 4096;

impl State {
    /// A magazine of `class`: one that was flushed, of any count, or a new one of up to `want` blocks. Empty when the backend
    /// has no more memory; nothing is lost then.
    ///
    /// # Safety
    /// `class` is one of chunks, `want` is not 0, and `source` is the arena's.
    pub(crate) unsafe fn fill<B: Backend>(
        &mut self,
        source: &Source<B>,
        class: usize,
        want: usize,
    ) -> Magazine {
        // SAFETY: the arena is held.
        if let Some(magazine) = unsafe { self.depot.pop(class) } {
            return magazine;
        }
        let mut chain = Chain::new(source.key, want);
        let size = class::chunk_size(class);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.fill_here(source, &mut chain, size) };
        if chain.count == 0 {
            // SAFETY: as above.
            unsafe { self.fill_more(source, &mut chain, size) };
        }
        // SAFETY: all its blocks are linked.
        unsafe { chain.seal(class) }
    }

    /// From what the arena has, the depot excepted.
    ///
    /// # Safety
    /// As for [`fill`](Self::fill).
    #[inline]
    unsafe fn fill_here<B: Backend>(&mut self, source: &Source<B>, chain: &mut Chain, size: usize) {
        if size < MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.fill_exact(source, chain, size) };
        }
        for _ in 0..SOURCES {
            if chain.room == 0 {
                return;
            }
            // SAFETY: the caller's promises are the callee's.
            let Some((chunk, have)) = (unsafe { self.take_fit(source, size) }) else {
                if chain.count == 0 && self.depot_comes_first(size) {
                    return;
                }
                // SAFETY: as above.
                return unsafe { self.carve_many_from_top(source, chain, size) };
            };
            // SAFETY: the chunk is marked free, off its list, and as large.
            unsafe { self.carve(source, chain, chunk, have, size) };
        }
    }

    /// From the small bin of exactly `size`.
    ///
    /// # Safety
    /// As for [`fill`](Self::fill), and `size` is small.
    #[inline]
    unsafe fn fill_exact<B: Backend>(&mut self, source: &Source<B>, chain: &mut Chain, size: usize) {
        let (flags, room) = (self.flags, chain.room);
        let take = |chunk: Chunk| {
            // SAFETY: the chunk is off its list, and the arena's.
            unsafe { chunk.set_used(size, flags) };
            // SAFETY: it is in use, and ours to give.
            unsafe { chain.push(chunk) };
        };
        // SAFETY: the arena is held.
        unsafe { self.bins.take_small(size, room, take) };
        // What is left although there is room is a chunk at fault, which this reports and leaves out.
        if chain.room > 0 && self.bins.small(size).is_some() {
            // SAFETY: the caller's promises are the callee's.
            if let Some(chunk) = unsafe { self.take_exact(source, size) } {
                // SAFETY: the chunk is in use, and ours to give.
                unsafe { chain.push(chunk) };
            }
        }
    }

    /// With what is kept apart, and with more memory, in the order of [`allocate`](Self::allocate).
    ///
    /// # Safety
    /// As for [`fill`](Self::fill).
    #[cold]
    unsafe fn fill_more<B: Backend>(&mut self, source: &Source<B>, chain: &mut Chain, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        if self.keeps_much() && unsafe { self.consolidate(source) } > 0 {
            // SAFETY: as above.
            unsafe { self.fill_here(source, chain, size) };
            if chain.count > 0 {
                return;
            }
        }
        // SAFETY: as above.
        if unsafe { self.grow(source, size) } {
            // SAFETY: as above.
            unsafe { self.carve_many_from_top(source, chain, size) };
            return;
        }
        // SAFETY: as above.
        if unsafe { self.consolidate(source) } > 0 {
            // SAFETY: as above.
            unsafe { self.fill_here(source, chain, size) };
        }
    }

    /// Cuts blocks of `size` off the low end of a free chunk of `have` bytes, as many as fit and are wanted.
    ///
    /// # Safety
    /// The chunk is marked free, off its list, and `have` is its size, at least `size`, which is a chunk size. Blocks are
    /// wanted.
    #[inline]
    unsafe fn carve<B: Backend>(
        &mut self,
        source: &Source<B>,
        chain: &mut Chain,
        chunk: Chunk,
        have: usize,
        size: usize,
    ) {
        // One chunk of about the size is the usual fragment, and needs no division.
        let blocks = if have < 2 * size { 1 } else { (have / size).min(chain.room) };
        let last = (blocks - 1) * size;
        // SAFETY: all but the last block lie in the chunk, which is ours.
        let chunk = unsafe { chain.cut(chunk, size, blocks - 1, self.flags) };
        // SAFETY: the last one starts there; its chunk is marked free at its end, and of this size.
        unsafe { self.split(source, chunk, have - last, size) };
        // SAFETY: it is in use now, and ours to give.
        unsafe { chain.push(chunk) };
    }

    /// Cuts blocks off the low end of top, as far as it is large enough: all that lie where memory was touched already, and
    /// up to the end of the page in which untouched memory begins, or one block.
    ///
    /// # Safety
    /// As for [`fill`](Self::fill). Blocks are wanted.
    #[inline]
    unsafe fn carve_many_from_top<B: Backend>(&mut self, source: &Source<B>, chain: &mut Chain, size: usize) {
        let room = self.top_room();
        if room < size {
            return;
        }
        let top = self.top.address();
        // SAFETY: the newest heap is live, and its header is the arena's.
        let fresh = unsafe { self.heap.as_ref() }.fresh;
        let begun = fresh.max(top + size + TO_BLOCK).next_multiple_of(FRESH_STEP);
        let blocks = (room.min(begun - TO_BLOCK - top) / size).min(chain.room);
        // SAFETY: this much lies in top.
        if let Some(found) = unsafe { self.carve_top(source, blocks * size) } {
            // SAFETY: the blocks fill the chunk that was cut off, which is ours.
            unsafe { chain.cut(found.chunk, size, blocks, self.flags) };
        }
    }

    /// A chunk in use of `chunk_size`, and with it more of exactly this size, up to `want` in all, that the arena has at hand:
    /// in the fastbin, or else in the small bin. What glibc does after a hit in one of these. Eras `Classic` and `Modern`.
    ///
    /// # Safety
    /// `chunk_size` is that of a class, `want` is not 0, and `source` is the arena's.
    pub(crate) unsafe fn stash<B: Backend>(
        &mut self,
        source: &Source<B>,
        chunk_size: usize,
        want: usize,
    ) -> Magazine {
        let mut chain = Chain::new(source.key, want);
        let class = class::of_chunk(chunk_size).unwrap_or(0);
        // SAFETY: the caller's promises are the callee's.
        let Some(found) = (unsafe { self.allocate(source, chunk_size) }) else {
            return Magazine::empty(class);
        };
        // SAFETY: the chunk is in use, and ours to give.
        unsafe { chain.push(found.chunk) };
        let mask = Mask::new(source.config.check);
        while chain.room > 0 {
            // SAFETY: the arena is held.
            match unsafe { self.fastbins.pop(chunk_size, mask) } {
                // SAFETY: a chunk in a fastbin is in use as its neighbours see it.
                Ok(Some(chunk)) => unsafe { chain.push(chunk) },
                Ok(None) => break,
                Err((misuse, chunk)) => source.misuse(misuse, chunk.block()),
            }
        }
        while chain.room > 0 && chunk_size < MIN_LARGE {
            // SAFETY: the caller's promises are the callee's.
            let Some(chunk) = (unsafe { self.take_exact(source, chunk_size) }) else { break };
            // SAFETY: the chunk is in use, and ours to give.
            unsafe { chain.push(chunk) };
        }
        // SAFETY: all its blocks are linked.
        unsafe { chain.seal(class) }
    }

    /// Takes a magazine back. In era `Ours` one of small blocks is kept whole; otherwise its blocks are freed one by one: merging
    /// costs little beside what a program does with more than a kilobyte, and other sizes may want the memory.
    ///
    /// The depot has no bound of its own, so that a flush is O(1). What it holds is used up before the arena grows or begins memory
    /// that was never touched, if it is much, and before anything is cut off top, if it is very much; what nobody wanted for an
    /// interval is taken apart then ([`release_stale`](Self::release_stale)). So it never makes the arena larger by more than
    /// its share.
    ///
    /// # Safety
    /// The magazine's blocks are nobody's, and of this arena unless its class is small; `source` is the arena's.
    pub(crate) unsafe fn keep<B: Backend>(&mut self, source: &Source<B>, magazine: Magazine) {
        if magazine.count == 0 {
            return;
        }
        if source.config.era == Era::Ours && magazine.class < class::FIRST_MEDIUM {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.depot.push(magazine) };
        }
        let mut returned = Returned::default();
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.take_apart(source, magazine, &mut returned) };
        // SAFETY: the caller's promise.
        unsafe { self.settle(source, returned) };
    }
}

/// A magazine that is being made, from its first block to its last.
struct Chain {
    head: *mut Node,
    last: *mut Node,
    count: usize,
    room: usize,
    key: usize,
}

impl Chain {
    #[inline]
    fn new(key: usize, want: usize) -> Self {
        Self {
            head: ptr::null_mut(),
            last: ptr::null_mut(),
            count: 0,
            room: want.min(crate::magazine::MAX_COUNT),
            key,
        }
    }

    /// Adds the block of a chunk at the end.
    ///
    /// # Safety
    /// The chunk is in use and nobody's, and there is room.
    #[inline]
    unsafe fn push(&mut self, chunk: Chunk) {
        let node = Node::of(chunk.block());
        // SAFETY: the smallest block holds a node.
        unsafe { Node::set_key(node, self.key) };
        // SAFETY: as above.
        unsafe { self.link(node) };
        self.last = node;
        self.count += 1;
        self.room -= 1;
    }

    /// Makes `node` follow the last block.
    ///
    /// # Safety
    /// Both are blocks of this chain.
    #[inline]
    unsafe fn link(&mut self, node: *mut Node) {
        if self.last.is_null() {
            self.head = node;
        } else {
            // SAFETY: the last block is a node of ours.
            unsafe { Node::set_next(self.last, node) };
        }
    }

    /// Cuts `blocks` chunks in use of `size` from `chunk` on and adds their blocks. Returns the chunk after them.
    ///
    /// # Safety
    /// The memory is nobody's, and what is before it is in use. There is room.
    #[inline]
    unsafe fn cut(&mut self, chunk: Chunk, size: usize, blocks: usize, flags: usize) -> Chunk {
        if blocks == 0 {
            return chunk;
        }
        debug_assert!(size >= MIN_CHUNK && blocks <= self.room);
        // SAFETY: the first block is a node from here on.
        unsafe { self.link(Node::of(chunk.block())) };
        let word = size | flags | PREV_IN_USE;
        let mut at = chunk;
        for _ in 0..blocks {
            let node = Node::of(at.block());
            // SAFETY: the chunk lies in the memory.
            unsafe { at.set_head(word) };
            // SAFETY: so does the chunk after it, or it is where the memory ends.
            at = unsafe { at.at_offset(size) };
            // SAFETY: the block holds a node. The last link is corrected by whatever comes next, or by `seal`.
            unsafe { Node::set_next(node, Node::of(at.block())) };
            // SAFETY: as above.
            unsafe { Node::set_key(node, self.key) };
            self.last = node;
        }
        self.count += blocks;
        self.room -= blocks;
        at
    }

    /// The magazine.
    ///
    /// # Safety
    /// Nothing else uses the blocks.
    #[inline]
    unsafe fn seal(self, class: usize) -> Magazine {
        if !self.last.is_null() {
            // SAFETY: the last block is a node of ours.
            unsafe { Node::set_next(self.last, ptr::null_mut()) };
        }
        Magazine { head: self.head, count: self.count, class }
    }
}
