//! Making a zone of raw memory, making it larger, and emptying it.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::header::{HEADS, ZoneHeader};
use super::{Zone, bytes, granules, map};
use crate::coalesce::Coalesce;
use crate::config::Config;
use crate::fit::Fit;
use crate::header::Header;
use crate::size::{MAX_ZONE, bin_of};

/// How far a zone may grow in place, which its bins must provide for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It stays as it is.
    Fixed,
    /// As far as zones go.
    InPlace,
}

/// Bytes of a zone that grows in place, as its quick lists expect them: they do not grow with it.
const GROWN: usize = 8 << 20;

impl<C: Config> Zone<C> {
    /// Where a zone's base lies in memory that starts at `start`, and its granules.
    fn layout(start: usize, size: usize) -> Option<(usize, u32)> {
        let lead = (Self::PHASE.wrapping_sub(start)) % C::Header::GRANULE;
        let room = size.checked_sub(lead)? >> C::Header::SHIFT;
        Some((lead, u32::try_from(room).unwrap_or(MAX_ZONE).min(MAX_ZONE)))
    }

    /// The place of the quick lists' stacks.
    fn stacks_at(limit: u32) -> usize {
        let heads = if C::Fit::BINS { (bin_of(limit) + 1) * 4 } else { 0 };
        HEADS + heads
    }

    /// Bytes that quick lists may hold.
    fn budget(size: u32, limit: u32) -> usize {
        let expected = if size < limit { bytes::<C>(size).max(GROWN) } else { bytes::<C>(size) };
        <C::Coalesce as Coalesce>::BUDGET.min(expected / 32)
    }

    /// Position of the first tables.
    fn tables_at(size: u32, limit: u32) -> u32 {
        granules::<C>(Self::stacks_at(limit) + Self::stacks_bytes(Self::budget(size, limit))) as u32
    }

    /// Granules of a block for tables that cover `capacity` granules.
    fn tables_size(capacity: u32) -> u32 {
        let tables = C::Fit::table_bytes(capacity) + map::words::<C>(capacity) * 8 * C::Header::MAPS;
        granules::<C>(C::Header::BYTES + tables) as u32
    }

    /// Bytes of memory, at any address, for a zone that can hand out a block of `size` granules.
    pub(crate) fn bytes_for(size: usize, growth: Growth) -> Option<usize> {
        let limit = u32::try_from(size).ok().filter(|&size| size < MAX_ZONE / 4)?;
        let limit = if growth == Growth::InPlace { MAX_ZONE } else { limit + limit / 8 + 1024 };
        // Tables for what is asked for and for themselves: their size is less than an eighth of it, and 1 KiB.
        let most = size as u32 + size as u32 / 8 + 1024;
        let own = Self::tables_at(most, limit) + Self::tables_size(most);
        let more = Self::MORE as usize + 2;
        Some(bytes::<C>(own) + (size + more) * C::Header::GRANULE)
    }

    /// Makes a zone of `size` bytes at `start`, all of it free. `None` where they are too few.
    ///
    /// # Safety
    /// The bytes are readable and writable, within one allocation, and the zone's alone while it is used. They are zero if
    /// `zeroed`.
    pub(crate) unsafe fn open(start: NonNull<u8>, size: usize, growth: Growth, zeroed: bool) -> Option<Self> {
        let (lead, size) = Self::layout(start.addr().get(), size)?;
        let limit = if growth == Growth::InPlace { MAX_ZONE } else { size };
        if size == 0 || Self::tables_at(size, limit) + Self::tables_size(size) + C::Header::MIN > size {
            return None;
        }
        // SAFETY: `layout` leaves at least a granule after the lead.
        let base = unsafe { start.add(lead) };
        let zone = Self { base, config: PhantomData };
        // SAFETY: the base is a multiple of 8, as the phase is, and the header's size was checked to be there with the
        // first tables behind it; nobody else uses the bytes.
        unsafe { base.cast::<ZoneHeader>().write(Self::fresh(size, limit)) };
        zone.furnish(zeroed);
        Some(zone)
    }

    fn fresh(size: u32, limit: u32) -> ZoneHeader {
        ZoneHeader::new(size, limit, Self::tables_at(size, limit), Self::tables_size(size), Self::BOUNDARY)
    }

    /// Clears bins and tables behind a fresh header, unless they are `zeroed`, and makes everything after them one free
    /// block.
    fn furnish(self, zeroed: bool) {
        let header = self.header();
        let (tables, first, size) = (header.tables.get(), header.first.get(), header.size.get());
        // What is zero already need not be touched: tables of a large zone are many pages.
        if !zeroed {
            self.clear(HEADS, bytes::<C>(first) - HEADS);
        }
        let limit = header.limit.get();
        self.lay_out_stacks(Self::stacks_at(limit), Self::budget(size, limit));
        if C::Header::TRUSTED {
            C::Header::cut(self, tables, 0);
        }
        C::Header::become_used(self, tables, first - tables, 0);
        self.add(first, size - first, tables);
    }

    /// Bytes between no blocks become a free one. `before` is the block that ends there.
    fn add(self, at: u32, size: u32, before: u32) {
        C::Header::cut(self, at, before);
        C::Header::become_used(self, at, size, 0);
        self.merge(at, size);
    }

    /// Empties the zone.
    pub(crate) fn reset(self) {
        let header = self.header();
        let fresh = Self::fresh(header.size.get(), header.limit.get());
        // SAFETY: `open` wrote a header there, whose shared references are gone; it has nothing to drop.
        unsafe { self.base.cast::<ZoneHeader>().write(fresh) };
        self.furnish(false);
    }

    /// Granules that the zone must grow by so that a block of `wanted` fits into what is added, which is to be `step` at
    /// least and may become `slop` more. `None` where zones do not grow so far.
    pub(crate) fn growth(self, wanted: u32, step: u32, slop: u32) -> Option<u32> {
        let header = self.header();
        let (size, covered) = (header.size.get(), header.covered.get());
        let mut grown = wanted.max(step).max(C::Header::MIN);
        // New tables cover themselves too, at less than an eighth of their size: this settles at once.
        for _ in 0..4 {
            let target = size.checked_add(grown)?.checked_add(slop)?;
            if target <= covered {
                break;
            }
            let own = Self::tables_size(Self::covering(covered, target));
            grown = grown.max(wanted.checked_add(own)?.checked_add(C::Header::MIN)?);
        }
        (size.checked_add(grown)?.checked_add(slop)? <= header.limit.get()).then_some(grown)
    }

    /// Granules that new tables cover, for a zone of `size` granules whose tables cover `covered`.
    fn covering(covered: u32, size: u32) -> u32 {
        covered.saturating_mul(2).max(size).min(MAX_ZONE)
    }

    /// The zone now has `end - base` bytes. Whether that could be made use of.
    ///
    /// # Safety
    /// As for [`open`](Self::open), with the bytes from the zone's end to `end`.
    pub(crate) unsafe fn lengthen(self, end: usize) -> bool {
        let header = self.header();
        let old = header.size.get();
        let room = self.distance(end) >> C::Header::SHIFT;
        let Some(mut size) = u32::try_from(room).ok().filter(|&size| size <= header.limit.get()) else {
            return false;
        };
        let last = if C::Header::TRUSTED { self.starts().previous(old - 1).unwrap_or(0) } else { 0 };
        let covered = Self::covering(header.covered.get(), size);
        let own = Self::tables_size(covered);
        let rest = (size - old).checked_sub(own);
        if size <= header.covered.get() || rest.is_none() {
            // What is too little for new tables, beyond what the old ones cover, waits for the next time.
            size = size.min(header.covered.get());
            if size < old + C::Header::MIN {
                return false;
            }
            self.set_size(size);
            self.add(old, size - old, last);
            return true;
        }
        let rest = rest.unwrap_or(0);
        self.set_size(size);
        // The last block ends here, whatever follows.
        C::Header::cut(self, old, last);
        // At the new end, so that what is added joins a free block at the old one.
        if rest < C::Header::MIN {
            self.move_tables(old, own + rest, covered, last);
        } else {
            self.move_tables(old + rest, own, covered, old);
            self.add(old, rest, last);
        }
        true
    }

    /// Moves the tables to `at`, where `own` granules are nobody's. The block before them starts, or will, at `before`.
    fn move_tables(self, at: u32, own: u32, covered: u32, before: u32) {
        let header = self.header();
        let (was_at, was_size, was_covered) =
            (header.tables.get(), header.tables_size.get(), header.covered.get());
        let (from, to) = (bytes::<C>(was_at) + C::Header::BYTES, bytes::<C>(at) + C::Header::BYTES);
        self.clear(to, bytes::<C>(own) - C::Header::BYTES);
        for which in 0..C::Header::MAPS {
            let (from, to) =
                (from + map::words::<C>(was_covered) * 8 * which, to + map::words::<C>(covered) * 8 * which);
            for word in 0..map::words::<C>(was_covered) {
                self.write_wide(to + word * 8, self.read_wide(from + word * 8));
            }
        }
        header.tables.set(at);
        header.tables_size.set(own);
        header.covered.set(covered);
        C::Header::cut(self, at, before);
        C::Header::become_used(self, at, own, 0);
        if C::Fit::table_bytes(covered) > 0 {
            self.for_each_free(&mut |at, size| {
                C::Fit::insert(self, at, size);
                true
            });
        }
        if was_at < header.first.get() {
            header.first.set(was_at);
        }
        self.merge(was_at, was_size);
    }
}
