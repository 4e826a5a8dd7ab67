//! What a guard finds, and how it says so.

use alloc_core::Misuse;
use alloc_core::line::Line;
use alloc_core::misuse;

/// A fault in the use of a guarded block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes behind the block were written.
    Overrun,
    /// Bytes before the block were written.
    Underrun,
    /// The block was written to after it was freed.
    WriteAfterFree,
    /// What every strategy may find.
    Misuse(Misuse),
}

impl Fault {
    /// The fault's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overrun => "write past the end",
            Self::Underrun => "write before the start",
            Self::WriteAfterFree => "write after free",
            Self::Misuse(misuse) => misuse.name(),
        }
    }

    /// What the user should understand by it.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Overrun => "the bytes behind the block were changed",
            Self::Underrun => "the bytes before the block were changed",
            Self::WriteAfterFree => "the block was changed after it was freed",
            Self::Misuse(misuse) => misuse.explanation(),
        }
    }

    /// The message for this fault of `strategy` in the block at `address`: as those of [`Misuse`].
    #[must_use]
    pub fn line(self, strategy: &str, address: usize) -> Line {
        misuse::fault_line(strategy, self.name(), address, self.explanation())
    }
}
