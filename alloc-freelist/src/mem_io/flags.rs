//! What a block of `mem_io` is, as flags.

#![forbid(unsafe_code)]

use core::fmt;

/// Flags of a block: one or more of the constants.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// The block is free.
    pub const FREE: Self = Self(1);
    /// The block is in use.
    pub const USED: Self = Self(2);
    /// The block's header is not what the heap wrote: it is never handed out again.
    pub const CORRUPTED: Self = Self(4);
    /// The block has a mapping of its own.
    pub const MMAP: Self = Self(8);

    /// The flags as bits, in the order of the constants.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Names joined by `|`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::FREE, "free"),
            (Self::USED, "used"),
            (Self::CORRUPTED, "corrupted"),
            (Self::MMAP, "mmap"),
        ];
        let mut first = true;
        for (flag, name) in names {
            if self.contains(flag) {
                f.write_str(if first { "" } else { "|" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({self})")
    }
}
