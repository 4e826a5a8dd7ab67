//! What happens to blocks.

#![forbid(unsafe_code)]

/// A block, as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First address.
    pub address: usize,
    /// Bytes asked for; 0 where `align` is 0.
    pub size: usize,
    /// The alignment asked for; 0 where neither size nor alignment was told, as by C's `free`.
    pub align: usize,
}

impl Place {
    /// A block of which only the address is known.
    #[inline]
    #[must_use]
    pub const fn bare(address: usize) -> Self {
        Self { address, size: 0, align: 0 }
    }
}

/// What a sink wants to know again when a resize is over: when it began, or what it knew of the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// One event, told to a [`Sink`](crate::Sink).
///
/// A free is told before the strategy gets the block back, and an allocation after it handed the block out, so that of
/// two events at one address the earlier is always told first, on whichever threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A block was handed out.
    Alloc(Place),
    /// A block is about to be given back.
    Free(Place),
    /// A block was resized, in place or by moving.
    Resize {
        /// The block as it was.
        old: Place,
        /// The block as it is.
        new: Place,
        /// What [`Sink::leaving`](crate::Sink::leaving) answered, before the strategy was asked: from then on, others may
        /// have been given the old address.
        before: Moment,
    },
    /// A request was answered with an error.
    Refused {
        /// Bytes asked for.
        size: usize,
        /// The alignment asked for.
        align: usize,
        /// Of a resize: the block that stays where it is, and what [`Sink::leaving`](crate::Sink::leaving) answered.
        kept: Option<(usize, Moment)>,
    },
}
