//! What blocks carry.
//!
//! ```text
//!              free block (first and last bytes)                     block in use
//!   None       | next | prev | size | .... | size |                  | payload ...
//!   Packed     | next | prev | size | tag | .... | tag and size |    | payload ...
//!   Sized      | next | prev | size | .... | size |                  | size | state | payload ...
//!   Checked    | magic | flags | size | prev | next | req | links |  | magic | flags | size | prev | next | req | payload ...
//! ```
//!
//! All fields are 32 bits. Links name free blocks in the fit's order; `prev` and `next` of a checked header name the
//! blocks before and after it in the zone.

mod checked;
mod none;
mod packed;
mod sized;

use core::ptr::NonNull;

use alloc_core::{Block, Field, Misuse, Peek};

pub use checked::{Checked, Keyed, Magic, Plain};
pub use none::None;
pub use packed::Packed;
pub use sized::Sized;

pub(crate) use checked::{CORRUPTED, FLAGS, MAGIC, REQUESTED};

use crate::config::Config;
use crate::size::ALIGN;
use crate::zone::Zone;

/// What blocks carry: [`None`], [`Packed`], [`Sized`] or [`Checked`]. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set of headers is closed")]
pub trait Header: Sealed {
    /// Bytes before what the holder sees: a multiple of 8.
    #[doc(hidden)]
    const BYTES: usize;
    /// Bytes of a granule, in which blocks are counted: a power of two.
    #[doc(hidden)]
    const GRANULE: usize = ALIGN;
    /// log2 of them.
    #[doc(hidden)]
    const SHIFT: u32 = Self::GRANULE.trailing_zeros();
    /// log2 of the granules that share a bit of the edge map.
    #[doc(hidden)]
    const PAIR: u32 = 0;
    /// Granules in the smallest block: at least as many as share a bit.
    #[doc(hidden)]
    const MIN: u32;
    /// Whether what a block leaves over must be a block or nothing, since neither a header nor a layout tells of less.
    #[doc(hidden)]
    const EXACT: bool = !Self::SIZED && Self::MIN > 1;
    /// Maps of the zone.
    #[doc(hidden)]
    const MAPS: usize;
    /// Whether blocks in use tell their size.
    #[doc(hidden)]
    const SIZED: bool;
    /// Whether maps outside of the blocks say where each starts and whether it is free, so that headers are checked
    /// against them.
    #[doc(hidden)]
    const TRUSTED: bool;
    /// Where a free block's two links are.
    #[doc(hidden)]
    const LINKS: usize;

    /// Size of a free block.
    #[doc(hidden)]
    fn free_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32;

    /// Size of the free block that ends at `at`, where one does.
    #[doc(hidden)]
    fn free_before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32;

    /// The block at `at` is free and has `size` granules.
    #[doc(hidden)]
    fn become_free<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32);

    /// The block at `at` is in use and has `size` granules. `requested` are the bytes asked for.
    #[doc(hidden)]
    #[inline(always)]
    fn become_used<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32, requested: usize) {
        let _ = (zone, at, size, requested);
    }

    /// The block at `at`, in use for the maps, goes to a quick list.
    #[doc(hidden)]
    #[inline(always)]
    fn become_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) {
        let _ = (zone, at);
    }

    /// The block at `at` leaves a quick list to be used again.
    #[doc(hidden)]
    #[inline(always)]
    fn leave_cache<C: Config<Header = Self>>(zone: Zone<C>, at: u32, requested: usize) {
        let _ = (zone, at, requested);
    }

    /// A block starts at `at` from now on; the one before it starts at `before`.
    #[doc(hidden)]
    fn cut<C: Config<Header = Self>>(zone: Zone<C>, at: u32, before: u32) {
        let _ = (zone, at, before);
    }

    /// No block starts at `at` any more.
    #[doc(hidden)]
    fn join<C: Config<Header = Self>>(zone: Zone<C>, at: u32) {
        let _ = (zone, at);
    }

    /// Where in a pair of granules, that starts at `at` and shares its bit, the one free block starts that does so there.
    #[doc(hidden)]
    #[inline(always)]
    fn start_in_pair<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        let _ = zone;
        at
    }

    /// Size of a block in use, where its header is to be believed: not where there is none.
    #[doc(hidden)]
    #[inline(always)]
    fn used_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        let _ = (zone, at);
        0
    }

    /// Whether the block at `at`, in use for the maps, lies in a quick list.
    #[doc(hidden)]
    fn is_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> bool {
        let _ = (zone, at);
        false
    }

    /// A thread caches the block whose holder saw `payload`. Not for headers that are trusted; so below.
    ///
    /// # Safety
    /// The block is in use for its zone, and nobody's but the caller's.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn note_cached(payload: NonNull<u8>) {
        let _ = payload;
    }

    /// The block leaves a thread's cache to be used again.
    ///
    /// # Safety
    /// As for [`note_cached`](Self::note_cached).
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn note_used(payload: NonNull<u8>) {
        let _ = payload;
    }

    /// Size in granules of the block in use whose holder sees `payload`, and 0 for a wide one. Only where blocks tell their
    /// size.
    ///
    /// # Safety
    /// It is one.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn noted_size(payload: NonNull<u8>) -> u32 {
        let _ = payload;
        0
    }

    /// The block in use whose holder sees `address`, which lies in the zone; or what is wrong with it. Looks only where
    /// [`TRUSTED`](Self::TRUSTED).
    #[doc(hidden)]
    #[inline(always)]
    fn examine<C: Config<Header = Self>>(zone: Zone<C>, address: usize) -> Result<u32, Misuse> {
        Ok(((zone.distance(address) - Self::BYTES) >> Self::SHIFT) as u32)
    }

    /// Shows the fields of the header of a block in a zone, as a walk showed it: nothing where there is none.
    #[doc(hidden)]
    fn show(block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        let _ = (block, peek, show);
    }

    /// Whether the header of the block at `at` is whole. The block is one by the maps.
    #[doc(hidden)]
    fn is_whole<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> bool {
        let _ = (zone, at);
        true
    }
}

/// A header that tells its block's size: [`Sized`] or [`Checked`]. Heaps with it have
/// [`SizedBlocks`](alloc_core::SizedBlocks).
pub trait KnowsSize: Header {}
impl KnowsSize for Sized {}
impl<M: Magic> KnowsSize for Checked<M> {}

trait Sealed: 'static {}
impl Sealed for None {}
impl Sealed for Packed {}
impl Sealed for Sized {}
impl<M: Magic> Sealed for Checked<M> {}
