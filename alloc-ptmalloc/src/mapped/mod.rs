//! Blocks with a mapping of their own.
//!
//! ```text
//! span                 chunk          block                                                        span's end
//! +- - - - - - - - - - +------+-------+------------------------------------------------------------+------+
//! | lead, for alignment| none | size|M| user data: size - 8 bytes, as of any chunk                 | none |
//! +- - - - - - - - - - +------+-------+------------------------------------------------------------+------+
//! ```
//!
//! The size word reads like any other chunk's, with the flag M. What decides is the [`table`]: it knows every live block
//! by its address, so that a pointer that came from elsewhere is told apart without looking at what it points to. The
//! [`cache`] keeps a few dead mappings for a moment, with their pages: those that the dynamic threshold does not send to
//! an arena, where a block like them will be had without the kernel.
//!
//! The kernel is never called with the mutex held, except for the table's own span: a slot for the block is reserved first,
//! so that entering it afterwards cannot fail.

mod cache;
mod table;
#[cfg(test)]
mod tests;

use core::ptr::NonNull;

use alloc_core::Visit;
use alloc_core::arith::{MAX_SIZE, align_down, align_up, padding};
use alloc_core::backend::{Backend, Span};
use alloc_core::sync::RankedMutex;
use alloc_core::sync::atomic::Ordering;

use crate::chunk::{Chunk, MAPPED};
use crate::clock;
use crate::config::{Era, HugePages, MMAP_THRESHOLD_MAX, Tunables};
use crate::ranks;
use crate::size::{ALIGN, OVERHEAD, TO_BLOCK};
use crate::source::Source;
use cache::Cache;
use table::{Entry, Table};

/// A mapping that gets larger gets this part of its size more, an eighth, so that a block that grows in small steps is not
/// remapped at each. It is addresses and not memory, since nobody touches them. Growing by doubling never meets it.
const SLACK: usize = 8;

/// A mapping of this size or more that gets larger asks for huge pages: what grows is filled from its start, so that no more
/// than 2 MiB are begun and not used, a quarter at most. Mappings that never grow do not ask: they may be tables of which
/// little is ever touched.
const HUGE_FROM: usize = 8 << 20;

/// A mapping that gets smaller gives its end back when that is an eighth of it, or this much. Less, it keeps: cutting costs a
/// call, and the pages again when it grows.
const CUT_FROM: usize = 64 << 10;

/// Bytes of a span behind a block that nobody may use, at most: sizes are multiples of 16 and 8 short of the chunk's.
const MARGIN: usize = ALIGN + OVERHEAD;

/// The blocks with mappings of their own, of one instance.
#[derive(Debug)]
pub(crate) struct Mapped {
    inner: RankedMutex<{ ranks::MAPPED }, Inner>,
}

/// What is behind the mutex.
#[derive(Debug)]
struct Inner {
    table: Table,
    cache: Cache,
    counters: Counters,
    /// The highest [`held`](Inner::held) so far.
    peak: usize,
}

// SAFETY: the spans that it knows are bound to no thread, and reached through the mutex alone.
unsafe impl Send for Inner {}

/// The figures of ptmalloc's `malloc_par`, under its names. Sizes are those of whole mappings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Mappings that are blocks now.
    pub(crate) n_mmaps: usize,
    /// The highest `n_mmaps` so far.
    pub(crate) max_n_mmaps: usize,
    /// Bytes in them.
    pub(crate) mmapped_mem: usize,
    /// The highest `mmapped_mem` so far.
    pub(crate) max_mmapped_mem: usize,
}

impl Mapped {
    /// No mappings.
    pub(crate) fn new() -> Self {
        let inner =
            Inner { table: Table::new(), cache: Cache::new(), counters: Counters::default(), peak: 0 };
        Self { inner: RankedMutex::new(inner) }
    }

    /// A block of at least `request` bytes at a multiple of `align`, and whether all of it reads as zero. `None` when there
    /// are `n_mmaps_max` already, or the backend refuses.
    pub(crate) fn allocate<B: Backend>(
        &self,
        source: &Source<B>,
        request: usize,
        align: usize,
    ) -> Option<(NonNull<u8>, bool)> {
        let align = align.max(ALIGN);
        let granule = source.backend.granule();
        // Up to a granule the backend aligns for nothing, and the lead is known. Beyond, room for the worst.
        let lead = if align <= granule { align } else { align.checked_add(TO_BLOCK)? };
        let need = lead.checked_add(request)?.checked_add(MARGIN)?;
        let need = align_up(need, granule).filter(|&need| need <= MAX_SIZE)?;
        let most = Tunables::get(&source.tunables.n_mmaps_max);
        let cached = {
            let mut inner = self.inner.lock();
            if inner.counters.n_mmaps + inner.table.reserved() >= most
                || !inner.table.reserve(&source.backend)
            {
                return None;
            }
            if align == ALIGN { inner.cache.take(need) } else { None }
        };
        let zeroed = B::ZEROED && cached.is_none();
        let fresh = || {
            let span = || source.backend.allocate_span(need, align.min(granule)).ok();
            // What dead mappings hold may be what lacks.
            let span = span().or_else(|| if self.release_cache(source) > 0 { span() } else { None })?;
            if source.config.huge_pages == HugePages::Always {
                // SAFETY: the whole of a new span.
                unsafe { source.backend.advise_huge(span.start, span.size) };
            }
            Some(span)
        };
        let Some(span) = cached.or_else(fresh) else {
            self.inner.lock().table.unreserve();
            return None;
        };
        let lead = padding(span.start.addr().get() + TO_BLOCK, align) + TO_BLOCK;
        // SAFETY: the lead is `align` for spans that are aligned so far, and less than `align + TO_BLOCK` for others, so that the
        // request and the margin follow it within the span.
        let block = unsafe { span.start.add(lead) };
        // SAFETY: the span is ours, and the block's chunk lies in it.
        unsafe { write_head(block, span) };
        let mut inner = self.inner.lock();
        inner.table.insert(Entry { block, span, request, align });
        inner.counters.add(span.size);
        inner.note();
        Some((block, zeroed))
    }

    /// Asks for huge pages behind a block: behind the whole of its mapping, since one with two kinds of pages is two, which the
    /// kernel does not resize.
    pub(crate) fn ask_huge<B: Backend>(&self, source: &Source<B>, block: NonNull<u8>) {
        let Some(span) = self.inner.lock().table.get(block).map(|entry| entry.span) else { return };
        // SAFETY: the whole of a live span: the block is the caller's.
        unsafe { source.backend.advise_huge(span.start, span.size) };
    }

    /// Takes a block back. `false`: it is none of ours, and nothing was looked at or done.
    ///
    /// # Safety
    /// If `block` is one of ours, nothing uses it any more.
    pub(crate) unsafe fn free<B: Backend>(&self, source: &Source<B>, block: NonNull<u8>) -> bool {
        // The other eras give mappings back at once, as glibc does.
        let may_keep = source.config.era == Era::Ours && source.config.purge_delay > 0;
        let now = if may_keep { clock::now_ms() } else { 0 };
        let mut dead = {
            let mut inner = self.inner.lock();
            let Some(Entry { span, request, .. }) = inner.table.remove(block) else { return false };
            inner.counters.remove(span.size);
            // If the threshold has risen above it, the next request of this size goes to an arena: the pages would be held for
            // nobody.
            let threshold = adapt(&source.tunables, span.size);
            let mapped = inner.counters.mmapped_mem;
            if may_keep && request >= threshold { inner.cache.put(span, now, mapped) } else { Some(span) }
        };
        if may_keep {
            self.tick(source, now);
        }
        // Oldest first, one at a time, and none of it under the mutex.
        while let Some(span) = dead {
            // SAFETY: the span left the table or the cache just now, whose it alone was, and its block was given up.
            unsafe { source.backend.release_span(span) };
            dead = self.inner.lock().cache.surplus();
        }
        true
    }

    /// Resizes a block to at least `request` bytes, as aligned as it was; it may come back at another address, with its
    /// contents up to the smaller size and without their being copied. `None` when that cannot be done, or it is none of
    /// ours; it is then as it was.
    ///
    /// # Safety
    /// If `block` is one of ours, nothing else uses it meanwhile, nor, after `Some`, what was cut off or the old address.
    pub(crate) unsafe fn resize<B: Backend>(
        &self,
        source: &Source<B>,
        block: NonNull<u8>,
        request: usize,
    ) -> Option<NonNull<u8>> {
        // Out of the table while the kernel moves it: another thread may get a mapping at the old address meanwhile.
        let entry = self.inner.lock().table.lift(block)?;
        let lead = block.addr().get() - entry.span.start.addr().get();
        // SAFETY: the caller's promises are the callee's.
        let span = unsafe { remapped(&source.backend, entry, lead, request) };
        let mut inner = self.inner.lock();
        let Some(span) = span else {
            inner.table.insert(entry);
            return None;
        };
        // SAFETY: the span holds the lead and the request behind it.
        let block = unsafe { span.start.add(lead) };
        if span != entry.span {
            let asks = match source.config.huge_pages {
                HugePages::Never => false,
                HugePages::Large => entry.span.size >= HUGE_FROM,
                HugePages::Always => true,
            };
            if asks && span.size > entry.span.size {
                // All of it, since a mapping with two kinds of pages is two, which the kernel does not resize.
                // SAFETY: the whole of a live span.
                unsafe { source.backend.advise_huge(span.start, span.size) };
            }
            // SAFETY: the span is the block's own, which starts `lead` bytes into it.
            unsafe { write_head(block, span) };
            inner.counters.resize(entry.span.size, span.size);
            inner.note();
        }
        inner.table.insert(Entry { block, span, request, align: entry.align });
        Some(block)
    }

    /// The bytes that the holder of a block may use; `None` for what is none of ours.
    pub(crate) fn usable_size(&self, block: NonNull<u8>) -> Option<usize> {
        self.inner.lock().table.get(block).map(|entry| usable(block, entry.span))
    }

    /// Shows the span of every block, the block, and its usable size, until `visit` breaks off. It must not come back here.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Span, NonNull<u8>, usize) -> Visit) -> Visit {
        self.inner
            .lock()
            .table
            .iter()
            .try_for_each(|entry| visit(entry.span, entry.block, usable(entry.block, entry.span)))
    }

    /// Shows the spans that are no blocks: dead mappings, which are `true`, and the table's own. As for
    /// [`for_each`](Self::for_each).
    pub(crate) fn for_each_other(&self, mut visit: impl FnMut(Span, bool) -> Visit) -> Visit {
        let inner = self.inner.lock();
        inner.cache.iter().try_for_each(|span| visit(span, true))?;
        inner.table.span().map_or(Visit::Continue(()), |span| visit(span, false))
    }

    /// Whether `address` lies in a block. Looks at all of them.
    pub(crate) fn holds(&self, address: usize) -> bool {
        self.inner.lock().table.iter().any(|entry| {
            let offset = address.wrapping_sub(entry.block.addr().get());
            offset < usable(entry.block, entry.span)
        })
    }

    /// The figures now.
    pub(crate) fn counters(&self) -> Counters {
        self.inner.lock().counters
    }

    /// Bytes of dead mappings that are kept.
    pub(crate) fn dead_bytes(&self) -> usize {
        self.inner.lock().cache.bytes()
    }

    /// The most that blocks, dead mappings and the table took at once so far.
    pub(crate) fn peak(&self) -> usize {
        let mut inner = self.inner.lock();
        inner.note();
        inner.peak
    }

    /// Gives dead mappings back that nobody wanted for the purge delay. To be called now and then with the time.
    pub(crate) fn tick<B: Backend>(&self, source: &Source<B>, now_ms: u64) {
        let delay = source.config.purge_delay;
        self.release_while(source, |inner| inner.cache.expired(now_ms, delay));
    }

    /// Gives all dead mappings back. Returns their bytes.
    pub(crate) fn release_cache<B: Backend>(&self, source: &Source<B>) -> usize {
        self.release_while(source, |inner| inner.cache.oldest())
    }

    /// Gives everything back, live blocks and the table among it.
    ///
    /// # Safety
    /// Nothing uses any block.
    pub(crate) unsafe fn release_all<B: Backend>(&self, source: &Source<B>) {
        self.release_cache(source);
        let mut inner = self.inner.lock();
        for entry in inner.table.iter() {
            // SAFETY: the table knows live spans of this backend, which nothing uses by the caller's promise.
            unsafe { source.backend.release_span(entry.span) };
        }
        inner.table.release(&source.backend);
        inner.counters = Counters::default();
    }

    /// Takes the mutex and keeps it, for a fork.
    pub(crate) fn hold(&self) {
        self.inner.hold();
    }

    /// Gives the mutex back that [`hold`](Self::hold) took.
    ///
    /// # Safety
    /// The calling thread called `hold`, and this is the parent of the fork.
    pub(crate) unsafe fn release(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.release() };
    }

    /// Makes the mutex free in the child after `fork`.
    ///
    /// # Safety
    /// As for [`RankedMutex::reset_after_fork`].
    pub(crate) unsafe fn reset_after_fork(&self) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.reset_after_fork() };
    }

    fn release_while<B: Backend>(
        &self,
        source: &Source<B>,
        mut next: impl FnMut(&mut Inner) -> Option<Span>,
    ) -> usize {
        let mut bytes = 0;
        loop {
            let Some(span) = next(&mut self.inner.lock()) else { return bytes };
            bytes += span.size;
            // SAFETY: the span left the cache just now, whose it alone was.
            unsafe { source.backend.release_span(span) };
        }
    }
}

impl Inner {
    /// Bytes of all spans.
    fn held(&self) -> usize {
        self.counters.mmapped_mem + self.cache.bytes() + self.table.span().map_or(0, |span| span.size)
    }

    fn note(&mut self) {
        self.peak = self.peak.max(self.held());
    }
}

impl Counters {
    fn add(&mut self, size: usize) {
        self.n_mmaps += 1;
        self.mmapped_mem += size;
        self.max_n_mmaps = self.max_n_mmaps.max(self.n_mmaps);
        self.max_mmapped_mem = self.max_mmapped_mem.max(self.mmapped_mem);
    }

    fn remove(&mut self, size: usize) {
        self.n_mmaps -= 1;
        self.mmapped_mem -= size;
    }

    fn resize(&mut self, before: usize, after: usize) {
        self.mmapped_mem = self.mmapped_mem - before + after;
        self.max_mmapped_mem = self.max_mmapped_mem.max(self.mmapped_mem);
    }
}

/// Lets the thresholds follow a mapping that was freed: blocks of its size may be needed again and again, which an arena
/// serves without the kernel. Wolfram Gloger's rule, as in glibc since 2.5. Returns the threshold for mappings.
fn adapt(tunables: &Tunables, size: usize) -> usize {
    let threshold = Tunables::get(&tunables.mmap_threshold);
    let may = Tunables::get(&tunables.dynamic_threshold) != 0;
    if !may || size <= threshold || size > MMAP_THRESHOLD_MAX {
        return threshold;
    }
    // Relaxed: see `Tunables`. Of two threads at once either may win, as of two that come one after the other.
    tunables.mmap_threshold.store(size, Ordering::Relaxed);
    tunables.trim_threshold.store(2 * size, Ordering::Relaxed);
    size
}

/// The usable bytes of a block in `span`.
fn usable(block: NonNull<u8>, span: Span) -> usize {
    align_down(span.end() - block.addr().get(), ALIGN) - OVERHEAD
}

/// Writes the size word of a block.
///
/// # Safety
/// `span` is the block's, and its size word lies in it.
unsafe fn write_head(block: NonNull<u8>, span: Span) {
    // SAFETY: the block starts 16 bytes or more into the span.
    let chunk = unsafe { Chunk::of_block(block) };
    // SAFETY: the chunk is the caller's to shape.
    unsafe { chunk.set_head((usable(block, span) + OVERHEAD) | MAPPED) };
}

/// The span of a block that is to hold `request` bytes behind its lead.
///
/// # Safety
/// `entry` is a live block's, out of the table, and nothing uses what may be cut off or its old address.
unsafe fn remapped<B: Backend>(backend: &B, entry: Entry, lead: usize, request: usize) -> Option<Span> {
    let span = entry.span;
    let exact = lead.checked_add(request)?.checked_add(MARGIN)?;
    let exact = align_up(exact, backend.granule()).filter(|&exact| exact <= MAX_SIZE)?;
    if exact <= span.size {
        let excess = span.size - exact;
        if request >= entry.request || excess < CUT_FROM.min(span.size / 8).max(1) {
            return Some(span);
        }
        // SAFETY: the span is as the backend last returned it; nothing uses what is cut off, by the caller's promise.
        return Some(unsafe { backend.shrink_span(span, exact) }.unwrap_or(span));
    }
    let ample = align_up(exact.max(span.size + span.size / SLACK), backend.granule());
    for size in [ample.unwrap_or(exact), exact] {
        // A move keeps the lead, and with it alignments up to the granule.
        if entry.align <= backend.granule() {
            // SAFETY: the span is as the backend last returned it, and nothing uses its old address.
            if let Ok(moved) = unsafe { backend.move_span(span, size) } {
                return Some(moved);
            }
        }
        // SAFETY: the span is as the backend last returned it, and does not get smaller.
        if let Ok(grown) = unsafe { backend.grow_span(span, size) } {
            return Some(grown);
        }
    }
    None
}
