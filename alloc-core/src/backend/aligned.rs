//! Alignment for backends that cannot align so far.

use core::ptr::NonNull;

use super::{Backend, Span};
use crate::arith::{align_down, align_up, padding};
use crate::error::AllocError;

/// Aligns the spans of `B` as far as is asked, by asking `B` for more where it cannot.
///
/// ```text
///   B's span:   | lead | our span ............................ | trailer |
///                      ^ aligned                               ^ where B's span starts, its size
/// ```
///
/// What the alignment takes at the front is lost until the span is released; what it leaves at the end belongs to the
/// span. The trailer takes [`OVERHEAD`](Self::OVERHEAD) bytes of every span, so that a request of some granules of `B`
/// less these wastes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aligned<B>(B);

/// Stands right behind every span that we hand out, and names the span of `B` that both lie in.
#[derive(Clone, Copy, Debug)]
struct Trailer {
    start: NonNull<u8>,
    size: usize,
}

const GRANULE: usize = 16;
const _: () = assert!(size_of::<Trailer>() <= GRANULE && align_of::<Trailer>() <= GRANULE);

impl<B: Backend> Aligned<B> {
    /// Bytes of every span of `B` that are ours.
    pub const OVERHEAD: usize = GRANULE;

    /// Wraps a backend.
    #[must_use]
    pub const fn new(inner: B) -> Self {
        Self(inner)
    }

    /// The wrapped backend.
    #[must_use]
    pub fn inner(&self) -> &B {
        &self.0
    }

    /// Our span within `outer`, from `lead` on, with its trailer written.
    ///
    /// # Safety
    /// `outer` is a span of `B`, of which the bytes from `lead` on hold a granule and the trailer, aligned to granules
    /// at their start, and of which what becomes the trailer is unused.
    unsafe fn within(outer: Span, lead: usize) -> Span {
        // SAFETY: `lead` lies in the span.
        let start = unsafe { outer.start.add(lead) };
        let size = align_down(outer.size - lead, GRANULE) - GRANULE;
        let span = Span { start, size };
        // SAFETY: the span ends a granule before `outer` does.
        let trailer = unsafe { Self::trailer(span) };
        // SAFETY: the place is on a granule within `outer`, and unused as the caller promises.
        unsafe { trailer.write(Trailer { start: outer.start, size: outer.size }) };
        span
    }

    /// # Safety
    /// `span` is one that [`within`](Self::within) makes or made, in a span of `B` that was not released.
    unsafe fn trailer(span: Span) -> NonNull<Trailer> {
        // SAFETY: the trailer lies behind the span, in the same span of `B`.
        unsafe { span.start.add(span.size) }.cast()
    }

    /// # Safety
    /// `span` is one that [`within`](Self::within) made and that was not released.
    unsafe fn outer(span: Span) -> Span {
        // SAFETY: the caller's promise is the callee's.
        let trailer = unsafe { Self::trailer(span) };
        // SAFETY: `within` wrote it, and nobody else may write there.
        let Trailer { start, size } = unsafe { trailer.read() };
        Span { start, size }
    }
}

// SAFETY: every span is a part of one span of `B` of its own, aligned by the lead; the trailer lies outside of what the
// caller holds, and is zeroed when growing makes it a part of that.
unsafe impl<B: Backend> Backend for Aligned<B> {
    const ZEROED: bool = B::ZEROED;

    /// That of the spans handed out, finer than `B`'s.
    fn granule(&self) -> usize {
        GRANULE
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let align = align.max(GRANULE);
        let whole = align_up(size, GRANULE).and_then(|size| size.checked_add(GRANULE)).ok_or(AllocError)?;
        let outer = match self.0.allocate_span(whole, align) {
            Ok(outer) => outer,
            Err(AllocError) => {
                let more = whole.checked_add(align - GRANULE).ok_or(AllocError)?;
                self.0.allocate_span(more, GRANULE)?
            }
        };
        let lead = padding(outer.start.addr().get(), align);
        // SAFETY: `lead` is 0 for a span that `B` aligned, and at most `align - GRANULE` otherwise, so that `whole` bytes
        // follow it: the size asked for in granules, and a trailer. The span is new, hence unused.
        Ok(unsafe { Self::within(outer, lead) })
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller promises a span as we last returned it.
        let outer = unsafe { Self::outer(span) };
        // SAFETY: as above: `outer` is the span that `B` last returned for it, and the caller uses no part of it.
        unsafe { self.0.release_span(outer) };
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller promises a span as we last returned it.
        let old = unsafe { Self::outer(span) };
        let lead = span.start.addr().get() - old.start.addr().get();
        let whole =
            align_up(size, GRANULE).and_then(|size| size.checked_add(lead + GRANULE)).ok_or(AllocError)?;
        // The last bytes of `B`'s span may lie behind the trailer, where they are too few for a granule.
        let whole = whole.max(old.size);
        // SAFETY: `old` is `B`'s span as last returned, and the size does not fall.
        let outer = unsafe { self.0.grow_span(old, whole) }?;
        if B::ZEROED {
            // SAFETY: a span of ours has its old trailer behind it.
            let trailer = unsafe { Self::trailer(span) };
            // SAFETY: the trailer was read above, and is the caller's from now on.
            unsafe { trailer.cast::<u8>().write_bytes(0, GRANULE) };
        }
        // SAFETY: growing keeps the start and adds at the end, so that `whole` bytes less the lead hold the new size and
        // a trailer, at a place that was the old trailer or that nobody had before.
        Ok(unsafe { Self::within(outer, lead) })
    }

    forward_hints!(0);
}
