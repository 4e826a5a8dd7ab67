//! When freed blocks are merged with their neighbours, and the quick lists in front of that.

use core::cell::Cell;

use crate::config::Config;
use crate::header::Header;
use crate::size::{LARGEST_CLASS, bin_of, least_of_bin};
use crate::zone::{QUICK, Zone};

/// When freed blocks are merged: [`Immediate`], [`Deferred`] or [`Classed`]. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set is closed")]
pub trait Coalesce: Sealed {
    /// Blocks of up to this many bytes, headers included, go to quick lists. 0 for none.
    #[doc(hidden)]
    const QUICK_BYTES: usize;
    /// Whether requests are rounded up to classes, of which each has a quick list.
    #[doc(hidden)]
    const CLASSES: bool;
    /// Bytes that the quick lists of a zone hold at most.
    #[doc(hidden)]
    const BUDGET: usize;
}

trait Sealed: 'static {}

/// At once: every operation takes constant time in the worst case, and free memory is never in pieces that touch. The
/// default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Immediate;

/// Later: freed blocks of up to `BYTES` bytes (at most 1024, headers included) wait in lists of one exact size each, from which the next
/// request of that size is served in a few instructions. They are merged when the lists of a zone hold more than 1/32 of
/// it or `BUDGET` bytes, and before the heap grows or refuses a request. A free that exceeds the budget merges the
/// whole list that it goes to. More than the caches of a processor hold is no use: the default budget is 128 KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deferred<const BYTES: usize = 1024, const BUDGET: usize = 131072>;

/// Later, and in classes: as [`Deferred`], with quick lists for blocks of up to 31 KiB. For this, requests above 512 bytes are
/// rounded up to one of 16 sizes for each doubling, which wastes 3 % of them on average, and blocks of up to 4 KiB are
/// resized by moving them. Nearly every request is served in a few instructions, whatever its size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Classed<const BUDGET: usize = 1048576>;

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

const _: () = assert!(bin_of(LARGEST_CLASS as u32) < QUICK && 1024 / 16 < QUICK, "every class has its list");

impl<C: Config> Zone<C> {
    /// The largest block of quick lists, in granules.
    pub(crate) const QUICK_MAX: u32 = (C::Coalesce::QUICK_BYTES / 16) as u32;

    /// The number of the list for blocks of a size.
    #[inline(always)]
    fn list_of(size: u32) -> usize {
        if C::Coalesce::CLASSES { bin_of(size) } else { size as usize }
    }

    /// The largest number of a list.
    const LISTS: usize = if Self::QUICK_MAX == 0 {
        0
    } else if C::Coalesce::CLASSES {
        bin_of(Self::QUICK_MAX)
    } else {
        Self::QUICK_MAX as usize
    };

    /// The size of the blocks in a list.
    fn size_in(list: usize) -> u32 {
        if C::Coalesce::CLASSES { least_of_bin(list) } else { list as u32 }
    }

    #[inline(always)]
    fn list(&self, list: usize) -> &Cell<u32> {
        let quick = &self.header().quick;
        &quick[list % quick.len()]
    }

    /// A block of exactly this size from a quick list, in use again.
    #[inline(always)]
    pub(crate) fn take_quick(self, size: u32, requested: usize) -> Option<u32> {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return None;
        }
        let header = self.header();
        let list = self.list(Self::list_of(size));
        let at = list.get();
        if at == 0 {
            return None;
        }
        list.set(self.field(at, C::Header::BYTES));
        header.count(1, -(size as i32));
        C::Header::leave_cache(self, at, requested);
        Some(at)
    }

    /// As [`take_quick`](Self::take_quick), if the payload of that block is a multiple of `align`.
    #[inline]
    pub(crate) fn take_quick_aligned(self, size: u32, align: usize, requested: usize) -> Option<u32> {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return None;
        }
        let at = self.list(Self::list_of(size)).get();
        if at == 0 || self.payload(at).addr().get() & (align - 1) != 0 {
            return None;
        }
        self.take_quick(size, requested)
    }

    /// Puts a block that its holder gave back into a quick list, if it is small enough.
    #[inline(always)]
    pub(crate) fn give_quick(self, at: u32, size: u32) -> bool {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return false;
        }
        // Where what is left over may be too small for a block, blocks come larger than their class.
        if C::Coalesce::CLASSES && C::Header::MIN > 1 && Self::size_in(Self::list_of(size)) != size {
            return false;
        }
        let header = self.header();
        let list = self.list(Self::list_of(size));
        self.set_field(at, C::Header::BYTES, list.get());
        list.set(at);
        C::Header::become_cached(self, at, size);
        header.count(-1, size as i32);
        if header.cached() > header.budget.get() {
            self.flush_list(Self::list_of(size));
        }
        true
    }

    /// Merges the blocks of one quick list.
    #[cold]
    #[inline(never)]
    fn flush_list(self, list: usize) {
        let header = self.header();
        let size = Self::size_in(list);
        let mut at = self.list(list).replace(0);
        while at != 0 {
            let next = self.field(at, C::Header::BYTES);
            header.count(0, -(size as i32));
            self.merge(at, size);
            at = next;
        }
    }

    /// Merges the blocks of all quick lists. Whether there were any.
    pub(crate) fn flush(self) -> bool {
        let any = self.header().cached() > 0;
        if any {
            for list in 1..=Self::LISTS {
                self.flush_list(list);
            }
        }
        any
    }

    /// Calls `each` with the position and the size of every block in quick lists.
    pub(crate) fn for_each_cached(self, each: &mut dyn FnMut(u32, u32)) {
        for list in 1..=Self::LISTS {
            let mut at = self.list(list).get();
            while at != 0 {
                each(at, Self::size_in(list));
                at = self.field(at, C::Header::BYTES);
            }
        }
    }
}
