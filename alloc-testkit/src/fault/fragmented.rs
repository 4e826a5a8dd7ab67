//! Spans that never touch each other.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use alloc_core::AllocError;
use alloc_core::arith::align_up;
use alloc_core::backend::{Backend, Span};

use super::JUNK;
use super::ledger::Ledger;

/// Gives every span alone: exactly of the size asked for, in the backend's granules, with a gap behind it, and never
/// grows one. Finds strategies that take for granted that the next span follows the last.
///
/// The gap is one granule of junk, looked at when the span comes back: who wrote there left its span.
#[derive(Debug)]
pub struct Fragmented<B> {
    inner: B,
    ledger: Ledger,
    trespasses: AtomicUsize,
}

impl<B: Backend> Fragmented<B> {
    /// Wraps a backend.
    pub fn new(inner: B) -> Self {
        Self { inner, ledger: Ledger::default(), trespasses: AtomicUsize::new(0) }
    }

    /// The wrapped backend.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Spans that came back with a write behind their end.
    pub fn trespasses(&self) -> usize {
        // Relaxed: the count orders no other memory, here and below.
        self.trespasses.load(Ordering::Relaxed)
    }
}

// SAFETY: spans are the starts of spans of `B`, one in each, so nobody else has them; they hold what `B` put there and are
// aligned as `B` aligns.
unsafe impl<B: Backend> Backend for Fragmented<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let gap = self.inner.granule();
        let size = align_up(size, gap).ok_or(AllocError)?;
        let inner = self.inner.allocate_span(size.checked_add(gap).ok_or(AllocError)?, align)?;
        // SAFETY: `inner` has at least `size + gap` bytes.
        let behind = unsafe { inner.start.add(size) };
        // SAFETY: as above, and nobody else has them.
        unsafe { behind.write_bytes(JUNK, gap) };
        self.ledger.note(inner.start.addr().get(), inner);
        Ok(Span { start: inner.start, size })
    }

    unsafe fn release_span(&self, span: Span) {
        let Some(inner) = self.ledger.settle(span.start.addr().get()) else { return };
        // SAFETY: the gap follows the span within `inner`.
        let behind = unsafe { inner.start.add(span.size) };
        // SAFETY: the gap was written when the span was handed out, and nobody was given it.
        let gap = unsafe { core::slice::from_raw_parts(behind.as_ptr(), self.inner.granule()) };
        if gap.iter().any(|&byte| byte != JUNK) {
            // Relaxed: see `trespasses`.
            self.trespasses.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: `inner` came from `B`, as it is, and the caller promises that its only part in use no longer is.
        unsafe { self.inner.release_span(inner) };
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's range lies in a span of ours, hence in one of `B`.
        unsafe { self.inner.populate(start, size) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: as for `populate`.
        unsafe { self.inner.advise_huge(start, size) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: as for `populate`, and the caller promises that nothing uses the contents.
        unsafe { self.inner.purge(start, size) }
    }
}
