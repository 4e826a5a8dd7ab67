//! Spans that are mappings of their own.

use core::ptr::NonNull;

use super::{Backend, Span};
use crate::arith::{MAX_SIZE, align_down, align_up};
use crate::error::AllocError;
use crate::os::{Advice, Pages};
use crate::sync::{Mutex, const_unless_loom};

/// Spans from [`Pages`], each mapped whole. Its granule is the page.
///
/// A span that the kernel refuses to take back (splitting a mapping may exceed the limit on their number) gives up its
/// memory but for one page, and is released when the kernel takes spans again.
#[derive(Debug)]
pub struct PagesBackend<P: Pages> {
    pages: P,
    stuck: Mutex<Stuck>,
}

/// Spans that were given back to us and not yet to the kernel, linked through their first bytes.
#[derive(Debug)]
struct Stuck(Option<NonNull<StuckSpan>>);

#[derive(Debug)]
struct StuckSpan {
    next: Option<NonNull<StuckSpan>>,
    size: usize,
}

// SAFETY: the spans on the list are the list's alone, and bound to no thread.
unsafe impl Send for Stuck {}

impl<P: Pages> PagesBackend<P> {
    const_unless_loom! {
        /// Spans from `pages`.
        #[must_use]
        pub const fn new(pages: P) -> Self {
            Self { pages, stuck: Mutex::new(Stuck(None)) }
        }
    }

    /// Where the spans come from.
    #[must_use]
    pub fn pages(&self) -> &P {
        &self.pages
    }

    #[cold]
    fn keep(&self, span: Span) {
        let page = self.pages.page_size();
        if span.size > page {
            // SAFETY: the span is larger than a page.
            let rest = unsafe { span.start.add(page) };
            // SAFETY: all pages of the span but the first: aligned, committed, and given up by its holder. A refusal
            // leaves memory behind the span until it is released.
            let _ = unsafe { self.pages.advise(rest, span.size - page, Advice::DontNeed) };
        }
        let entry = span.start.cast::<StuckSpan>();
        let mut stuck = self.stuck.lock();
        // SAFETY: the span is ours, page-aligned, and at least a page, which holds an entry.
        unsafe { entry.write(StuckSpan { next: stuck.0, size: span.size }) };
        stuck.0 = Some(entry);
    }

    /// Gives stuck spans to the kernel until it refuses one. Whether it took any.
    fn retry(&self) -> bool {
        let mut took = false;
        loop {
            let mut stuck = self.stuck.lock();
            let Some(entry) = stuck.0 else { return took };
            // SAFETY: entries on the list were written by `keep`, and the lock is held.
            let StuckSpan { next, size } = unsafe { entry.read() };
            stuck.0 = next;
            // The kernel is slow: not under the lock.
            drop(stuck);
            let span = Span { start: entry.cast(), size };
            // SAFETY: the span was mapped whole, given back to us, and taken off the list by us alone.
            if unsafe { self.pages.release(span.start, span.size) }.is_err() {
                self.keep(span);
                return took;
            }
            took = true;
        }
    }

    /// `size` in whole pages.
    fn whole(&self, size: usize) -> Result<usize, AllocError> {
        align_up(size, self.pages.page_size()).filter(|&size| size <= MAX_SIZE).ok_or(AllocError)
    }

    /// The pages that a range touches.
    fn touched(&self, start: NonNull<u8>, size: usize) -> (NonNull<u8>, usize) {
        let page = self.pages.page_size();
        let address = start.addr().get();
        let first = align_down(address, page);
        // Spans are whole pages and end within the address space, so that this cannot overflow.
        let end = align_up(address + size, page).unwrap_or(first);
        // SAFETY: the range lies in a span, which starts on a page, hence so does the start of its first page.
        (unsafe { start.sub(address - first) }, end - first)
    }
}

// SAFETY: a mapping is fresh, zero, page-aligned or as aligned as asked, and the caller's until released; the size is
// checked against `MAX_SIZE`; the list of stuck spans never hands one out; nothing here allocates or unwinds.
unsafe impl<P: Pages> Backend for PagesBackend<P> {
    const ZEROED: bool = true;

    fn granule(&self) -> usize {
        self.pages.page_size()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let size = self.whole(size)?;
        let start = match self.pages.map(size, align) {
            Ok(start) => start,
            // Address space may be short because of what is stuck.
            Err(AllocError) if self.retry() => self.pages.map(size, align)?,
            Err(AllocError) => return Err(AllocError),
        };
        Ok(Span { start, size })
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller promises a span of ours, mapped whole and unused.
        if unsafe { self.pages.release(span.start, span.size) }.is_ok() {
            self.retry();
        } else {
            self.keep(span);
        }
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let size = self.whole(size)?;
        // SAFETY: the caller promises a span of ours as last returned, which came whole from `map` or `remap` and is
        // committed; it does not move, and nothing is cut off, since the size does not fall.
        let start = unsafe { self.pages.remap(span.start, span.size, size, false) }?;
        Ok(Span { start, size })
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let size = self.whole(size)?;
        // SAFETY: as for `grow_span`, and the caller uses neither what is cut off nor the old address.
        let start = unsafe { self.pages.remap(span.start, span.size, size, true) }?;
        Ok(Span { start, size })
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let size = self.whole(size)?;
        if size < span.size {
            // SAFETY: as for `grow_span`; what is cut off, nothing uses. A mapping that shrinks stays where it is.
            unsafe { self.pages.remap(span.start, span.size, size, false) }?;
        }
        Ok(Span { start: span.start, size })
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        let (start, size) = self.touched(start, size);
        // SAFETY: whole pages of a span of ours, which is committed. A refusal is none of the caller's concern.
        let _ = unsafe { self.pages.populate(start, size) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        let (start, size) = self.touched(start, size);
        // SAFETY: as for `populate`; this advice keeps contents.
        let _ = unsafe { self.pages.advise(start, size, Advice::Huge) };
    }

    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        let (start, size) = self.touched(start, size);
        // SAFETY: as for `populate`; this advice keeps contents.
        let _ = unsafe { self.pages.advise(start, size, Advice::NoHuge) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        let page = self.pages.page_size();
        let address = start.addr().get();
        let Some(first) = align_up(address, page) else { return 0 };
        let end = align_down(address + size, page);
        if end <= first {
            return 0;
        }
        // SAFETY: `first` lies in the range, as `end` does.
        let start = unsafe { start.add(first - address) };
        // SAFETY: whole pages of a span of ours, whose contents the caller gives up.
        match unsafe { self.pages.advise(start, end - first, Advice::DontNeed) } {
            Ok(()) => end - first,
            Err(AllocError) => 0,
        }
    }
}

impl<P: Pages> Drop for PagesBackend<P> {
    fn drop(&mut self) {
        self.retry();
    }
}
