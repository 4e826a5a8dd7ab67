//! What a program can do wrong with a block, and how it is told.
//!
//! Each kind has one message. It is written without allocating, as
//! `strata: STRATEGY: KIND at ADDRESS: EXPLANATION`, and then the process is aborted, or goes on where the user chose so.

use crate::line::Line;

/// A fault in the use of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// A block that is already free was given back.
    DoubleFree,
    /// The pointer never came from this strategy.
    ForeignPointer,
    /// The pointer lies inside a block, not at its start.
    InteriorPointer,
    /// No block can start at such an address.
    MisalignedPointer,
    /// A block's header contradicts itself or its neighbours.
    CorruptedHeader,
    /// A list of free blocks does not lead back to where it came from.
    CorruptedLink,
    /// The layout given for a block does not fit it.
    LayoutMismatch,
    /// A lock was taken while one of the same or a higher rank was held.
    LockOrder,
}

impl Misuse {
    /// Every kind, for tests and tables.
    pub const ALL: [Self; 8] = [
        Self::DoubleFree,
        Self::ForeignPointer,
        Self::InteriorPointer,
        Self::MisalignedPointer,
        Self::CorruptedHeader,
        Self::CorruptedLink,
        Self::LayoutMismatch,
        Self::LockOrder,
    ];

    /// The kind's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoubleFree => "double free",
            Self::ForeignPointer => "foreign pointer",
            Self::InteriorPointer => "interior pointer",
            Self::MisalignedPointer => "misaligned pointer",
            Self::CorruptedHeader => "corrupted header",
            Self::CorruptedLink => "corrupted link",
            Self::LayoutMismatch => "layout mismatch",
            Self::LockOrder => "lock order",
        }
    }

    /// What the user should understand by it.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::DoubleFree => "the block is already free",
            Self::ForeignPointer => "no memory of this strategy is there",
            Self::InteriorPointer => "it points into a block, not at its start",
            Self::MisalignedPointer => "no block can start there",
            Self::CorruptedHeader => "the block's size or flags contradict its neighbours",
            Self::CorruptedLink => "the free list does not lead back here",
            Self::LayoutMismatch => "the size or alignment given is not the block's",
            Self::LockOrder => "a lock of the same or a higher rank is already held",
        }
    }

    /// The message for this fault of `strategy` at `address`.
    #[must_use]
    pub fn line(self, strategy: &str, address: usize) -> Line {
        fault_line(strategy, self.name(), address, self.explanation())
    }

    /// Writes the message and aborts the process.
    #[cold]
    #[inline(never)]
    pub fn stop(self, strategy: &str, address: usize) -> ! {
        self.line(strategy, address).emit();
        abort()
    }
}

/// The message for a fault of `strategy` at `address`, in the form that all of them have: for decorators with kinds of their
/// own.
#[must_use]
pub fn fault_line(strategy: &str, name: &str, address: usize, explanation: &str) -> Line {
    Line::new()
        .text("strata: ")
        .text(strategy)
        .text(": ")
        .text(name)
        .text(" at ")
        .address(address)
        .text(": ")
        .text(explanation)
}

/// What follows a message about misuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMisuse {
    /// The process is aborted. The default: the heap can no longer be trusted.
    #[default]
    Abort,
    /// The request is ignored and the program goes on, at the user's risk.
    Ignore,
}

impl OnMisuse {
    /// Writes the message, then does as this choice says. Returns only for [`OnMisuse::Ignore`].
    #[cold]
    #[inline(never)]
    pub fn handle(self, misuse: Misuse, strategy: &str, address: usize) {
        match self {
            Self::Abort => misuse.stop(strategy, address),
            Self::Ignore => misuse.line(strategy, address).emit(),
        }
    }
}

/// Ends the process without unwinding and without running any code that could allocate.
#[cold]
#[cfg_attr(
    feature = "libc",
    expect(clippy::disallowed_methods, reason = "this is the home that others are sent to")
)]
pub fn abort() -> ! {
    #[cfg(feature = "libc")]
    // SAFETY: `abort` may be called at any time from any thread.
    unsafe {
        libc::abort()
    }
    #[cfg(all(not(feature = "libc"), feature = "std"))]
    std::process::abort();
    #[cfg(not(any(feature = "libc", feature = "std")))]
    {
        // A panic that would leave an `extern "C"` function aborts; on a bare target the panic handler decides.
        extern "C" fn stop() -> ! {
            panic!("strata: stopped")
        }
        stop()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_a_message_of_its_own_that_fits_a_line() {
        let mut seen = HashSet::new();
        for misuse in Misuse::ALL {
            let line = misuse.line("ptmalloc", usize::MAX);
            assert!(line.as_bytes().len() < crate::line::LINE_BYTES - 1, "{misuse:?} is cut");
            assert!(seen.insert(line.as_bytes().to_vec()), "{misuse:?} repeats a message");
        }
    }

    #[test]
    fn the_message_is_exact() {
        assert_eq!(
            Misuse::DoubleFree.line("freelist", 0x7f00_1230).as_bytes(),
            b"strata: freelist: double free at 0x7f001230: the block is already free"
        );
    }
}
