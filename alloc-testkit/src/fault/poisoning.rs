//! Spans full of junk.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, Span};

use super::JUNK;

/// Fills spans with junk before they are handed out and before they are given back, and whatever is purged. Promises no
/// zeros. Finds strategies that count on fresh memory being zero, and on memory given back being as it was.
///
/// Of each range, the first [`HEAD`](Self::HEAD) and the last [`TAIL`](Self::TAIL) bytes are filled: enough for headers
/// and blocks, without putting memory behind gigabytes of address space.
#[derive(Debug)]
pub struct Poisoning<B> {
    inner: B,
}

impl<B: Backend> Poisoning<B> {
    /// Bytes filled at the start of a range.
    pub const HEAD: usize = 4 << 20;

    /// Bytes filled at the end of a range.
    pub const TAIL: usize = 64 << 10;

    /// Wraps a backend.
    pub const fn new(inner: B) -> Self {
        Self { inner }
    }

    /// The wrapped backend.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// # Safety
    /// The `size` bytes at `start` are the caller's, who does not need what they hold.
    unsafe fn poison(start: NonNull<u8>, size: usize) {
        let head = size.min(Self::HEAD);
        // SAFETY: `head <= size`.
        unsafe { start.write_bytes(JUNK, head) };
        let tail = (size - head).min(Self::TAIL);
        // SAFETY: `tail <= size`.
        let end = unsafe { start.add(size - tail) };
        // SAFETY: `tail` bytes from there end with the range.
        unsafe { end.write_bytes(JUNK, tail) };
    }
}

// SAFETY: spans are those of `B`, as they are.
unsafe impl<B: Backend> Backend for Poisoning<B> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        self.inner.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let span = self.inner.allocate_span(size, align)?;
        // SAFETY: the span is new, and nobody else has seen it.
        unsafe { Self::poison(span.start, span.size) };
        Ok(span)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller promises that nothing uses the span any more.
        unsafe { Self::poison(span.start, span.size) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.release_span(span) };
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { self.inner.grow_span(span, size) }?;
        // SAFETY: a grown span is no smaller than it was.
        let added = unsafe { grown.start.add(span.size) };
        // SAFETY: what was added is the caller's, who has not seen it.
        unsafe { Self::poison(added, grown.size - span.size) };
        Ok(grown)
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.populate(start, size) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.advise_huge(start, size) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller's promises are the callee's.
        let purged = unsafe { self.inner.purge(start, size) };
        // SAFETY: the range stays accessible, and the caller promises that nothing uses its contents.
        unsafe { Self::poison(start, size) };
        purged
    }
}
