//! What a strategy can do wrong, each as a value with one line of text.
//!
//! Checks return a [`Breach`] instead of panicking, so that property tests can shrink, sweeps can go on to the next
//! case, and fuzz targets can decide for themselves. The text names addresses and numbers, never a guess at a cause.

#![forbid(unsafe_code)]

use core::fmt;

use crate::ops::Op;

/// One breach of the contract in `alloc_core::strategy`. Sizes and offsets are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// A block does not start at a multiple of its alignment.
    Misaligned {
        /// Where the block starts.
        address: usize,
        /// What it should be a multiple of.
        align: usize,
    },
    /// A block shares bytes with another live one.
    Overlap {
        /// Where the new block starts.
        address: usize,
        /// The bytes its holder may use.
        size: usize,
        /// Where the block starts that was live before.
        other: usize,
        /// The bytes of that one.
        other_size: usize,
    },
    /// A block runs past the end of the address space, or is longer than `isize::MAX`.
    OutOfBounds {
        /// Where the block starts.
        address: usize,
        /// Its bytes.
        size: usize,
    },
    /// A byte that was promised to be zero is not.
    NotZero {
        /// Where the block starts.
        address: usize,
        /// Its bytes.
        size: usize,
        /// Which byte.
        offset: usize,
        /// What is there.
        found: u8,
    },
    /// A byte of a live block is not what its holder wrote.
    Changed {
        /// Where the block starts.
        address: usize,
        /// Its bytes.
        size: usize,
        /// Which byte.
        offset: usize,
        /// What the holder wrote.
        expected: u8,
        /// What is there.
        found: u8,
    },
    /// A request was refused that the declared memory suffices for.
    Refused {
        /// Bytes asked for.
        size: usize,
        /// Alignment asked for.
        align: usize,
    },
    /// A request was served that no memory suffices for.
    Impossible {
        /// Bytes asked for.
        size: usize,
        /// Alignment asked for.
        align: usize,
    },
    /// The usable size is smaller than the size asked for.
    UsableTooSmall {
        /// Where the block starts.
        address: usize,
        /// What the strategy says.
        usable: usize,
        /// What was asked for.
        size: usize,
    },
    /// The usable size is another than at first, though the block stayed live and was not resized.
    UsableChanged {
        /// Where the block starts.
        address: usize,
        /// What the strategy said first.
        before: usize,
        /// What it says now.
        after: usize,
    },
    /// Two figures of `stats()` contradict each other, or what is live.
    Figures {
        /// The rule, in the words of `alloc_core::Stats`.
        rule: &'static str,
        /// The left side of the rule.
        left: u64,
        /// The right side of the rule.
        right: u64,
    },
    /// A range that `walk()` showed, or should have shown.
    Walk {
        /// What is wrong with it.
        fault: WalkFault,
        /// First address of the range.
        address: usize,
        /// Its bytes.
        size: usize,
    },
    /// `walk()` ended otherwise than it should.
    WalkEnd {
        /// How it should have ended.
        expected: &'static str,
        /// How it did.
        found: &'static str,
    },
    /// `owns()` disowned an address in a live block.
    Disowned {
        /// The address.
        address: usize,
    },
    /// `owns()` claimed an address in memory of others.
    Claimed {
        /// The address.
        address: usize,
    },
    /// Something is no longer there that nobody gave up.
    Lost {
        /// What is counted.
        what: &'static str,
        /// How many there were.
        before: u64,
        /// How many there are.
        after: u64,
    },
    /// `trim` says it gave back more than there was.
    TrimTooLarge {
        /// What it says.
        trimmed: usize,
        /// The committed bytes before.
        committed: u64,
    },
    /// `name()` is empty.
    Nameless,
    /// A run that should have exercised something did not: the test would prove nothing.
    Idle {
        /// What did not happen.
        what: &'static str,
    },
}

/// What is wrong with a range of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WalkFault {
    /// It is a block, and no zone began before.
    BlockBeforeZone,
    /// It is a block that leaves its zone.
    OutsideZone,
    /// It is a block that starts before the last one ended.
    Disorder,
    /// It is a zone that overlaps another zone.
    ZonesOverlap,
    /// It is a block that the strategy itself calls corrupted.
    Corrupted,
    /// It is a live block, and no used block covers it.
    Missing,
    /// It is a block shown as used, and no live block is there.
    Stale,
    /// It is a live block, shown with another size than its usable size.
    WrongSize,
}

impl fmt::Display for WalkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlockBeforeZone => "was shown before any zone",
            Self::OutsideZone => "leaves its zone",
            Self::Disorder => "starts before the block shown last has ended",
            Self::ZonesOverlap => "is a zone that overlaps another zone",
            Self::Corrupted => "was shown as corrupted",
            Self::Missing => "is live, but no used block that was shown covers it",
            Self::Stale => "was shown as used, but no live block is there",
            Self::WrongSize => "was shown with another size than its usable size",
        })
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Misaligned { address, align } => {
                write!(f, "block {address:#x} is not a multiple of its alignment {align}")
            }
            Self::Overlap { address, size, other, other_size } => {
                write!(f, "block {address:#x}+{size} overlaps the live block {other:#x}+{other_size}")
            }
            Self::OutOfBounds { address, size } => {
                write!(f, "block {address:#x}+{size} leaves the address space")
            }
            Self::NotZero { address, size, offset, found } => {
                write!(f, "block {address:#x}+{size}: byte {offset} is {found:#04x} instead of zero")
            }
            Self::Changed { address, size, offset, expected, found } => {
                write!(
                    f,
                    "block {address:#x}+{size}: byte {offset} is {found:#04x}, its holder wrote {expected:#04x}"
                )
            }
            Self::Refused { size, align } => {
                write!(f, "refused {size} bytes aligned to {align}, for which the declared memory suffices")
            }
            Self::Impossible { size, align } => {
                write!(f, "served {size} bytes aligned to {align}, for which no memory suffices")
            }
            Self::UsableTooSmall { address, usable, size } => {
                write!(
                    f,
                    "block {address:#x}: usable size {usable} is smaller than the {size} bytes asked for"
                )
            }
            Self::UsableChanged { address, before, after } => {
                write!(f, "block {address:#x}: usable size was {before} and is {after} without a resize")
            }
            Self::Figures { rule, left, right } => {
                write!(f, "stats contradict the rule `{rule}`: {left} and {right}")
            }
            Self::Walk { fault, address, size } => write!(f, "walk: range {address:#x}+{size} {fault}"),
            Self::WalkEnd { expected, found } => {
                write!(f, "walk ended as `{found}` instead of `{expected}`")
            }
            Self::Disowned { address } => {
                write!(f, "owns({address:#x}) is NotMine, but the address lies in a live block")
            }
            Self::Claimed { address } => write!(f, "owns({address:#x}) is Mine, but the address is foreign"),
            Self::Lost { what, before, after } => write!(f, "lost {what}: {before} before, {after} after"),
            Self::TrimTooLarge { trimmed, committed } => {
                write!(f, "trim gave {trimmed} bytes back, of {committed} committed")
            }
            Self::Nameless => f.write_str("name() is empty"),
            Self::Idle { what } => write!(f, "the run proves nothing: {what}"),
        }
    }
}

impl core::error::Error for Breach {}

/// A [`Breach`] and the operation that brought it to light.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The operation and its index in the sequence, or `None` for the checks after the last one.
    pub at: Option<(usize, Op)>,
    /// What is wrong.
    pub breach: Breach,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((step, op)) => write!(f, "step {step}, {op:?}: {}", self.breach),
            None => write!(f, "after the last step: {}", self.breach),
        }
    }
}

/// The same text as [`Display`](fmt::Display), so that `unwrap` on a run reads well.
impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Violation {}
