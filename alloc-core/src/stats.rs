//! One schema of figures for every strategy.

use core::fmt;

/// A figure that a strategy may not know. `u64::MAX` in memory means *not known*, so that C code reads the same field.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gauge(u64);

impl Gauge {
    /// The strategy cannot tell.
    pub const UNKNOWN: Self = Self(u64::MAX);

    /// A known figure.
    #[must_use]
    pub const fn known(value: u64) -> Self {
        Self(value)
    }

    /// A known figure of bytes or of blocks.
    #[must_use]
    pub const fn of(value: usize) -> Self {
        Self(value as u64)
    }

    /// The figure, where it is known.
    #[must_use]
    pub const fn get(self) -> Option<u64> {
        if self.0 == u64::MAX { None } else { Some(self.0) }
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
        }
    }
}

/// What a strategy holds at one moment. Sizes are bytes. A strategy that serves several threads reads its figures
/// without stopping them, so that they may be a few operations apart.
///
/// Where all terms are known, `committed = live + cached + free + metadata`, where `live` counts usable sizes and
/// includes `mapped`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Address space taken from the backend.
    pub reserved: Gauge,
    /// Readable and writable bytes taken from the backend.
    pub committed: Gauge,
    /// The highest `committed` so far.
    pub committed_peak: Gauge,
    /// Bytes in live blocks (usable sizes).
    pub live: Gauge,
    /// Live blocks.
    pub live_blocks: Gauge,
    /// Freed bytes held back for reuse in front of the heap (thread caches, quick lists).
    pub cached: Gauge,
    /// Blocks in `cached`.
    pub cached_blocks: Gauge,
    /// Bytes that the heap can hand out without the backend.
    pub free: Gauge,
    /// Free blocks.
    pub free_blocks: Gauge,
    /// The largest free block.
    pub free_largest: Gauge,
    /// Bytes in blocks with a mapping of their own.
    pub mapped: Gauge,
    /// Blocks with a mapping of their own.
    pub mapped_blocks: Gauge,
    /// Bytes of headers, tables and padding between blocks.
    pub metadata: Gauge,
}

impl Stats {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        reserved: Gauge::UNKNOWN,
        committed: Gauge::UNKNOWN,
        committed_peak: Gauge::UNKNOWN,
        live: Gauge::UNKNOWN,
        live_blocks: Gauge::UNKNOWN,
        cached: Gauge::UNKNOWN,
        cached_blocks: Gauge::UNKNOWN,
        free: Gauge::UNKNOWN,
        free_blocks: Gauge::UNKNOWN,
        free_largest: Gauge::UNKNOWN,
        mapped: Gauge::UNKNOWN,
        mapped_blocks: Gauge::UNKNOWN,
        metadata: Gauge::UNKNOWN,
    };
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn a_gauge_tells_known_from_unknown() {
        assert_eq!(Gauge::of(0).get(), Some(0));
        assert_eq!(Gauge::UNKNOWN.get(), None);
        assert_eq!(format!("{:>4}|{:>4}", Gauge::of(7), Gauge::UNKNOWN), "   7|   -");
        assert_eq!(Stats::default(), Stats::UNKNOWN);
    }
}
