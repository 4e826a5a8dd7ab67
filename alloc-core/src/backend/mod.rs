//! The first floor: where strategies get their spans.
//!
//! A backend hands out **spans**, contiguous ranges, and takes them back. Most are small wrappers around another
//! backend, one concern each, so that a strategy's source is composed as a type: `Counting<Limited<PagesBackend<Os>>>`.

/// The hints of a wrapper whose spans are, or lie in, spans of the backend that it wraps: they go there as they are.
macro_rules! forward_hints {
    ($inner:tt) => {
        #[inline]
        unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
            // SAFETY: the caller's range lies in a span of ours, hence in one of the wrapped backend.
            unsafe { self.$inner.populate(start, size) };
        }

        #[inline]
        unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
            // SAFETY: as for `populate`.
            unsafe { self.$inner.advise_huge(start, size) };
        }

        #[inline]
        unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
            // SAFETY: as for `populate`.
            unsafe { self.$inner.advise_no_huge(start, size) };
        }

        #[inline]
        unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
            // SAFETY: as for `populate`, and the caller promises that nothing uses the contents.
            unsafe { self.$inner.purge(start, size) }
        }
    };
}

mod aligned;
mod counting;
mod failing;
mod limited;
mod pages;
mod region;
#[cfg(feature = "std")]
mod system;

pub use aligned::Aligned;
pub use counting::{Counting, Counts};
pub use failing::Failing;
pub use limited::Limited;
pub use pages::PagesBackend;
pub use region::Region;
#[cfg(feature = "std")]
pub use system::SystemBackend;

use core::ptr::NonNull;

use crate::error::AllocError;

/// A contiguous range from a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: NonNull<u8>,
    /// Bytes.
    pub size: usize,
}

impl Span {
    /// The address after its last byte.
    #[inline]
    #[must_use]
    pub fn end(self) -> usize {
        self.start.addr().get() + self.size
    }

    /// Whether `address` lies within.
    #[inline]
    #[must_use]
    pub fn contains(self, address: usize) -> bool {
        address.wrapping_sub(self.start.addr().get()) < self.size
    }
}

/// A source of spans.
///
/// # Safety
///
/// Implementors promise:
///
/// * an `Ok` span is readable and writable, at least as large and as aligned as was asked for, within
///   [`MAX_SIZE`](crate::arith::MAX_SIZE), and belongs to the caller alone until it is given back whole;
/// * where [`ZEROED`](Self::ZEROED) holds, new spans, and the bytes that growing adds, in place or moving, read as zero;
/// * moving the backend does not move its spans, no method unwinds, and none allocates from a heap built on it.
pub unsafe trait Backend {
    /// Whether new spans read as zero.
    const ZEROED: bool;

    /// Sizes are rounded up to a multiple of this power of two, so asking for less wastes the rest.
    fn granule(&self) -> usize;

    /// A new span of at least `size` bytes at a multiple of `align`. `size` is not zero, `align` is a power of two.
    ///
    /// # Errors
    /// [`AllocError`] when the source is exhausted, or cannot align so far.
    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError>;

    /// Gives a span back.
    ///
    /// # Safety
    /// `span` came from this backend, as it was last returned, and nothing uses it any more.
    unsafe fn release_span(&self, span: Span);

    /// Grows a span at its end, in place, to at least `size` bytes.
    ///
    /// # Safety
    /// `span` came from this backend, as it was last returned, and `size >= span.size`.
    ///
    /// # Errors
    /// [`AllocError`] when there is no room right after it, which is the answer of backends that never can; `span` is
    /// then as it was.
    #[inline]
    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let _ = (span, size);
        Err(AllocError)
    }

    /// Resizes a span to at least `size` bytes where in place does not do: it may come back at another address, as aligned
    /// as [`granule`](Self::granule) and no further. Contents stay up to the smaller size, without being copied.
    ///
    /// # Safety
    /// `span` came from this backend, as it was last returned, `size` is not zero, and nothing uses what is cut off or,
    /// when it moves, the old address.
    ///
    /// # Errors
    /// [`AllocError`] when it cannot be done, which is the answer of backends that never can; `span` is then as it was.
    #[inline]
    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let _ = (span, size);
        Err(AllocError)
    }

    /// Gives the end of a span back, in place, keeping at least `size` bytes.
    ///
    /// # Safety
    /// `span` came from this backend, as it was last returned, `size` is not zero and at most `span.size`, and nothing
    /// uses what lies beyond it.
    ///
    /// # Errors
    /// [`AllocError`] when it cannot be done, which is the answer of backends that never can; `span` is then as it was.
    #[inline]
    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let _ = (span, size);
        Err(AllocError)
    }

    /// Puts memory behind a part of a span ahead of its use. A hint: does nothing where it cannot.
    ///
    /// # Safety
    /// `start..start + size` lies in a span of this backend that was not given back.
    #[inline]
    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        let _ = (start, size);
    }

    /// Asks for huge pages behind a part of a span. A hint: does nothing where it cannot.
    ///
    /// # Safety
    /// `start..start + size` lies in a span of this backend that was not given back.
    #[inline]
    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        let _ = (start, size);
    }

    /// Asks for no huge pages behind a part of a span, where the system would use them unasked. A hint: does nothing where
    /// it cannot.
    ///
    /// # Safety
    /// `start..start + size` lies in a span of this backend that was not given back.
    #[inline]
    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        let _ = (start, size);
    }

    /// Gives the memory behind the whole granules of a part of a span back, keeping the span. Returns the bytes given
    /// back, which read as zero from then on where [`ZEROED`](Self::ZEROED) holds; 0 where it cannot.
    ///
    /// # Safety
    /// `start..start + size` lies in a span of this backend that was not given back, and nothing uses its contents.
    #[inline]
    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        let _ = (start, size);
        0
    }
}

// SAFETY: every method forwards to the same method of `B` with the same arguments, so `B`'s promises are ours.
unsafe impl<B: Backend + ?Sized> Backend for &B {
    const ZEROED: bool = B::ZEROED;

    #[inline]
    fn granule(&self) -> usize {
        (**self).granule()
    }

    #[inline]
    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        (**self).allocate_span(size, align)
    }

    #[inline]
    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).release_span(span) };
    }

    #[inline]
    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).grow_span(span, size) }
    }

    #[inline]
    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).move_span(span, size) }
    }

    #[inline]
    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).shrink_span(span, size) }
    }

    #[inline]
    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).populate(start, size) };
    }

    #[inline]
    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).advise_huge(start, size) };
    }

    #[inline]
    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).advise_no_huge(start, size) };
    }

    #[inline]
    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).purge(start, size) }
    }
}
