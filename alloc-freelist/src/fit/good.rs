//! Good fit: bins found through bitmaps, in constant time.
//!
//! After the two-level segregated fit of Masmano, Ripoll, Crespo and Real (2004), with one level of bins, a bitmap of
//! eight words over them, and links of 32 bits.

use core::cell::Cell;

use alloc_core::Misuse;

use super::Fit;
use crate::config::Config;
use crate::header::Header;
use crate::size::{BINS, bin_for, bin_of};
use crate::zone::{HEADS, Zone};

/// A block of the lowest bin whose blocks all hold the request, the one freed last first. Bins hold one size each below
/// 512 bytes, and sizes within 6 % of each other above. Constant time.
///
/// Where no such bin has a block, the first [`LOOK`](Self::LOOK) of the bin below are looked at, which may hold one that
/// suffices; of [packed](crate::header::Packed) blocks, those of two or three bins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Good;

impl Good {
    /// Blocks of the requested size's own bin that are looked at before a request is refused: a constant, so that the
    /// time of an allocation has a bound.
    pub const LOOK: usize = 32;
}

const NEXT: usize = 0;
const BACK: usize = 4;

// A free block's links: the next block's position, and the place, in words of four bytes, of the link that leads here.
// That may be a head or another block's `NEXT`, so that unlinking does not ask which; and where there is no next block,
// the zone's header takes the write. Sizes come in no order, and each such test would be guessed wrong every other time.

#[inline(always)]
fn next<C: Config>(zone: Zone<C>, at: u32) -> u32 {
    zone.field(at, C::Header::LINKS + NEXT)
}

#[inline(always)]
fn set_next<C: Config>(zone: Zone<C>, at: u32, to: u32) {
    zone.set_field(at, C::Header::LINKS + NEXT, to);
}

#[inline(always)]
fn back<C: Config>(zone: Zone<C>, at: u32) -> u32 {
    zone.field(at, C::Header::LINKS + BACK)
}

#[inline(always)]
fn set_back<C: Config>(zone: Zone<C>, at: u32, to: u32) {
    zone.set_field(at, C::Header::LINKS + BACK, to);
}

/// The word of a bin's head.
#[inline(always)]
fn head(bin: usize) -> u32 {
    (HEADS / 4 + bin) as u32
}

/// The word of the link in a block.
#[inline(always)]
fn link<C: Config>(at: u32) -> u32 {
    at * (C::Header::GRANULE / 4) as u32 + ((C::Header::LINKS + NEXT) / 4) as u32
}

#[inline(always)]
fn follow<C: Config>(zone: Zone<C>, word: u32) -> u32 {
    zone.read(word as usize * 4)
}

#[inline(always)]
fn lead<C: Config>(zone: Zone<C>, word: u32, to: u32) {
    zone.write(word as usize * 4, to);
}

#[inline(always)]
fn word<C: Config>(zone: &Zone<C>, bin: usize) -> &Cell<u64> {
    let filled = &zone.header().filled;
    &filled[bin / 64 % filled.len()]
}

#[inline(always)]
fn mark<C: Config>(zone: Zone<C>, bin: usize) {
    let word = word(&zone, bin);
    word.set(word.get() | 1 << (bin % 64));
}

/// Clears a bin's bit if `empty`; otherwise `bin` means nothing.
#[inline(always)]
fn unmark_if<C: Config>(zone: Zone<C>, bin: usize, empty: bool) {
    let word = word(&zone, bin);
    word.set(word.get() & !(u64::from(empty) << (bin % 64)));
}

/// The lowest bin from `bin` on that has a block: at most eight words are looked at.
#[inline(always)]
fn lowest<C: Config>(zone: Zone<C>, bin: usize) -> Option<usize> {
    let filled = &zone.header().filled;
    let mut index = bin / 64 % filled.len();
    let mut word = filled[index].get() & (!0 << (bin % 64));
    while word == 0 {
        index += 1;
        word = filled.get(index)?.get();
    }
    Some(index * 64 + word.trailing_zeros() as usize)
}

/// Takes the first block from a bin that is not empty.
#[inline(always)]
fn pop<C: Config>(zone: Zone<C>, bin: usize) -> u32 {
    let at = follow(zone, head(bin));
    let after = next(zone, at);
    lead(zone, head(bin), after);
    set_back(zone, after, head(bin));
    unmark_if(zone, bin, after == 0);
    at
}

/// Whether the links of the free block at `at` lead to free blocks, or nowhere, and back: `true` unless headers are
/// checked. A write to freed memory shows here.
#[inline(always)]
fn is_sound<C: Config>(zone: Zone<C>, at: u32) -> bool {
    if !C::Header::TRUSTED {
        return true;
    }
    let is_free = |at: u32| at >= zone.header().first.get() && at < zone.size() && zone.frees().get(at);
    let (after, before) = (next(zone, at), back(zone, at));
    let bin = bin_of(C::Header::free_size(zone, at));
    // Heads lie below all blocks, and links of blocks in words of theirs.
    let from = before.wrapping_sub(link::<C>(0)) / (C::Header::GRANULE / 4) as u32;
    let led_to = if before == head(bin) {
        follow(zone, before) == at
    } else {
        before == link::<C>(from) && is_free(from) && next(zone, from) == at
    };
    led_to && (after == 0 || is_free(after) && back(zone, after) == link::<C>(at))
}

/// Reports the block at `at`, whose links were written to, and makes all lists anew from the map of free blocks.
#[cold]
#[inline(never)]
fn mend<C: Config<Fit = Good>>(zone: Zone<C>, at: u32) {
    C::ON_MISUSE.handle(Misuse::CorruptedLink, C::NAME, zone.payload(at).addr().get());
    let header = zone.header();
    for word in &header.filled {
        word.set(0);
    }
    for bin in 0..=bin_of(header.limit.get()) {
        lead(zone, head(bin), 0);
    }
    let mut from = header.first.get();
    while let Some(at) = zone.frees().next(from, zone.size()) {
        Good::insert(zone, at, C::Header::free_size(zone, at));
        from = at + 1;
    }
}

/// The lowest bin that has a block which suits: of exactly this size, where bins hold one size each, or of so much more that
/// what is left over is a block. For [exact](Header::EXACT) blocks, of which one granule more does not.
#[inline(always)]
fn lowest_exact<C: Config>(zone: Zone<C>, size: u32) -> Option<usize> {
    let filled = &zone.header().filled;
    let bin = bin_for(size + Zone::<C>::MORE);
    let mut index = bin / 64 % filled.len();
    // Sizes with a bin of their own have it in the first word, as those have that are larger by so little.
    let own = u64::from(size < 32) << (size % 64);
    let mut word = filled[index].get() & (!0 << (bin % 64) | own);
    while word == 0 {
        index += 1;
        word = filled.get(index)?.get();
    }
    Some(index * 64 + word.trailing_zeros() as usize)
}

#[inline(always)]
fn lowest_that_suits<C: Config>(zone: Zone<C>, size: u32) -> Option<usize> {
    if C::Header::EXACT { lowest_exact(zone, size) } else { lowest(zone, bin_for(size)) }
}

/// The last resort: a block that suffices among the first of the bins that `size` and little more belong to.
#[cold]
#[inline(never)]
fn take_from_own_bin<C: Config<Fit = Good>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)> {
    if size >= zone.header().limit.get() {
        return None;
    }
    let last = bin_of((size + Zone::<C>::MORE).min(zone.header().limit.get()));
    for bin in bin_of(size)..=last {
        let mut at = follow(zone, head(bin));
        for _ in 0..Good::LOOK {
            if at == 0 {
                break;
            }
            if !is_sound(zone, at) {
                mend(zone, at);
                at = follow(zone, head(bin));
                continue;
            }
            let found = C::Header::free_size(zone, at);
            if Zone::<C>::suits(found, size) {
                Good::remove(zone, at, found);
                return Some((at, found));
            }
            at = next(zone, at);
        }
    }
    None
}

impl Fit for Good {
    const BINS: bool = true;
    const READS_EDGES: bool = false;
    const BY_ADDRESS: bool = false;
    const CURSOR: bool = false;

    fn table_bytes(_capacity: u32) -> usize {
        0
    }

    #[inline(always)]
    fn take<C: Config<Fit = Self>>(zone: Zone<C>, size: u32) -> Option<(u32, u32)> {
        let Some(mut bin) = lowest_that_suits(zone, size) else { return take_from_own_bin(zone, size) };
        if !is_sound(zone, follow(zone, head(bin))) {
            mend(zone, follow(zone, head(bin)));
            bin = lowest_that_suits(zone, size)?;
        }
        let at = pop(zone, bin);
        Some((at, C::Header::free_size(zone, at)))
    }

    #[inline(always)]
    fn insert<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, size: u32) {
        let bin = bin_of(size);
        let after = follow(zone, head(bin));
        lead(zone, head(bin), at);
        set_next(zone, at, after);
        set_back(zone, at, head(bin));
        set_back(zone, after, link::<C>(at));
        mark(zone, bin);
    }

    #[inline(always)]
    fn remove<C: Config<Fit = Self>>(zone: Zone<C>, at: u32, _size: u32) {
        if !is_sound(zone, at) {
            mend(zone, at);
        }
        let (after, before) = (next(zone, at), back(zone, at));
        lead(zone, before, after);
        set_back(zone, after, before);
        // Heads lie below all blocks.
        let is_head = before < link::<C>(zone.header().first.get());
        unmark_if(zone, (before as usize).wrapping_sub(HEADS / 4), is_head & (after == 0));
    }

    fn check<C: Config<Fit = Self>>(
        zone: Zone<C>,
        free: &mut dyn FnMut(u32, u32) -> bool,
    ) -> Result<usize, u32> {
        let bins = bin_of(zone.header().limit.get()) + 1;
        let mut count = 0;
        for bin in 0..BINS {
            let filled = word(&zone, bin).get() >> (bin % 64) & 1 != 0;
            let mut at = if bin < bins { follow(zone, head(bin)) } else { 0 };
            if filled != (at != 0) {
                return Err(at);
            }
            let mut before = head(bin);
            while at != 0 {
                if at >= zone.size() || !free(at, C::Header::free_size(zone, at)) {
                    return Err(at);
                }
                if bin_of(C::Header::free_size(zone, at)) != bin || back(zone, at) != before {
                    return Err(at);
                }
                (before, at) = (link::<C>(at), next(zone, at));
                count += 1;
                if count > zone.size() as usize {
                    return Err(at);
                }
            }
        }
        Ok(count)
    }
}
