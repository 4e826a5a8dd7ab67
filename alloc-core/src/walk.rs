//! What a walk over a strategy's memory shows.

use core::ops::ControlFlow;

/// A contiguous range that a strategy took from its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// First address.
    pub address: usize,
    /// Bytes.
    pub size: usize,
}

/// What the bytes of a [`Block`] are now.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockState {
    /// A live block. Strategies without block boundaries (`bump`) report their used extent as one.
    Used = 1,
    /// Free, and the heap may hand it out.
    Free = 2,
    /// Freed, and held back in front of the heap for reuse.
    Cached = 3,
    /// A live block with a mapping of its own.
    Mapped = 4,
    /// Its header or links contradict themselves or their neighbours.
    Corrupted = 5,
    /// Headers and tables of the strategy.
    Metadata = 6,
}

/// A range within a [`Zone`], in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// First address that the holder sees (after any header).
    pub address: usize,
    /// Usable bytes.
    pub size: usize,
    /// What they are.
    pub state: BlockState,
}

/// One step of a walk: a zone, then its blocks from low to high addresses, then the next zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A zone begins.
    Zone(Zone),
    /// A block of the zone that began last.
    Block(Block),
}

/// What a visitor answers: go on, or stop the walk.
pub type Visit = ControlFlow<()>;

/// How a walk ended.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Walked {
    /// Everything was shown.
    Complete = 0,
    /// The visitor stopped it.
    Stopped = 1,
    /// The strategy cannot be walked (its memory belongs to another allocator).
    Unsupported = 2,
}
