//! Chunks: spans of a backend with a header, in a doubly linked list.

use core::cell::Cell;
use core::ptr::NonNull;

use alloc_core::arith::align_down;
use alloc_core::backend::Span;

use crate::config::Config;

/// The header of a chunk. It sits at the edge that blocks start from, so that a small arena touches one page.
///
/// ```text
///   filling up:    span.start                                                      span.end
///                  |  lead  | header | blocks ...   | opened, free |  unopened     |
///                           ^ edge   ^ origin       ^ cursor       ^ limit         ^ far end
///
///   filling down:  span.start                                                      span.end
///                  |     unopened |  opened, free |   ... blocks | header |  lead  |
///                  ^ far end      ^ limit         ^ cursor       ^ origin ^ edge
///
///   depth of an address: its distance from the edge
/// ```
///
/// Cursor and limit of the current chunk live in the arena; the header keeps them while another chunk is current.
/// Chunks after the current one in the list are spare: they hold no live blocks, and their cursor means nothing.
#[repr(C)]
pub(crate) struct BumpChunk<C> {
    span: Span,
    edge: usize,
    pub(crate) previous: Cell<Option<ChunkRef<C>>>,
    pub(crate) next: Cell<Option<ChunkRef<C>>>,
    pub(crate) cursor: Cell<NonNull<u8>>,
    pub(crate) limit: Cell<usize>,
}

/// A chunk's header, by address. The arena that holds the list keeps it alive.
pub(crate) struct ChunkRef<C>(NonNull<BumpChunk<C>>);

impl<C> Clone for ChunkRef<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for ChunkRef<C> {}

impl<C> PartialEq for ChunkRef<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Bytes of a header. The configuration, a type without values here, does not change it.
pub(crate) const HEADER: usize = size_of::<BumpChunk<()>>();

impl<C: Config> BumpChunk<C> {
    /// What chunks are aligned to, at both ends.
    pub(crate) const ALIGN: usize = if C::MIN_ALIGN > 16 { C::MIN_ALIGN } else { 16 };

    /// The depth at which blocks begin.
    pub(crate) const ORIGIN: usize = HEADER.next_multiple_of(Self::ALIGN);
}

#[cfg(feature = "libc")]
impl BumpChunk<()> {
    /// What the header of a chunk that no arena has tells.
    pub(crate) fn parked(&self) -> crate::pages::Parked {
        crate::pages::Parked { span: self.span, depth: self.limit.get().abs_diff(self.edge) }
    }
}

impl<C: Config> ChunkRef<C> {
    /// The header, without the configuration, which does not change it.
    #[cfg(feature = "libc")]
    pub(crate) fn erased(self) -> NonNull<BumpChunk<()>> {
        self.0.cast()
    }

    /// Writes the header of a new chunk, open to its origin, into a span, `lead` bytes from its edge.
    ///
    /// # Safety
    /// The span is readable, writable, the caller's alone, aligned to [`BumpChunk::ALIGN`], and has room for lead and header
    /// at that alignment, of which `lead` is a multiple. It stays so while the result is used.
    pub(crate) unsafe fn write(span: Span, lead: usize) -> Self {
        let start = span.start.addr().get();
        let edge = if C::UP { start + lead } else { align_down(span.end(), BumpChunk::<C>::ALIGN) - lead };
        let header = if C::UP { edge } else { edge - BumpChunk::<C>::ORIGIN };
        // SAFETY: the header lies in the span, as the caller promises.
        let header = unsafe { span.start.add(header - start) }.cast::<BumpChunk<C>>();
        let chunk = BumpChunk {
            span,
            edge,
            previous: Cell::new(None),
            next: Cell::new(None),
            cursor: Cell::new(span.start),
            limit: Cell::new(0),
        };
        // SAFETY: within the span, hence writable, and aligned to 16.
        unsafe { header.write(chunk) };
        let chunk = Self(header);
        chunk.get().cursor.set(chunk.at(BumpChunk::<C>::ORIGIN));
        chunk.get().limit.set(chunk.at(BumpChunk::<C>::ORIGIN).addr().get());
        chunk
    }

    #[inline]
    pub(crate) fn get(&self) -> &BumpChunk<C> {
        // SAFETY: `write`, the only constructor, made a header there, which is shared from then on (its fields are cells),
        // and whose span is kept while the reference is used.
        unsafe { self.0.as_ref() }
    }

    /// The whole span, as the backend gave it.
    pub(crate) fn span(self) -> Span {
        self.get().span
    }

    /// The header's own address, and its size up to the origin.
    pub(crate) fn header(self) -> (usize, usize) {
        (self.0.addr().get(), BumpChunk::<C>::ORIGIN)
    }

    /// The address of depth 0.
    fn edge(self) -> usize {
        self.get().edge
    }

    /// The address of the greatest depth.
    pub(crate) fn far_end(self) -> usize {
        let span = self.span();
        if C::UP { align_down(span.end(), BumpChunk::<C>::ALIGN) } else { span.start.addr().get() }
    }

    /// The greatest depth.
    pub(crate) fn capacity(self) -> usize {
        self.far_end().abs_diff(self.edge())
    }

    /// The pointer at a depth of at most the capacity.
    pub(crate) fn at(self, depth: usize) -> NonNull<u8> {
        debug_assert!(depth <= self.capacity());
        let start = self.span().start;
        let address = if C::UP { self.edge() + depth } else { self.edge() - depth };
        // SAFETY: a depth of at most the capacity lies in the span or at its end.
        unsafe { start.add(address - start.addr().get()) }
    }

    /// The depth of an address within the chunk.
    pub(crate) fn depth(self, address: usize) -> usize {
        if C::UP { address - self.edge() } else { self.edge() - address }
    }

    /// The pointer that the chunk's first block borders on.
    pub(crate) fn origin(self) -> NonNull<u8> {
        self.at(BumpChunk::<C>::ORIGIN)
    }
}
