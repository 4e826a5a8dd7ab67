//! Taking blocks, giving them back, and changing their size in place: the verbs of a zone.
//!
//! Order within each: the fit forgets blocks while the edge map still shows them as they were (some read it), then the
//! map changes, then the blocks' own words.

use super::{Zone, bytes, granules};
use crate::config::Config;
use crate::fit::Fit;
use crate::header::Header;
use crate::size::{ALIGN, LARGEST_CLASS, class_size};

/// Granules of a block for `size` bytes of payload, or more than any zone has.
#[inline(always)]
pub(crate) fn block_size<C: Config>(size: usize) -> usize {
    let size = size + C::Header::BYTES;
    let size = if Zone::<C>::UNIT > 0 && size <= LARGEST_CLASS * ALIGN {
        class_size(size.div_ceil(ALIGN)) << Zone::<C>::UNIT
    } else if C::CLASSES && Zone::<C>::UNIT == 0 {
        class_size(granules::<C>(size))
    } else {
        granules::<C>(size)
    };
    if size < C::Header::MIN as usize { C::Header::MIN as usize } else { size }
}

/// The same, where it is as large as the request, whatever its class.
#[inline(always)]
pub(crate) fn exact_size<C: Config>(size: usize) -> usize {
    let size = granules::<C>(size + C::Header::BYTES);
    if size < C::Header::MIN as usize { C::Header::MIN as usize } else { size }
}

impl<C: Config> Zone<C> {
    /// What a free block must have beyond a request so that any such block will do, its size aside.
    pub(crate) const MORE: u32 = if C::Header::EXACT { C::Header::MIN } else { 0 };

    /// Whether a block of `size` granules can be cut from one of `found`: what is left over is a block, or nothing, or stays
    /// with it.
    #[inline(always)]
    pub(crate) fn suits(found: u32, size: u32) -> bool {
        found >= size && (!C::Header::EXACT || found == size || found - size >= C::Header::MIN)
    }

    /// A block of `size` granules, or as many as `requested` bytes need where blocks are tight, in use.
    #[inline(always)]
    pub(crate) fn take(self, size: u32, requested: usize) -> Option<u32> {
        if Self::TIGHT { self.take_either(size, requested) } else { self.take_exactly(size, requested) }
    }

    #[inline(always)]
    pub(super) fn take_exactly(self, size: u32, requested: usize) -> Option<u32> {
        let (at, found) = C::Fit::take(self, size)?;
        self.carve(at, found, size, requested);
        Some(at)
    }

    /// `count` blocks of `size` granules side by side, in use. `None` where there is no room for so many.
    #[cfg(feature = "libc")]
    pub(crate) fn take_run(self, size: u32, count: u32) -> Option<u32> {
        let at = self.take_exactly(size * count, 0)?;
        if C::Header::SIZED {
            for index in 0..count {
                C::Header::become_used(self, at + index * size, size, 0);
            }
        }
        Some(at)
    }

    /// A block of `size` granules, or as many as `requested` bytes need where blocks are tight, whose payload is a multiple of
    /// `align`, a power of two beyond the granule. What the alignment leaves over before and after it is free.
    pub(crate) fn take_aligned(self, size: u32, align: usize, requested: usize) -> Option<u32> {
        let exact = if Self::TIGHT { exact_size::<C>(requested) as u32 } else { size };
        // Enough for the worst place, including a lead that is too small for a block of its own.
        let more =
            u32::try_from(align >> C::Header::SHIFT).ok()?.checked_add(C::Header::MIN - 1 + Self::MORE)?;
        let enough = size.checked_add(more).filter(|&enough| enough < crate::size::MAX_ZONE)?;
        let try_with = |enough| {
            let (at, found) = C::Fit::take(self, enough)?;
            let lead = self.lead(at, align).filter(|&lead| lead < found);
            if let Some(lead) = lead {
                let here = if self.is_tight(at + lead) { exact } else { size };
                if Self::suits(found - lead, here) {
                    return Some(self.carve_within(at, found, lead, here, requested));
                }
            }
            C::Fit::insert(self, at, found);
            None
        };
        // No block may be large enough wherever it lies; one may lie well.
        try_with(enough).or_else(|| try_with(exact))
    }

    /// Granules to leave out at `at` so that the payload after them is aligned, and that they make a block or are none.
    pub(super) fn lead(self, at: u32, align: usize) -> Option<u32> {
        let payload = self.base().addr().get() + bytes::<C>(at) + C::Header::BYTES;
        let lead = payload.wrapping_neg() & (align - 1);
        let lead = if lead > 0 && lead < bytes::<C>(C::Header::MIN) {
            lead + align.max(bytes::<C>(C::Header::MIN))
        } else {
            lead
        };
        u32::try_from(lead / C::Header::GRANULE).ok()
    }

    /// Cuts a lead off a free block that the fit has forgotten, then carves the rest.
    pub(super) fn carve_within(self, at: u32, found: u32, lead: u32, size: u32, requested: usize) -> u32 {
        if lead == 0 {
            self.carve(at, found, size, requested);
            return at;
        }
        let block = at + lead;
        // Two free blocks touch for a moment, until the second is carved: the edge between them comes with that.
        C::Header::cut(self, block, at);
        C::Header::become_free(self, at, lead);
        self.carve(block, found - lead, size, requested);
        C::Fit::insert(self, at, lead);
        block
    }

    /// Makes a free block that the fit has forgotten a used one of `size` granules; what is left over is free.
    #[inline(always)]
    pub(super) fn carve(self, at: u32, found: u32, size: u32, requested: usize) {
        let edges = self.edges();
        edges.flip(at);
        let rest = found - size;
        if rest >= C::Header::MIN {
            let rest_at = at + size;
            edges.flip(rest_at);
            C::Header::cut(self, rest_at, at);
            C::Header::become_used(self, at, size, requested);
            C::Header::become_free(self, rest_at, rest);
            C::Fit::insert(self, rest_at, rest);
        } else {
            edges.flip(at + found);
            C::Header::become_used(self, at, found, requested);
        }
    }

    /// Takes a block back that its holder gives up.
    #[inline(always)]
    pub(crate) fn give(self, at: u32, size: u32) {
        if self.is_tight(at) {
            self.give_tight(at, size);
        } else if !self.give_quick(at, size) {
            self.merge(at, size);
            self.header().count(-1);
        }
        self.rest();
    }

    /// Makes a used block free, and one with its free neighbours: the position and the size of what is free there then.
    #[inline(always)]
    pub(crate) fn merge(self, at: u32, size: u32) -> (u32, u32) {
        let edges = self.edges();
        let end = at + size;
        let (before, after) = if C::Fit::READS_EDGES {
            (edges.get(at), edges.get(end))
        } else {
            (edges.flip(at), edges.flip(end))
        };
        let (mut start, mut total) = (at, size);
        if after {
            let above = C::Header::free_size(self, end);
            C::Fit::remove(self, end, above);
            C::Header::join(self, end);
            total += above;
        }
        if before {
            let below = C::Header::free_before(self, at);
            start = at - below;
            total += below;
            C::Fit::grow(self, start, below, total);
            C::Header::join(self, at);
        } else {
            C::Fit::insert(self, at, total);
        }
        if C::Fit::READS_EDGES {
            edges.flip(at);
            edges.flip(end);
        }
        C::Header::become_free(self, start, total);
        (start, total)
    }

    /// After a block was given back: an empty zone is searched from its start, as a new one is.
    #[inline(always)]
    fn rest(self) {
        if C::Fit::CURSOR && self.header().taken.get() == 0 {
            self.header().cursor.set(0);
        }
    }

    /// Grows a used block from `old` to `new` granules over the free block after it. Whether there was one that sufficed.
    pub(crate) fn extend(self, at: u32, old: u32, new: u32, requested: usize) -> bool {
        let end = at + old;
        let edges = self.edges();
        if !edges.get(end) {
            return false;
        }
        let above = C::Header::free_size(self, end);
        if !Self::suits(old + above, new) {
            return false;
        }
        C::Fit::remove(self, end, above);
        edges.flip(end);
        C::Header::join(self, end);
        let rest = old + above - new;
        if rest >= C::Header::MIN {
            edges.flip(at + new);
            C::Header::cut(self, at + new, at);
            C::Header::become_used(self, at, new, requested);
            C::Header::become_free(self, at + new, rest);
            C::Fit::insert(self, at + new, rest);
        } else {
            edges.flip(at + new + rest);
            C::Header::become_used(self, at, new + rest, requested);
        }
        true
    }

    /// Shrinks a used block from `old` to `new` granules, if what is left over makes a block; less stays with it, or goes to
    /// a free block behind it where sizes are exact. `false` where that is needed and there is none: the block is as it was.
    pub(crate) fn cut_back(self, at: u32, old: u32, new: u32, requested: usize) -> bool {
        if old - new < C::Header::MIN {
            if C::Header::EXACT && old != new {
                return self.cede(at + old, old - new);
            }
            C::Header::become_used(self, at, old, requested);
            return true;
        }
        C::Header::cut(self, at + new, at);
        C::Header::become_used(self, at, new, requested);
        C::Header::become_used(self, at + new, old - new, 0);
        if self.give_quick(at + new, old - new) {
            self.header().count(1);
        } else {
            self.merge(at + new, old - new);
        }
        true
    }

    /// The free block at `end`, if one is there, gets the last `less` granules of the used block that ends there.
    fn cede(self, end: u32, less: u32) -> bool {
        let edges = self.edges();
        if !edges.get(end) {
            return false;
        }
        let above = C::Header::free_size(self, end);
        C::Fit::remove(self, end, above);
        // One after the other: they may share a bit, which then stays set.
        edges.flip(end);
        edges.flip(end - less);
        C::Fit::insert(self, end - less, above + less);
        C::Header::become_free(self, end - less, above + less);
        true
    }
}
