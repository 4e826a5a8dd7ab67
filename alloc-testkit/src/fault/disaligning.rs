//! Spans that are aligned as asked for, and not one bit more.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::align_up;
use alloc_core::backend::{Backend, Span};

use super::ledger::Ledger;

/// Gives spans at odd multiples of the alignment asked for, and of the least size allowed. Finds strategies that rely on
/// pages being page-aligned, or on a span's start being good for any block, without having asked for it.
///
/// Needs the alignment's bytes more of `B` for each span. Never grows spans.
#[derive(Debug)]
pub struct Disaligning<B> {
    inner: B,
    ledger: Ledger,
}

impl<B: Backend> Disaligning<B> {
    /// Wraps a backend.
    pub fn new(inner: B) -> Self {
        Self { inner, ledger: Ledger::default() }
    }

    /// The wrapped backend.
    pub fn inner(&self) -> &B {
        &self.inner
    }
}

// SAFETY: spans are parts of spans of `B`, one in each, so nobody else has them; they hold what `B` put there. The start
// is a multiple of `align` by construction, and `size` bytes follow it.
unsafe impl<B: Backend> Backend for Disaligning<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let size = align_up(size, self.inner.granule()).ok_or(AllocError)?;
        let both = size.checked_add(align).ok_or(AllocError)?;
        let inner = self.inner.allocate_span(both, align)?;
        let even = inner.start.addr().get() & align == 0;
        // SAFETY: `inner` has at least `size + align` bytes.
        let start = unsafe { inner.start.add(if even { align } else { 0 }) };
        self.ledger.note(start.addr().get(), inner);
        Ok(Span { start, size })
    }

    unsafe fn release_span(&self, span: Span) {
        if let Some(inner) = self.ledger.settle(span.start.addr().get()) {
            // SAFETY: `inner` came from `B`, as it is, and the caller promises that its only part in use no longer is.
            unsafe { self.inner.release_span(inner) };
        }
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
