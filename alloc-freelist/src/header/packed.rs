//! Blocks without a header, in granules of 8 bytes.
//!
//! Two granules share a bit of the edge map. Blocks have 16 bytes at least, used or free, so that of all edges at most one
//! lies in a pair: asked at a block's end, the bit is the answer, and so freeing and taking blocks is as elsewhere. Walks find
//! the pair alone. Which of its granules a free block starts at, the block says: the 8 bytes behind the pair's first
//! granule are the block's, not its holder's, in either case.
//!
//! ```text
//!   pair of granules        | first         second        |
//!   starts at the first     | next  prev  | size  tag     | ....
//!   starts at the second    | in use      | next  prev    | size  tag  ....
//! ```
//!
//! The tag is a bit that `prev` never has. It is set in a block's last word too, which in the smallest block is the same one.

use super::Header;
use crate::config::Config;
use crate::zone::{Zone, bytes};

/// Blocks in use carry nothing, and sizes are rounded up to 8 bytes instead of 16, with the same map: what is rounded away
/// is half. Requests aligned to 16 are as exact, and take a little longer. For fits by size: [`Good`](crate::fit::Good) and
/// [`Best`](crate::fit::Best).
///
/// Under [`Classed`](crate::coalesce::Classed), sizes are rounded up to 16 bytes, too, once blocks come back.
///
/// No block has less than 16 bytes, so that none is cut from a free one that is larger by 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packed;

const SIZE: usize = 8;
const MARK: usize = 12;
const FOOT: usize = 4;

/// Links are positions, or places in words of four bytes of zones with at most 2³⁰ granules of two words: less than this.
const TAG: u32 = 1 << 31;

const _: () = assert!(crate::size::MAX_ZONE as u64 * 2 <= TAG as u64);

impl Header for Packed {
    const BYTES: usize = 0;
    const GRANULE: usize = 8;
    const PAIR: u32 = 1;
    const MIN: u32 = 2;
    const MAPS: usize = 1;
    const SIZED: bool = false;
    const TRUSTED: bool = false;
    const LINKS: usize = 0;

    #[inline(always)]
    fn free_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        zone.field(at, SIZE)
    }

    #[inline(always)]
    fn free_before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        zone.read(bytes::<C>(at) - FOOT) & !TAG
    }

    #[inline(always)]
    fn become_free<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32) {
        zone.set_field(at, SIZE, size);
        zone.set_field(at, MARK, TAG);
        zone.write(bytes::<C>(at + size) - FOOT, size | TAG);
    }

    #[inline(always)]
    fn start_in_pair<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        if zone.field(at, MARK) & TAG != 0 { at } else { at + 1 }
    }
}
