//! When freed blocks are merged with their neighbours, and the quick lists in front of that.

use crate::config::Config;
use crate::header::Header;
use crate::zone::{QUICK, Zone};

/// When freed blocks are merged: [`Immediate`] or [`Deferred`]. Not for implementing elsewhere.
#[expect(private_bounds, reason = "the set is closed")]
pub trait Coalesce: Sealed {
    /// Blocks of up to this many bytes, headers included, go to quick lists. 0 for none.
    #[doc(hidden)]
    const QUICK_BYTES: usize;
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

impl Sealed for Immediate {}
impl<const BYTES: usize, const BUDGET: usize> Sealed for Deferred<BYTES, BUDGET> {}

impl Coalesce for Immediate {
    const QUICK_BYTES: usize = 0;
    const BUDGET: usize = 0;
}

impl<const BYTES: usize, const BUDGET: usize> Coalesce for Deferred<BYTES, BUDGET> {
    const QUICK_BYTES: usize = {
        assert!(BYTES <= QUICK * 16, "quick lists are for blocks of up to 1024 bytes");
        BYTES
    };
    const BUDGET: usize = BUDGET;
}

impl<C: Config> Zone<C> {
    /// The largest block of quick lists, in granules.
    pub(crate) const QUICK_MAX: u32 = (C::Coalesce::QUICK_BYTES / 16) as u32;

    /// A block of exactly this size from a quick list, in use again.
    #[inline(always)]
    pub(crate) fn take_quick(self, size: u32, requested: usize) -> Option<u32> {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return None;
        }
        let header = self.header();
        let list = &header.quick[size as usize % header.quick.len()];
        let at = list.get();
        if at == 0 {
            return None;
        }
        list.set(self.field(at, C::Header::BYTES));
        header.count(1, -(size as i32));
        C::Header::leave_cache(self, at, requested);
        Some(at)
    }

    /// Puts a block that its holder gave back into a quick list, if it is small enough.
    #[inline(always)]
    pub(crate) fn give_quick(self, at: u32, size: u32) -> bool {
        if Self::QUICK_MAX == 0 || size > Self::QUICK_MAX {
            return false;
        }
        let header = self.header();
        let list = &header.quick[size as usize % header.quick.len()];
        self.set_field(at, C::Header::BYTES, list.get());
        list.set(at);
        C::Header::become_cached(self, at, size);
        header.count(-1, size as i32);
        if header.cached() > header.budget.get() {
            self.flush_list(size);
        }
        true
    }

    /// Merges the blocks of one quick list.
    #[cold]
    #[inline(never)]
    fn flush_list(self, size: u32) {
        let header = self.header();
        let list = &header.quick[size as usize % header.quick.len()];
        let mut at = list.replace(0);
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
            for size in 1..=Self::QUICK_MAX {
                self.flush_list(size);
            }
        }
        any
    }

    /// Calls `each` with the position and the size of every block in quick lists.
    pub(crate) fn for_each_cached(self, each: &mut dyn FnMut(u32, u32)) {
        for size in 1..=Self::QUICK_MAX {
            let mut at = self.header().quick[size as usize].get();
            while at != 0 {
                each(at, size);
                at = self.field(at, C::Header::BYTES);
            }
        }
    }
}
