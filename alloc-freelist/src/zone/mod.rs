//! A zone: one contiguous range, whose blocks are found without a pointer in it.
//!
//! ```text
//!   base                         first                                            base + size
//!   | ZoneHeader | bins | tables | block | block | block ...                      |
//!                         ^ maps, and what the fit adds; moves when the zone outgrows it
//! ```
//!
//! Positions are granules (16 bytes, or 8 of packed blocks) from the base, 32 bits wide, and 0 is nobody's: so a zone works at any address, and
//! at several at once. The base is placed so that `base + 16 k + header` is a multiple of 16: what holders see is always
//! aligned to that. (Of 8, for packed blocks.)
//!
//! # Who is free
//!
//! The **edge map** has a bit for each granule, set where a free block meets used bytes, on either side: no two free
//! blocks touch, since they are merged at once. A block that is being freed is known to be used; so the bit at its start
//! says whether its lower neighbour is free, and the bit at its end says it of the upper one. Freeing `[a, b)` inverts
//! the bits `a` and `b`, and so does taking it: 0.8 % of the zone instead of a header on every block. Two granules of packed
//! blocks share a bit, see [`Packed`](crate::header::Packed).
//!
//! # Safety of this module and of those on it
//!
//! Accessors take positions and places (bytes from the base) and are safe to call, because the crate keeps one rule that
//! they rely on: **positions and places come from the zone's own structures, or were checked against its size.** Debug
//! builds test it at every access. Nothing of this is public.

pub(crate) mod carve;
mod free;
pub(crate) mod grow;
mod header;
pub(crate) mod map;
mod tight;

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

pub(crate) use header::{HEADS, QUICK, ZoneHeader};

use crate::config::Config;
use crate::header::Header;
use map::Map;

/// Granules that hold `size` bytes. Sizes of layouts do not overflow.
#[inline(always)]
pub(crate) const fn granules<C: Config>(size: usize) -> usize {
    (size + (C::Header::GRANULE - 1)) >> C::Header::SHIFT
}

/// Bytes of so many granules.
#[inline(always)]
pub(crate) const fn bytes<C: Config>(granules: u32) -> usize {
    (granules as usize) << C::Header::SHIFT
}

/// A zone by its base. Whoever holds it keeps the memory alive.
pub struct Zone<C: Config> {
    base: NonNull<u8>,
    config: PhantomData<C>,
}

impl<C: Config> Clone for Zone<C> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Config> Copy for Zone<C> {}

impl<C: Config> fmt::Debug for Zone<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<C: Config> PartialEq for Zone<C> {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base
    }
}

impl<C: Config> Zone<C> {
    /// What the base's address is, modulo the granule: blocks' headers end on multiples of it.
    pub(crate) const PHASE: usize =
        (C::Header::GRANULE - C::Header::BYTES % C::Header::GRANULE) % C::Header::GRANULE;

    /// The zone whose header lies at `base`.
    ///
    /// # Safety
    /// [`open`](Self::open) returned a zone with this base, at this address or at another where the same memory is seen,
    /// and its memory is still the zone's.
    #[cfg(target_has_atomic = "64")]
    #[inline(always)]
    pub(crate) const unsafe fn at_base(base: NonNull<u8>) -> Self {
        Self { base, config: PhantomData }
    }

    pub(crate) fn base(self) -> NonNull<u8> {
        self.base
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &ZoneHeader {
        // SAFETY: `open` wrote a header there before the first `Zone` of this base was made; its fields are cells, and
        // nobody makes an exclusive reference to it.
        unsafe { self.base.cast::<ZoneHeader>().as_ref() }
    }

    /// Granules, tables included. Positions are below it.
    #[inline(always)]
    pub(crate) fn size(self) -> u32 {
        self.header().size.get()
    }

    /// Blocks that holders have.
    pub(crate) fn live_blocks(self) -> usize {
        self.header().taken.get() as usize - self.cached_blocks()
    }

    #[inline(always)]
    fn place<T>(self, place: usize) -> NonNull<T> {
        #[cfg(test)]
        crate::worst::step();
        debug_assert!(
            place + size_of::<T>() <= bytes::<C>(self.size()),
            "place {place:#x} of {:#x}",
            self.size()
        );
        // SAFETY: places lie in the zone (see the module's rule), which is within one allocation.
        unsafe { self.base.add(place) }.cast()
    }

    #[inline(always)]
    pub(crate) fn read(self, place: usize) -> u32 {
        // SAFETY: the place lies in the zone, is a multiple of 4 as the base and all offsets are, and the zone's memory is
        // readable and was written: tables when they were made, links and headers with the block they belong to.
        unsafe { self.place::<u32>(place).read() }
    }

    #[inline(always)]
    pub(crate) fn write(self, place: usize, value: u32) {
        // SAFETY: as for `read`; whoever may use the bytes has given them to the zone.
        unsafe { self.place::<u32>(place).write(value) };
    }

    #[inline(always)]
    fn read_wide(self, place: usize) -> u64 {
        // SAFETY: as for `read`; tables start on multiples of 8.
        unsafe { self.place::<u64>(place).read() }
    }

    #[inline(always)]
    fn write_wide(self, place: usize, value: u64) {
        // SAFETY: as for `write`; tables start on multiples of 8.
        unsafe { self.place::<u64>(place).write(value) };
    }

    /// One byte of a table.
    pub(crate) fn read_byte(self, place: usize) -> u8 {
        // SAFETY: as for `read`.
        unsafe { self.place::<u8>(place).read() }
    }

    pub(crate) fn write_byte(self, place: usize, value: u8) {
        // SAFETY: as for `write`.
        unsafe { self.place::<u8>(place).write(value) };
    }

    pub(crate) fn clear(self, place: usize, size: usize) {
        debug_assert!(place + size <= bytes::<C>(self.size()));
        // SAFETY: the range lies in the zone and is the caller's, who makes a table of it.
        unsafe { self.place::<u8>(place).write_bytes(0, size) };
    }

    /// A field of the block at a position, `offset` bytes from its start.
    #[inline(always)]
    pub(crate) fn field(self, at: u32, offset: usize) -> u32 {
        self.read(bytes::<C>(at) + offset)
    }

    #[inline(always)]
    pub(crate) fn set_field(self, at: u32, offset: usize, value: u32) {
        self.write(bytes::<C>(at) + offset, value);
    }

    /// Where free blocks meet used ones: see the module's page.
    #[inline(always)]
    pub(crate) fn edges(self) -> Map<C> {
        Map::new(self, bytes::<C>(self.header().tables.get()) + C::Header::BYTES)
    }

    /// Where blocks start. Only for headers that keep it.
    pub(crate) fn starts(self) -> Map<C> {
        debug_assert!(C::Header::TRUSTED);
        let header = self.header();
        Map::new(
            self,
            bytes::<C>(header.tables.get()) + C::Header::BYTES + map::words::<C>(header.covered.get()) * 8,
        )
    }

    /// Where free blocks start. Only for headers that keep it.
    pub(crate) fn frees(self) -> Map<C> {
        debug_assert!(C::Header::TRUSTED);
        let header = self.header();
        Map::new(
            self,
            bytes::<C>(header.tables.get()) + C::Header::BYTES + map::words::<C>(header.covered.get()) * 16,
        )
    }

    /// The place of what the fit keeps beside the maps.
    pub(crate) fn fit_tables(self) -> usize {
        let header = self.header();
        bytes::<C>(header.tables.get())
            + C::Header::BYTES
            + map::words::<C>(header.covered.get()) * 8 * C::Header::MAPS
    }

    /// What the holder of the block at a position sees.
    #[inline(always)]
    pub(crate) fn payload(self, at: u32) -> NonNull<u8> {
        self.place(bytes::<C>(at) + C::Header::BYTES)
    }

    /// Bytes from the base to an address: at most the zone's size where the address lies in the zone.
    #[inline(always)]
    pub(crate) fn distance(self, address: usize) -> usize {
        address.wrapping_sub(self.base.addr().get())
    }

    #[inline(always)]
    pub(crate) fn contains(self, address: usize) -> bool {
        self.distance(address) < bytes::<C>(self.size())
    }

    /// The position of the block whose holder sees `payload`, which is a block of this zone.
    #[inline(always)]
    pub(crate) fn position(self, payload: NonNull<u8>) -> u32 {
        ((self.distance(payload.addr().get()) - C::Header::BYTES) >> C::Header::SHIFT) as u32
    }
}
