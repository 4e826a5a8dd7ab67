//! Headers with a magic number, flags and neighbours, checked against maps outside of the blocks.
//!
//! ```text
//!   bytes   0       4       8      12     16     20          24
//!           | magic | flags | size | prev | next | requested | payload, or the links of a free block |
//! ```

use core::marker::PhantomData;

use alloc_core::{Block, Field, Misuse, Peek, peek_u32};

use super::Header;
use crate::config::Config;
use crate::zone::{Zone, bytes};

/// Blocks carry a magic number, flags, their size, their neighbours, and the size asked for. All of it is checked when a
/// block is freed or resized, against two more maps of the zone (of block starts, and of free ones), which a write
/// beyond a block's end does not reach. Double frees, foreign, interior and misaligned pointers, smashed headers and
/// wrong layouts are found without fail.
///
/// `M` is the magic number: [`Plain`] or [`Keyed`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked<M = Plain>(PhantomData<M>);

/// A magic number for each header. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set of magic numbers is closed")]
pub trait Magic: Number {}

trait Number: 'static {
    fn at(position: u32, base: usize) -> u32;
}

/// `0xDEADBEEF` in every header: easy to find in a memory dump.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

/// `0xDEADBEEF`, mixed with the header's place and with the zone's address: a header copied to another place, or
/// forged by who does not know the address, is found out. Zones with it work at one address only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyed;

const DEADBEEF: u32 = 0xDEAD_BEEF;

impl Magic for Plain {}
impl Magic for Keyed {}

impl Number for Plain {
    #[inline(always)]
    fn at(_position: u32, _base: usize) -> u32 {
        DEADBEEF
    }
}

impl Number for Keyed {
    #[inline(always)]
    fn at(position: u32, base: usize) -> u32 {
        // Multiplication by odd constants and folding, after the finaliser of SplitMix64.
        let mixed = (base as u64 ^ u64::from(position) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        DEADBEEF ^ (mixed >> 32) as u32
    }
}

pub(crate) const MAGIC: usize = 0;
pub(crate) const FLAGS: usize = 4;
pub(crate) const SIZE: usize = 8;
pub(crate) const PREV: usize = 12;
pub(crate) const NEXT: usize = 16;
pub(crate) const REQUESTED: usize = 20;

/// Flags: as the seed's `MEM_IO_FLAG_*`, one bit each.
pub(crate) const FREE: u32 = 1;
pub(crate) const USED: u32 = 2;
pub(crate) const CORRUPTED: u32 = 4;
const CACHED: u32 = 16;

/// Stands for a request that 32 bits do not hold.
const LARGE: u32 = u32::MAX;

fn requested(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(LARGE)
}

impl<M: Magic> Checked<M> {
    fn magic<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        M::at(at, zone.base().addr().get())
    }

    fn write<C: Config<Header = Self>>(zone: Zone<C>, at: u32, flags: u32, size: u32, requested: u32) {
        zone.set_field(at, MAGIC, Self::magic(zone, at));
        zone.set_field(at, FLAGS, flags);
        zone.set_field(at, SIZE, size);
        zone.set_field(at, NEXT, at + size);
        zone.set_field(at, REQUESTED, requested);
        if at + size < zone.size() {
            zone.set_field(at + size, PREV, at);
        }
    }

    /// Where the block at `at` ends. The header's word is taken where the map and the block after it confirm it, else
    /// the map is searched.
    #[inline]
    fn end<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        let (starts, size) = (zone.starts(), zone.size());
        let claimed = at.saturating_add(zone.field(at, SIZE));
        let confirmed = claimed > at
            && (claimed == size || claimed < size && starts.get(claimed) && zone.field(claimed, PREV) == at);
        if confirmed { claimed } else { starts.next(at + 1, size).unwrap_or(size) }
    }

    /// Where the block before `at` starts, by the same rule: 0 where there is none.
    #[inline]
    fn before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        let starts = zone.starts();
        // Behind the last block there is no header to ask.
        let claimed = if at < zone.size() { zone.field(at, PREV) } else { 0 };
        let confirmed =
            claimed > 0 && claimed < at && starts.get(claimed) && zone.field(claimed, SIZE) == at - claimed;
        if confirmed { claimed } else { starts.previous(at - 1).unwrap_or(0) }
    }
}

impl<M: Magic> Header for Checked<M> {
    const BYTES: usize = 24;

    fn show(block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        let word = |offset| peek_u32(peek, block.address.wrapping_sub(Self::BYTES) + offset);
        let (Some(magic), Some(flags), Some(size)) = (word(MAGIC), word(FLAGS), word(SIZE)) else { return };
        show(Field::word("magic", magic.into()));
        for (name, flag) in [("FREE", FREE), ("USED", USED), ("CORRUPTED", CORRUPTED), ("CACHED", CACHED)] {
            show(Field::flag(name, flags & flag != 0));
        }
        let bytes = |granules: u32| u64::from(granules) * Self::GRANULE as u64;
        show(Field::number("size", bytes(size)));
        for (name, offset) in [("prev", PREV), ("next", NEXT)] {
            if let Some(at) = word(offset) {
                show(Field::number(name, bytes(at)));
            }
        }
        if let Some(requested) = word(REQUESTED) {
            show(Field::number("requested", requested.into()));
        }
    }

    const MIN: u32 = 2;
    const MAPS: usize = 3;
    const SIZED: bool = true;
    const TRUSTED: bool = true;
    const LINKS: usize = 24;

    #[inline]
    fn free_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        Self::end(zone, at) - at
    }

    #[inline]
    fn free_before<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        at - Self::before(zone, at)
    }

    #[inline]
    fn become_free<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32) {
        Self::write(zone, at, FREE, size, 0);
        zone.frees().set(at, true);
    }

    #[inline]
    fn become_used<C: Config<Header = Self>>(zone: Zone<C>, at: u32, size: u32, bytes: usize) {
        Self::write(zone, at, USED, size, requested(bytes));
        zone.frees().set(at, false);
    }

    #[inline]
    fn become_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) {
        zone.set_field(at, FLAGS, CACHED);
    }

    #[inline]
    fn leave_cache<C: Config<Header = Self>>(zone: Zone<C>, at: u32, bytes: usize) {
        zone.set_field(at, FLAGS, USED);
        zone.set_field(at, REQUESTED, requested(bytes));
    }

    #[inline]
    fn cut<C: Config<Header = Self>>(zone: Zone<C>, at: u32, before: u32) {
        zone.starts().set(at, true);
        zone.set_field(at, PREV, before);
    }

    #[inline]
    fn join<C: Config<Header = Self>>(zone: Zone<C>, at: u32) {
        zone.starts().set(at, false);
        zone.frees().set(at, false);
        // So that a dangling pointer does not find a header that looks whole.
        zone.set_field(at, MAGIC, 0);
    }

    #[inline]
    fn used_size<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> u32 {
        Self::end(zone, at) - at
    }

    fn is_cached<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> bool {
        zone.field(at, FLAGS) == CACHED
    }

    fn examine<C: Config<Header = Self>>(zone: Zone<C>, address: usize) -> Result<u32, Misuse> {
        if address % C::Header::GRANULE != 0 {
            return Err(Misuse::MisalignedPointer);
        }
        let distance = zone.distance(address);
        let header = zone.header();
        if distance < bytes::<C>(header.first.get()) + Self::BYTES {
            return Err(Misuse::ForeignPointer);
        }
        let at = ((distance - Self::BYTES) >> C::Header::SHIFT) as u32;
        let tables = header.tables.get();
        if at.wrapping_sub(tables) < header.tables_size.get() {
            return Err(Misuse::ForeignPointer);
        }
        if !zone.starts().get(at) {
            let covering = zone.starts().previous(at).unwrap_or(at);
            return Err(if zone.frees().get(covering) || Self::is_cached(zone, covering) {
                Misuse::DoubleFree
            } else {
                Misuse::InteriorPointer
            });
        }
        if zone.frees().get(at) {
            return Err(Misuse::DoubleFree);
        }
        if !Self::is_whole(zone, at) {
            return Err(Misuse::CorruptedHeader);
        }
        if Self::is_cached(zone, at) {
            return Err(Misuse::DoubleFree);
        }
        Ok(at)
    }

    fn is_whole<C: Config<Header = Self>>(zone: Zone<C>, at: u32) -> bool {
        let (end, before) = (Self::end(zone, at), Self::before(zone, at));
        let flags = zone.field(at, FLAGS);
        let state = if zone.frees().get(at) { flags == FREE } else { flags == USED || flags == CACHED };
        let asked = zone.field(at, REQUESTED);
        state
            && zone.field(at, MAGIC) == Self::magic(zone, at)
            && zone.field(at, SIZE) == end - at
            && zone.field(at, NEXT) == end
            && zone.field(at, PREV) == before
            && (asked == LARGE || asked as usize <= bytes::<C>(end - at) - Self::BYTES)
    }
}
