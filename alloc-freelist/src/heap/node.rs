//! What a heap knows of a zone: it stands in front of the zone, in the same memory.

use core::cell::Cell;
use core::ptr::NonNull;

use alloc_core::arith::padding;
use alloc_core::backend::Span;

use crate::config::Config;
use crate::size::ALIGN;
use crate::zone::Zone;
use crate::zone::grow::Growth;

/// Whose memory a zone is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The backend's: it goes back there.
    Backend,
    /// The caller's.
    Caller,
}

/// The entry of one zone in its heap's list.
///
/// ```text
///   span.start                                       span.end
///   | pad | Node | ZoneHeader | bins | tables | blocks ... |
/// ```
pub(crate) struct Node<C: Config> {
    pub(super) span: Cell<Span>,
    pub(super) next: Cell<Option<NodeRef<C>>>,
    pub(super) owner: Owner,
    /// Made for blocks of [`Config::WIDE`] bytes and more: smaller ones go there only when there is no other room.
    pub(super) large: Cell<bool>,
    zone: Zone<C>,
}

/// A node by address. The heap whose list it is on keeps its memory.
pub(crate) struct NodeRef<C: Config>(NonNull<Node<C>>);

impl<C: Config> Clone for NodeRef<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Config> Copy for NodeRef<C> {}

impl<C: Config> PartialEq for NodeRef<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// Bytes of a node.
const SIZE: usize = size_of::<Node<crate::config::Policy>>();

impl<C: Config> NodeRef<C> {
    /// Bytes of a span for a zone that can hand out a block of `size` granules.
    pub(super) fn span_for(size: usize, growth: Growth) -> Option<usize> {
        Zone::<C>::bytes_for(size, growth)?.checked_add(SIZE + ALIGN)
    }

    /// Makes a zone of a span, which reads as zero if `zeroed`. `None` where it is too small.
    ///
    /// # Safety
    /// The span is readable and writable, within one allocation, and the caller's alone while the node is used. They are zero if `zeroed`.
    pub(super) unsafe fn make(span: Span, owner: Owner, growth: Growth, zeroed: bool) -> Option<Self> {
        let lead = padding(span.start.addr().get(), ALIGN) + SIZE;
        let size = span.size.checked_sub(lead)?;
        // SAFETY: `lead <= span.size`.
        let start = unsafe { span.start.add(lead) };
        // SAFETY: what follows the node is the caller's, as promised.
        let zone = unsafe { Zone::open(start, size, growth, zeroed) }?;
        // SAFETY: the lead holds the node.
        let node = unsafe { start.sub(SIZE) }.cast::<Node<C>>();
        let entry =
            Node { span: Cell::new(span), next: Cell::new(None), owner, large: Cell::new(false), zone };
        // SAFETY: within the span, hence writable, and aligned: the lead ends on a granule, of which the size is a multiple
        // of the node's alignment.
        unsafe { node.write(entry) };
        Some(Self(node))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &Node<C> {
        // SAFETY: `make`, the only constructor, wrote a node there, which is shared from then on (its fields are cells or do
        // not change), and whose memory the heap keeps.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn zone(self) -> Zone<C> {
        self.get().zone
    }

    pub(crate) fn span(self) -> Span {
        self.get().span.get()
    }
}
