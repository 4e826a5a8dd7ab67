//! When freed blocks are merged with their neighbours.

#![forbid(unsafe_code)]

use crate::size::LARGEST_CLASS;

/// When freed blocks are merged: [`Immediate`], [`Deferred`] or [`Classed`]. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set is closed")]
pub trait Coalesce: Sealed {
    /// Blocks of up to this many bytes, headers included, go to quick lists. 0 for none.
    #[doc(hidden)]
    const QUICK_BYTES: usize;
    /// Whether requests are rounded up to classes, of which each has a quick list.
    #[doc(hidden)]
    const CLASSES: bool;
    /// Bytes that the quick lists of a zone hold at most, each an equal share.
    #[doc(hidden)]
    const BUDGET: usize;
}

trait Sealed: 'static {}

/// At once: every operation takes constant time in the worst case, and free memory is never in pieces that touch. The
/// default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Immediate;

/// Later: freed blocks of up to `BYTES` bytes (at most 1024, headers included; 1016 of packed ones) wait in quick lists of
/// one exact size each, from which the next request of that size is served in a few instructions, and without a look at
/// the block. A list holds 32 blocks, or its share of `BUDGET` bytes, or of 1/32 of its zone (of 8 MiB where that grows).
/// A free that exceeds that merges the half of the list that has waited longest; all lists are merged before the heap grows
/// or refuses a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deferred<const BYTES: usize = 1024, const BUDGET: usize = 1048576>;

/// Later, and in classes: as [`Deferred`], with quick lists for blocks of up to 31 KiB. For this, requests above 512 bytes are
/// rounded up to one of 16 sizes for each doubling, which wastes 3 % of them on average, and blocks of up to 4 KiB are
/// moved to grow and to shrink. Nearly every request is served in a few instructions, whatever its size.
///
/// Nothing is rounded up in a zone before the first block of such a size comes back there: what is only filled holds what
/// it would hold without lists. Blocks that were taken until then are merged when they are freed, and so are those that take their
/// room. Packed blocks are rounded up to 16 bytes, too, from then on, whatever their size. (Not behind caches of threads, where
/// requests are always rounded up.)
#[derive(Clone, Copy, Debug, Default)]
pub struct Classed<const BUDGET: usize = 4194304>;

impl Sealed for Immediate {}
impl<const BUDGET: usize> Sealed for Classed<BUDGET> {}
impl<const BYTES: usize, const BUDGET: usize> Sealed for Deferred<BYTES, BUDGET> {}

impl Coalesce for Immediate {
    const QUICK_BYTES: usize = 0;
    const CLASSES: bool = false;
    const BUDGET: usize = 0;
}

impl<const BYTES: usize, const BUDGET: usize> Coalesce for Deferred<BYTES, BUDGET> {
    const QUICK_BYTES: usize = {
        assert!(BYTES <= 1024, "quick lists are for blocks of up to 1024 bytes");
        BYTES
    };
    const CLASSES: bool = false;
    const BUDGET: usize = BUDGET;
}

impl<const BUDGET: usize> Coalesce for Classed<BUDGET> {
    const QUICK_BYTES: usize = LARGEST_CLASS * 16;
    const CLASSES: bool = true;
    const BUDGET: usize = BUDGET;
}
