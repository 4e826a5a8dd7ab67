//! Giving memory back to the system that nobody wants: when, and how much.
//!
//! In the eras of glibc top is cut back as soon as it exceeds the trim threshold. In ours hardly anything goes back at once,
//! because memory that is freed is most often wanted again soon, and having it back costs a fault a page. What lies free
//! for the purge delay goes:
//!
//! - of top, what no chunk was cut from during a whole delay, less the trim threshold (a high-water mark, reset at
//!   each tick);
//! - of chunks in bins from 64 KiB on, the whole pages inside. A first look dates the chunk, a later one purges it:
//!
//! ```text
//!  chunk -> | foot of prev | size  |NOTE| fd | bk | fd_nextsize | bk_nextsize | date | ...whole pages... |
//! ```
//!
//! The date counts while the flag [`NOTE`] is set, which goes with whatever happens to the chunk: so that no chunk is purged
//! twice, nor one that was used in between.

use alloc_core::arith::{align_down, align_up};
use alloc_core::backend::Backend;

use super::State;
use crate::bins::map::{self, BINS, UNSORTED};
use crate::chunk::{Chunk, NOTE};
use crate::clock;
use crate::config::{Era, Tunables};
use crate::links::BIN;
use crate::size::{MIN_CHUNK, TO_BLOCK};
use crate::source::Source;

/// Smaller free chunks keep their pages until `malloc_trim`: giving 16 pages back and having them again costs about 13 µs
/// (measured: 5 for the call, 8 for the faults), and what is smaller lies between blocks whose turnover will want it.
const PURGE_FROM: usize = 64 << 10;

/// Chunks that one tick purges at most, the largest bins first: the arena is held meanwhile, and a call takes 5 µs for 64 KiB
/// and 80 µs for 1 MiB (measured). What is left has its turn after the next delay.
const PURGES_A_TICK: usize = 64;

/// In era `Ours`, pages of top beyond this, or beyond the trim threshold where that is more, do not wait for the delay: half of
/// them goes. Measured on blocks of 256 KiB to 16 MiB, two of them live: without, 0.29 of glibc's time and 1.10 of its peak
/// RSS; with, 0.32 and 1.03.
const HOARD: usize = 32 << 20;

/// From a free chunk to its date, behind the four links.
const DATE: usize = 48;

/// From a free chunk to what may be purged.
const HEADER: usize = 64;

/// The date of a chunk that was purged.
const PURGED: usize = usize::MAX;

/// What an arena knows of its free memory.
#[derive(Debug)]
pub(crate) struct Purge {
    /// The highest address that top has started at since the last tick.
    high: usize,
    /// When the last tick was, in milliseconds.
    last_ms: u64,
    /// Whether a tick is under way: what it does may ask for another.
    busy: bool,
}

impl Purge {
    pub(super) const fn new() -> Self {
        Self { high: 0, last_ms: 0, busy: false }
    }

    /// Says that top starts at `address` now.
    #[inline]
    pub(crate) fn used_to(&mut self, address: usize) {
        self.high = self.high.max(address);
    }

    /// Says that top starts at `address` now, in another heap.
    pub(super) fn begin(&mut self, address: usize) {
        self.high = address;
    }
}

impl State {
    /// Lets policy look at a chunk of `size` bytes, 64 KiB or more, that became free, or at top that grew to it.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(crate) unsafe fn after_free<B: Backend>(&mut self, source: &Source<B>, size: usize) {
        debug_assert!(size >= PURGE_FROM);
        let threshold = Tunables::get(&source.tunables.trim_threshold);
        if source.config.era != Era::Ours {
            // SAFETY: top is a chunk.
            if unsafe { self.top.size() } >= threshold {
                // SAFETY: the caller's promise.
                unsafe { self.trim_top(source, Tunables::get(&source.tunables.top_pad)) };
            }
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.tick(source, clock::now_ms()) };
        // SAFETY: the newest heap is live.
        let touched = unsafe { self.heap.as_ref() }.fresh.saturating_sub(self.top.address());
        let most = threshold.max(HOARD);
        if touched >= most {
            // SAFETY: the caller's promise.
            unsafe { self.trim_top(source, most / 2) };
        }
    }

    /// Gives back what was free for the purge delay. To be called now and then with the time; era `Ours`, nothing in others.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(crate) unsafe fn tick<B: Backend>(&mut self, source: &Source<B>, now_ms: u64) {
        let delay = u64::from(source.config.purge_delay);
        let due = now_ms.saturating_sub(self.purge.last_ms) >= delay;
        if source.config.era != Era::Ours || !due || self.purge.busy {
            return;
        }
        self.purge.busy = true;
        self.purge.last_ms = now_ms;
        // SAFETY: the caller's promise.
        unsafe { self.release_stale(source) };
        // SAFETY: as above.
        unsafe { self.purge_top(source) };
        // SAFETY: as above.
        unsafe { self.purge_old(source, now_ms as usize, delay as usize) };
        source.mapped.tick(source, now_ms);
        self.purge.busy = false;
    }

    /// Gives every whole page of free memory back, but for `pad` bytes at top: `malloc_trim`. Returns the bytes.
    ///
    /// # Safety
    /// `source` is the arena's.
    pub(crate) unsafe fn trim<B: Backend>(&mut self, source: &Source<B>, pad: usize) -> usize {
        let busy = core::mem::replace(&mut self.purge.busy, true);
        // SAFETY: the caller's promise.
        unsafe { self.consolidate(source) };
        let least = HEADER + source.backend.granule();
        let mut bytes = 0;
        self.each_free(least, |chunk, size| {
            // SAFETY: the chunk is free and as large.
            bytes += unsafe { purge_chunk(source, chunk, size) };
            true
        });
        self.purge.busy = busy;
        // SAFETY: the caller's promise.
        bytes + unsafe { self.trim_top(source, pad) }
    }

    /// Cuts top back to `pad` bytes and a smallest chunk, and gives the pages beyond back. Returns their bytes.
    ///
    /// # Safety
    /// `source` is the arena's.
    unsafe fn trim_top<B: Backend>(&mut self, source: &Source<B>, pad: usize) -> usize {
        let from = self.top.address().saturating_add(MIN_CHUNK).saturating_add(pad);
        // SAFETY: the caller's promise.
        unsafe { self.cut_top(source, from) }
    }

    /// The part of a tick that is about top.
    ///
    /// # Safety
    /// `source` is the arena's.
    unsafe fn purge_top<B: Backend>(&mut self, source: &Source<B>) {
        let top = self.top.address();
        let from = top.saturating_add(kept_at_top(source)).max(self.purge.high).saturating_add(MIN_CHUNK);
        // SAFETY: the caller's promise.
        unsafe { self.cut_top(source, from) };
        self.purge.high = top;
    }

    /// Ends top at the first page from `from` on, which lies at least a smallest chunk beyond its start, and gives what was
    /// touched behind it back. Returns the bytes.
    ///
    /// # Safety
    /// `source` is the arena's.
    unsafe fn cut_top<B: Backend>(&mut self, source: &Source<B>, from: usize) -> usize {
        let page = source.backend.granule().max(TO_BLOCK);
        let Some(from) = align_up(from, page).filter(|&from| from < self.top_end()) else { return 0 };
        // SAFETY: a multiple of 16 between top and its end.
        unsafe { self.set_top_end(from) };
        // SAFETY: the newest heap is live, and its header is the arena's alone.
        let heap = unsafe { self.heap.as_mut() };
        let touched = align_up(heap.fresh, page).map_or(heap.end(), |touched| touched.min(heap.end()));
        if touched <= from {
            return 0;
        }
        // SAFETY: the address lies in the heap, above top.
        let start = unsafe { self.top.at_offset(from - self.top.address()) }.start();
        // SAFETY: from there to the end of what was touched is top's, of which nothing but the head is used.
        let bytes = unsafe { source.backend.purge(start, touched - from) };
        if B::ZEROED && bytes == touched - from {
            heap.fresh = from;
        }
        bytes
    }

    /// Dates the large free chunks, and purges those that were dated `delay` milliseconds ago or more.
    ///
    /// # Safety
    /// `source` is the arena's.
    unsafe fn purge_old<B: Backend>(&mut self, source: &Source<B>, now: usize, delay: usize) {
        let mut left = PURGES_A_TICK;
        self.each_free(PURGE_FROM, |chunk, size| {
            // SAFETY: a free chunk as large has a date, which counts if it is noted.
            let date = unsafe { date(chunk) };
            let since = date.unwrap_or(now);
            if since == PURGED {
                return true;
            }
            if now.saturating_sub(since) >= delay {
                // SAFETY: the chunk is free and as large.
                unsafe { purge_chunk(source, chunk, size) };
                left -= 1;
            } else if date.is_none() {
                // SAFETY: as above.
                unsafe { note(chunk, now) };
            }
            left > 0
        });
    }

    /// Shows the free chunks of at least `least` bytes in bins, the largest bins first, until `visit` answers `false`.
    fn each_free(&self, least: usize, mut visit: impl FnMut(Chunk, usize) -> bool) {
        // A list that was tampered with may never lead back to its head. No more chunks than these can be free.
        let mut most = self.max_system_mem / least;
        let bins = (map::index(least)..BINS).rev().filter(|&bin| self.bins.map().get(bin));
        for bin in bins.chain([UNSORTED]) {
            let Some(head) = self.bins.head(bin) else { continue };
            let mut chunk = head;
            loop {
                // SAFETY: a chunk in a bin is free.
                let size = unsafe { chunk.size() };
                if size >= least && !visit(chunk, size) || most == 0 {
                    return;
                }
                most -= 1;
                // SAFETY: a chunk in a bin has the links of one.
                match unsafe { BIN.after(chunk) } {
                    Some(next) if next != head => chunk = next,
                    _ => break,
                }
            }
        }
    }
}

/// Bytes of top that stay in any case in era `Ours`.
fn kept_at_top<B: Backend>(source: &Source<B>) -> usize {
    // The user's own threshold counts. One that followed the size of freed mappings is for eras without a delay, where it has to
    // keep the system from being called for each block.
    if Tunables::get(&source.tunables.dynamic_threshold) == 0 {
        Tunables::get(&source.tunables.trim_threshold)
    } else {
        source.config.trim_threshold
    }
}

/// Gives back the whole pages inside a free chunk, unless that was done, and notes it. Returns the bytes.
///
/// # Safety
/// The chunk is free, in a bin, and of `size` bytes, more than a header's.
unsafe fn purge_chunk<B: Backend>(source: &Source<B>, chunk: Chunk, size: usize) -> usize {
    // SAFETY: the chunk holds a header.
    if unsafe { date(chunk) } == Some(PURGED) {
        return 0;
    }
    // Within the chunk by itself: a size word that was tampered with must not lead into other memory.
    let end = align_down(chunk.address() + size, TO_BLOCK);
    if !chunk.is_near(end) {
        return 0;
    }
    // SAFETY: behind the header, in the chunk.
    let start = unsafe { chunk.at_offset(HEADER) }.start();
    // SAFETY: what is inside of a free chunk, behind its header, nobody uses; its foot lies behind its end.
    let bytes = unsafe { source.backend.purge(start, size - HEADER) };
    // SAFETY: the chunk holds a header.
    unsafe { note(chunk, PURGED) };
    bytes
}

/// When a chunk was dated, if it was.
///
/// # Safety
/// The chunk is free and larger than a header.
unsafe fn date(chunk: Chunk) -> Option<usize> {
    // SAFETY: a chunk is there.
    if unsafe { chunk.size_word() } & NOTE == 0 {
        return None;
    }
    // SAFETY: the word lies in the chunk.
    let place = unsafe { chunk.word(DATE) };
    // SAFETY: as above, and the flag says that it was written.
    Some(unsafe { place.read() })
}

/// Dates a chunk.
///
/// # Safety
/// As for [`date`].
unsafe fn note(chunk: Chunk, date: usize) {
    // SAFETY: the word lies in the chunk.
    let place = unsafe { chunk.word(DATE) };
    // SAFETY: nobody uses what is inside of a free chunk, behind its links.
    unsafe { place.write(date) };
    // SAFETY: a chunk is there.
    let word = unsafe { chunk.size_word() };
    // SAFETY: the head is the arena's.
    unsafe { chunk.set_head(word | NOTE) };
}
