//! A full depot taken apart in one pass over the heaps, when that is cheaper than chunk by chunk.
//!
//! ```text
//!  1 mark   | used | KEPT | free | KEPT | used | KEPT | top |       NOTE in the size words of what the depot held
//!  2 rebuild| used |     free           | used | top        |       upwards; the bins are filled anew
//! ```
//!
//! Merging one chunk costs two unlinks from anywhere in memory and one insertion; and when a program gives most of its blocks
//! back in random order, nearly each of them does. The rebuilding looks at every chunk once, in order of addresses, unlinks
//! nothing, and inserts each run of free chunks once. What it costs grows with all chunks of the arena, what it saves with those
//! in the depot.

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use super::State;
use super::strays::set_aside;
use crate::bins::Bins;
use crate::chunk::{Chunk, NOTE, PREV_IN_USE, contradicts, size_of};
use crate::heap::Heap;
use crate::magazine::Node;
use crate::prefetch::{LINE, prefetch};
use crate::size::MIN_CHUNK;
use crate::source::Source;

/// The bins are rebuilt if the depot holds at least one part in so many of the arena's memory.
const REBUILD_SHARE: usize = 4;

/// How far ahead of the pass memory is fetched, in bytes: where a chunk starts, only the one before it knows, and its size word
/// is far away when it is asked for.
const AHEAD: usize = 1536;

/// A run of free chunks.
#[derive(Clone, Copy)]
struct Run {
    first: Chunk,
    size: usize,
    /// Whether it is one chunk that was free before: then it stays as it is, with what it notes of itself.
    untouched: bool,
}

impl State {
    /// Whether the depot is so full that that is the cheaper way.
    pub(super) fn rebuilding_pays(&self) -> bool {
        self.depot.bytes() >= self.system_mem / REBUILD_SHARE
    }

    /// Takes the depot apart. Returns the bytes that went into the bins and the size of the largest chunk there.
    ///
    /// # Safety
    /// `source` is the arena's, whose era is `Ours`.
    pub(super) unsafe fn rebuild<B: Backend>(&mut self, source: &Source<B>) -> (usize, usize) {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.mark_depot(source) };
        self.bins = Bins::new();
        // It is a free chunk like any other, which lies in no bin.
        self.last_remainder = None;
        let mut largest = 0;
        let mut next = Some(self.heap);
        while let Some(heap) = next {
            // SAFETY: an arena's heaps stay while it is held.
            let heap = unsafe { heap.as_ref() };
            next = heap.previous();
            // SAFETY: the caller's promise.
            largest = largest.max(unsafe { self.rebuild_heap(source, heap) });
        }
        (bytes, largest)
    }

    /// Notes on every chunk of the depot that it is free from now on, and sets those aside that are other arenas'.
    ///
    /// # Safety
    /// As for [`rebuild`](Self::rebuild).
    unsafe fn mark_depot<B: Backend>(&mut self, source: &Source<B>) -> usize {
        let mut bytes = 0;
        let flags = self.flags;
        let (mine, strays) = (self.mine(source), &mut self.strays);
        let mark = |class, block| {
            if !mine.holds(Node::of(block)) {
                // SAFETY: it came out of a magazine of the class.
                return unsafe { set_aside(strays, class, Node::of(block)) };
            }
            // SAFETY: a magazine holds blocks of chunks.
            let chunk = unsafe { Chunk::of_block(block) };
            // SAFETY: as above.
            let word = unsafe { chunk.size_word() };
            if contradicts(word, flags) {
                // Noted already, it is in the depot twice; anything else was written by nobody of ours.
                let twice = word & NOTE != 0 && !contradicts(word & !NOTE, flags);
                return source
                    .misuse(if twice { Misuse::DoubleFree } else { Misuse::CorruptedHeader }, block);
            }
            // SAFETY: the chunk is the arena's.
            unsafe { chunk.set_head(word | NOTE) };
            bytes += size_of(word);
        };
        // SAFETY: the arena is held.
        unsafe { self.depot.drain(mark) };
        bytes
    }

    /// Merges the free chunks of one heap, old and noted ones, and puts them in the bins. Returns the size of the largest.
    ///
    /// # Safety
    /// As for [`rebuild`](Self::rebuild); the heap is the arena's, and no bin holds a chunk of it.
    unsafe fn rebuild_heap<B: Backend>(&mut self, source: &Source<B>, heap: &Heap) -> usize {
        let newest = heap.fence().is_none();
        let end = heap.fence().unwrap_or(self.top);
        let mut largest = 0;
        let mut run: Option<Run> = None;
        let mut chunk = heap.first();
        while chunk < end {
            // SAFETY: a chunk starts where the one before it ends.
            let word = unsafe { chunk.size_word() };
            let size = size_of(word);
            if size < MIN_CHUNK || size > end.address() - chunk.address() {
                // Where the next chunk starts cannot be known: the rest of the heap stays as it is, in use for ever.
                source.misuse(Misuse::CorruptedHeader, chunk.block());
                break;
            }
            // Two lines a chunk: most are shorter where there are many, and where they are long there is little to fetch.
            prefetch(chunk.start(), AHEAD);
            prefetch(chunk.start(), AHEAD + LINE);
            // SAFETY: a chunk, the fence or top follows.
            let next = unsafe { chunk.at_offset(size) };
            // SAFETY: as above.
            let was_free = !unsafe { next.prev_in_use() };
            if was_free || word & NOTE != 0 {
                run = Some(match run {
                    None => Run { first: chunk, size, untouched: was_free },
                    Some(run) => {
                        // Without P, so that a second free of a block in the merged chunk is seen: see `free`.
                        // SAFETY: the chunk is the arena's.
                        unsafe { chunk.set_head(word & !(PREV_IN_USE | NOTE)) };
                        Run { size: run.size + size, untouched: false, ..run }
                    }
                });
            } else if let Some(run) = run.take() {
                // SAFETY: the run is free, of this arena, in no bin, and a chunk in use follows.
                largest = largest.max(unsafe { self.end_run_of(source, run) });
            }
            chunk = next;
        }
        let Some(run) = run else { return largest };
        if newest && chunk == end {
            // SAFETY: top is a chunk.
            let top_word = unsafe { end.size_word() };
            // SAFETY: the run ends at top, and what is before it is in use.
            return largest.max(unsafe { self.merge_into_top(run.first, run.size, top_word) });
        }
        // SAFETY: as above; the fence follows, or a chunk that cannot be read.
        largest.max(unsafe { self.end_run_of(source, run) })
    }

    /// Puts a run in its bin. Returns its size.
    ///
    /// # Safety
    /// The run is of free or noted chunks of this arena that are in no bin, between chunks in use.
    unsafe fn end_run_of<B: Backend>(&mut self, source: &Source<B>, run: Run) -> usize {
        if !run.untouched {
            // SAFETY: the run is the arena's to shape, and not its heap's last.
            unsafe { run.first.set_free(run.size, self.flags) };
        }
        // SAFETY: the chunk is free, of this size, merged, and on no list.
        let put = unsafe { self.bins.insert(run.first, run.size) };
        self.report(source, put, run.first);
        run.size
    }
}
