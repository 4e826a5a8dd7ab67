//! Figures of what a backend hands out.

use core::ptr::NonNull;

use super::{Backend, Span};
use crate::error::AllocError;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::const_unless_loom;

/// Counts the bytes and calls that go through to `B`.
///
/// Threads count without stopping each other: figures read while others work may be a few calls apart.
#[derive(Debug)]
pub struct Counting<B> {
    inner: B,
    bytes: AtomicUsize,
    bytes_peak: AtomicUsize,
    allocations: AtomicUsize,
    releases: AtomicUsize,
    growths: AtomicUsize,
    moves: AtomicUsize,
    shrinks: AtomicUsize,
    refusals: AtomicUsize,
    populated: AtomicUsize,
    purged: AtomicUsize,
}

/// The figures of a [`Counting`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes in spans that are in use.
    pub bytes: usize,
    /// The highest `bytes` so far.
    pub bytes_peak: usize,
    /// Spans handed out so far.
    pub allocations: usize,
    /// Spans given back so far.
    pub releases: usize,
    /// Spans grown in place so far.
    pub growths: usize,
    /// Spans resized so far by calls that let them move.
    pub moves: usize,
    /// Spans shortened in place so far.
    pub shrinks: usize,
    /// Requests for a span, or to resize one, that were answered with `Err`.
    pub refusals: usize,
    /// Bytes that were asked to be populated, in total.
    pub populated: usize,
    /// Bytes that purging gave back, in total.
    pub purged: usize,
}

impl<B: Backend> Counting<B> {
    const_unless_loom! {
        /// Wraps a backend, with all figures at zero.
        #[must_use]
        pub const fn new(inner: B) -> Self {
            Self {
                inner,
                bytes: AtomicUsize::new(0),
                bytes_peak: AtomicUsize::new(0),
                allocations: AtomicUsize::new(0),
                releases: AtomicUsize::new(0),
                growths: AtomicUsize::new(0),
                moves: AtomicUsize::new(0),
                shrinks: AtomicUsize::new(0),
                refusals: AtomicUsize::new(0),
                populated: AtomicUsize::new(0),
                purged: AtomicUsize::new(0),
            }
        }
    }

    /// The wrapped backend.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// The figures now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        // Relaxed: figures order no other memory, here and below.
        let read = |figure: &AtomicUsize| figure.load(Ordering::Relaxed);
        Counts {
            bytes: read(&self.bytes),
            bytes_peak: read(&self.bytes_peak),
            allocations: read(&self.allocations),
            releases: read(&self.releases),
            growths: read(&self.growths),
            moves: read(&self.moves),
            shrinks: read(&self.shrinks),
            refusals: read(&self.refusals),
            populated: read(&self.populated),
            purged: read(&self.purged),
        }
    }

    /// Counts the bytes of a span that is now another one.
    fn resized(&self, before: Span, after: Span) {
        if after.size >= before.size {
            self.add(after.size - before.size);
        } else {
            // Relaxed: see `counts`.
            self.bytes.fetch_sub(before.size - after.size, Ordering::Relaxed);
        }
    }

    fn add(&self, bytes: usize) {
        // Relaxed: see `counts`.
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes_peak.fetch_max(before + bytes, Ordering::Relaxed);
    }
}

fn count(figure: &AtomicUsize, by: usize) {
    // Relaxed: see `Counting::counts`.
    figure.fetch_add(by, Ordering::Relaxed);
}

// SAFETY: spans are those of `B`, as they are.
unsafe impl<B: Backend> Backend for Counting<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let answer = self.inner.allocate_span(size, align);
        match answer {
            Ok(span) => {
                self.add(span.size);
                count(&self.allocations, 1);
            }
            Err(AllocError) => count(&self.refusals, 1),
        }
        answer
    }

    unsafe fn release_span(&self, span: Span) {
        // Before the release: another thread may get the same bytes, and they must not count twice in the peak.
        // Relaxed: see `counts`.
        self.bytes.fetch_sub(span.size, Ordering::Relaxed);
        count(&self.releases, 1);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.release_span(span) };
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let answer = unsafe { self.inner.grow_span(span, size) };
        match answer {
            Ok(grown) => {
                self.resized(span, grown);
                count(&self.growths, 1);
            }
            Err(AllocError) => count(&self.refusals, 1),
        }
        answer
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let answer = unsafe { self.inner.move_span(span, size) };
        match answer {
            Ok(moved) => {
                self.resized(span, moved);
                count(&self.moves, 1);
            }
            Err(AllocError) => count(&self.refusals, 1),
        }
        answer
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let answer = unsafe { self.inner.shrink_span(span, size) };
        match answer {
            Ok(shrunk) => {
                self.resized(span, shrunk);
                count(&self.shrinks, 1);
            }
            Err(AllocError) => count(&self.refusals, 1),
        }
        answer
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        count(&self.populated, size);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.populate(start, size) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.advise_huge(start, size) };
    }

    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.advise_no_huge(start, size) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller's promises are the callee's.
        let purged = unsafe { self.inner.purge(start, size) };
        count(&self.purged, purged);
        purged
    }
}
