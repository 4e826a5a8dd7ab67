//! How a free block is chosen.

mod best;
mod good;
mod windows;

pub use best::Best;
pub use good::Good;
pub use windows::{First, Next};

use crate::config::Config;
use crate::zone::Zone;

/// How a free block is chosen: [`Good`], [`First`], [`Next`] or [`Best`]. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set of fits is closed")]
pub trait Fit: Sealed {
    /// Whether an index is kept in bins, whose heads a zone then has room for.
    #[doc(hidden)]
    const BINS: bool;

    /// Whether [`remove`](Self::remove) reads the edge map around the block, which must then still be as it was while
    /// the block was free.
    #[doc(hidden)]
    const READS_EDGES: bool;

    /// Whether the zone with the lowest address is searched first, instead of the one that served last.
    #[doc(hidden)]
    const BY_ADDRESS: bool;

    /// Whether searches start at the zone's cursor, which goes back to the start when the zone is empty.
    #[doc(hidden)]
    const CURSOR: bool;

    /// Bytes beside the maps for a zone of `capacity` granules: a multiple of 8. They are zero at first.
    #[doc(hidden)]
    fn table_bytes(capacity: u32) -> usize;

    /// A free block of at least `size` granules, which is removed, and its size.
    #[doc(hidden)]
    fn take<C: Config<Fit = Self>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)>;

    /// Takes note of a free block.
    #[doc(hidden)]
    fn insert<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32);

    /// Forgets a free block.
    #[doc(hidden)]
    fn remove<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32);

    /// A free block grew at its end.
    #[doc(hidden)]
    #[inline(always)]
    fn grow<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, old: u32, new: u32) {
        Self::remove(zone, at, old);
        Self::insert(zone, at, new);
    }

    /// Compares the index with the free blocks, of which `free` tells whether there is one of this size at a position.
    /// How many blocks the index holds, or the position where it is wrong.
    #[doc(hidden)]
    fn check<C: Config<Fit = Self>>(
        zone: Zone<C>,
        free: &mut dyn FnMut(u32, u32) -> bool,
    ) -> Result<usize, u32>;
}

trait Sealed: 'static {}
impl Sealed for Good {}
impl Sealed for First {}
impl Sealed for Next {}
impl Sealed for Best {}
