//! Blocks with a span of their own.
//!
//! ```text
//!   span.start                       payload                    span.end
//!   | pad, for alignments | WideHeader | ......................... |
//! ```

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::align_up;
use alloc_core::backend::{Backend, Span};

use super::Heap;
use crate::config::Config;
use crate::size::ALIGN;

/// Stands right in front of a wide block's payload.
#[repr(C)]
pub(crate) struct WideHeader {
    pub(super) span: Cell<Span>,
    pub(super) next: Cell<Option<Wide>>,
    previous: Cell<Option<Wide>>,
    /// Where [`header::Sized`](crate::header::Sized) has the size of a block in a zone, which is not 0.
    zeros: [u64; 2],
}

const _: () = assert!(size_of::<WideHeader>() % ALIGN == 0, "nothing lies between the zeros and the payload");

/// Bytes from a wide header to its payload.
pub(crate) const WIDE_LEAD: usize = size_of::<WideHeader>().next_multiple_of(ALIGN);

/// A wide block, by its header's address. The heap on whose list it is keeps its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide(NonNull<WideHeader>);

impl Wide {
    /// The wide block whose holder sees `payload`.
    ///
    /// # Safety
    /// It is one, of a heap that still has it.
    unsafe fn of(payload: NonNull<u8>) -> Self {
        // SAFETY: the header stands in front of the payload.
        Self(unsafe { payload.sub(WIDE_LEAD) }.cast())
    }

    pub(crate) fn get(&self) -> &WideHeader {
        // SAFETY: `allocate_wide` wrote a header there, which is shared from then on (its fields are cells), and whose span
        // the heap keeps.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn payload(self) -> NonNull<u8> {
        // SAFETY: the payload follows the header within the span.
        unsafe { self.0.cast::<u8>().add(WIDE_LEAD) }
    }

    pub(crate) fn span(self) -> Span {
        self.get().span.get()
    }

    /// Whether the link back leads to `before`.
    pub(crate) fn follows(self, before: Option<Self>) -> bool {
        self.get().previous.get() == before
    }

    /// Usable bytes.
    pub(crate) fn size(self) -> usize {
        self.span().end() - self.payload().addr().get()
    }
}

impl<C: Config> Heap<C> {
    pub(super) fn allocate_wide(
        &self,
        source: &impl Backend,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let align = layout.align().max(ALIGN);
        let lead = align_up(WIDE_LEAD, align).ok_or(AllocError)?;
        let size = layout.size().checked_add(lead).ok_or(AllocError)?;
        let span = source.allocate_span(size, align)?;
        // SAFETY: the span has at least `lead` bytes.
        let payload = unsafe { span.start.add(lead) };
        // SAFETY: the header fits into the lead.
        let header = unsafe { payload.sub(WIDE_LEAD) }.cast::<WideHeader>();
        let next = self.wide.get();
        let entry = WideHeader {
            span: Cell::new(span),
            next: Cell::new(next),
            previous: Cell::new(None),
            zeros: [0; 2],
        };
        // SAFETY: within the new span, and aligned to a granule, as the payload and the distance to it are.
        unsafe { header.write(entry) };
        let block = Wide(header);
        if let Some(next) = next {
            next.get().previous.set(Some(block));
        }
        self.wide.set(Some(block));
        self.commit(span.size);
        Ok(payload)
    }

    /// # Safety
    /// `payload` is a live wide block of this heap, whose spans come from `source`.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn free_wide(&self, source: &impl Backend, payload: NonNull<u8>) {
        // SAFETY: the caller promises a wide block of ours.
        let block = unsafe { Wide::of(payload) };
        let (next, previous) = (block.get().next.get(), block.get().previous.get());
        if let Some(next) = next {
            next.get().previous.set(previous);
        }
        match previous {
            Some(previous) => previous.get().next.set(next),
            None => self.wide.set(next),
        }
        let span = block.span();
        self.uncommit(span.size);
        if span.size <= C::WIDE_MOST {
            self.threshold.set(self.threshold.get().max(span.size));
        }
        // SAFETY: the span came from `source`, as it last returned it, and the caller gives the block up.
        unsafe { source.release_span(span) };
    }

    /// Grows a wide block without copying it, where its source can: where it is, or by moving its pages, which keeps an
    /// alignment up to the source's granule. Where its payload is then.
    ///
    /// # Safety
    /// As for [`free_wide`](Self::free_wide), and on `Some` nobody uses the old address.
    pub(super) unsafe fn extend_wide(
        &self,
        source: &impl Backend,
        payload: NonNull<u8>,
        size: usize,
        align: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: the caller promises a wide block of ours.
        let block = unsafe { Wide::of(payload) };
        let (span, next, previous) = (block.span(), block.get().next.get(), block.get().previous.get());
        let lead = payload.addr().get() - span.start.addr().get();
        let whole = lead.checked_add(size)?;
        if whole <= span.size {
            return Some(payload);
        }
        let moved = if align <= source.granule() {
            // SAFETY: the span is as `source` last returned it, and nobody uses its old address once it has moved.
            unsafe { source.move_span(span, whole) }
        } else {
            Err(AllocError)
        };
        // SAFETY: as above, and the size does not fall.
        let grown = moved.or_else(|AllocError| unsafe { source.grow_span(span, whole) }).ok()?;
        self.commit(grown.size - span.size);
        // SAFETY: the span has more than `lead` bytes.
        let payload = unsafe { grown.start.add(lead) };
        // SAFETY: contents stay, the header's too.
        let block = unsafe { Wide::of(payload) };
        block.get().span.set(grown);
        if let Some(next) = next {
            next.get().previous.set(Some(block));
        }
        match previous {
            Some(previous) => previous.get().next.set(Some(block)),
            None => self.wide.set(Some(block)),
        }
        Some(payload)
    }

    /// The usable size of a wide block.
    ///
    /// # Safety
    /// `payload` is a live wide block of this heap.
    pub(super) unsafe fn wide_size(&self, payload: NonNull<u8>) -> usize {
        // SAFETY: the caller's promise is the callee's.
        unsafe { Wide::of(payload) }.size()
    }
}
