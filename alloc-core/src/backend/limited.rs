//! A cap on what a backend hands out.

use core::ptr::NonNull;

use super::{Backend, Span};
use crate::error::AllocError;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::const_unless_loom;

/// Lets at most `limit` bytes of `B` be in use at a time.
///
/// Bytes are counted before `B` is asked, in its granules, so that the cap holds at every moment and for all threads
/// together.
#[derive(Debug)]
pub struct Limited<B> {
    inner: B,
    limit: usize,
    used: AtomicUsize,
}

impl<B: Backend> Limited<B> {
    const_unless_loom! {
        /// Wraps a backend under a cap of `limit` bytes.
        #[must_use]
        pub const fn new(inner: B, limit: usize) -> Self {
            Self { inner, limit, used: AtomicUsize::new(0) }
        }
    }

    /// The wrapped backend.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// The cap in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        // Relaxed: the count orders no other memory, here and below.
        self.used.load(Ordering::Relaxed)
    }

    fn charge(&self, bytes: usize) -> Result<(), AllocError> {
        // Relaxed: see `used`.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= self.limit)
            })
            .map_or(Err(AllocError), |_| Ok(()))
    }

    fn refund(&self, bytes: usize) {
        // Relaxed: see `used`.
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Replaces what was charged for a span by its size. What `B` added beyond its granule cannot be given back alone: it
    /// counts, even past the cap.
    fn settle(&self, charged: usize, size: usize) {
        if size >= charged {
            // Relaxed: see `used`.
            self.used.fetch_add(size - charged, Ordering::Relaxed);
        } else {
            self.refund(charged - size);
        }
    }

    fn granules(&self, size: usize) -> Result<usize, AllocError> {
        crate::arith::align_up(size, self.inner.granule()).ok_or(AllocError)
    }
}

// SAFETY: spans are those of `B`, as they are.
unsafe impl<B: Backend> Backend for Limited<B> {
    const ZEROED: bool = B::ZEROED;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let charged = self.granules(size)?;
        self.charge(charged)?;
        let Ok(span) = self.inner.allocate_span(size, align) else {
            self.refund(charged);
            return Err(AllocError);
        };
        // A backend may give more than its granule accounts for.
        if span.size > charged && self.charge(span.size - charged).is_err() {
            // SAFETY: the span is new, and nobody else has seen it.
            unsafe { self.inner.release_span(span) };
            self.refund(charged);
            return Err(AllocError);
        }
        Ok(span)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.release_span(span) };
        // After the release: the count is never below what is in use.
        self.refund(span.size);
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let charged = self.granules(size)?.max(span.size) - span.size;
        self.charge(charged)?;
        // SAFETY: the caller's promises are the callee's.
        let Ok(grown) = (unsafe { self.inner.grow_span(span, size) }) else {
            self.refund(charged);
            return Err(AllocError);
        };
        self.settle(span.size + charged, grown.size);
        Ok(grown)
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let charged = self.granules(size)?.saturating_sub(span.size);
        self.charge(charged)?;
        // SAFETY: the caller's promises are the callee's.
        let Ok(moved) = (unsafe { self.inner.move_span(span, size) }) else {
            self.refund(charged);
            return Err(AllocError);
        };
        self.settle(span.size + charged, moved.size);
        Ok(moved)
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let shrunk = unsafe { self.inner.shrink_span(span, size) }?;
        self.refund(span.size - shrunk.size);
        Ok(shrunk)
    }

    forward_hints!(inner);
}
