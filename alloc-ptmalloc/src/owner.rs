//! Whose heap an address lies in, for any address, without reading what is there.
//!
//! ```text
//! address  47          26 25                    0
//!         +--------------+----------------------+
//!         | heap number  | place in the heap    |        OWNERS[heap number] = id of the arena, 0: no heap of ours
//!         +--------------+----------------------+        ARENAS[id]          = the arena
//! ```
//!
//! Heaps start at multiples of 64 MiB and are at most as large, so that one entry stands for each. The table is one of the
//! process, which all instances share: 4 MiB of zero pages, of which as many are ever touched as heaps lie 128 GiB apart,
//! which is one or two. The idea is snmalloc's page map.
//!
//! # Memory order
//! [`of`] is Relaxed. A block's address is known by whoever allocated it, or to whom it was handed over with an order of its
//! own; either way the entry was written before. An address that came from nowhere may find an entry that is being
//! written, and gets the answer of before or after. What an id leads to is safe to look at in any case: [`arena_of`] is
//! Acquire and pairs with the Release in [`bind`], and heaps are looked at behind their arena's mutex.

use core::ptr::{self, NonNull};

use alloc_core::sync::static_atomic::{AtomicPtr, AtomicU16, Ordering};

use crate::arena::Arena;

/// Heaps start at multiples of this, and none is larger.
pub(crate) const HEAP_ALIGN: usize = 1 << HEAP_SHIFT;

const HEAP_SHIFT: u32 = 26;
/// User addresses are below this on x86-64 and aarch64 with the usual page tables.
const ADDRESS_BITS: u32 = 47;
const HEAPS: usize = 1 << (ADDRESS_BITS - HEAP_SHIFT);
const IDS: usize = 1 << u16::BITS;

static OWNERS: [AtomicU16; HEAPS] = [const { AtomicU16::new(0) }; HEAPS];
/// Null: the id is free. [`CLAIMED`]: taken, and without an arena yet.
static ARENAS: [AtomicPtr<Arena>; IDS] = [const { AtomicPtr::new(ptr::null_mut()) }; IDS];

const CLAIMED: *mut Arena = ptr::dangling_mut();

/// The id of the arena whose heap `address` lies in; 0 for any other address.
#[inline]
pub(crate) fn of(address: usize) -> u16 {
    // Relaxed: see the module.
    OWNERS.get(address >> HEAP_SHIFT).map_or(0, |owner| owner.load(Ordering::Relaxed))
}

/// As [`of`], and 0 as well for an address at which no block can start: one that is no multiple of 16.
#[inline]
pub(crate) fn of_block(address: usize) -> u16 {
    // The low four bits go to the top, where any that is set makes the heap number too large for the table: one comparison
    // answers both questions.
    let number = address.rotate_right(4) >> (HEAP_SHIFT - 4);
    // Relaxed: see the module.
    OWNERS.get(number).map_or(0, |owner| owner.load(Ordering::Relaxed))
}

/// Makes the heap at `base` one of arena `id`. Whether the table reaches so far.
pub(crate) fn publish(base: usize, id: u16) -> bool {
    debug_assert!(base % HEAP_ALIGN == 0 && id != 0);
    OWNERS.get(base >> HEAP_SHIFT).is_some_and(|owner| {
        // Release: for who walks from an entry to the heap; see the module for all others.
        owner.store(id, Ordering::Release);
        true
    })
}

/// Undoes [`publish`]. Before the heap is given back, since the kernel may put anything there afterwards.
pub(crate) fn retract(base: usize) {
    if let Some(owner) = OWNERS.get(base >> HEAP_SHIFT) {
        owner.store(0, Ordering::Release);
    }
}

/// An id that no arena of this process has; `None` when all are taken.
pub(crate) fn claim() -> Option<u16> {
    // Arenas are made rarely and there are few of them: the first free id lies in the first page.
    (1..=u16::MAX).find(|&id| {
        // Acquire: what the last holder of the id did to its arena comes before what we do.
        ARENAS[usize::from(id)]
            .compare_exchange(ptr::null_mut(), CLAIMED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    })
}

/// Says which arena has a claimed id.
pub(crate) fn bind(id: u16, arena: NonNull<Arena>) {
    // Release: whoever finds the arena finds it whole.
    ARENAS[usize::from(id)].store(arena.as_ptr(), Ordering::Release);
}

/// Gives an id back, bound or only claimed. No heap may be published under it any more.
pub(crate) fn give_back(id: u16) {
    ARENAS[usize::from(id)].store(ptr::null_mut(), Ordering::Release);
}

/// The arena of an id, if it has one. It lives as long as its instance.
#[inline]
pub(crate) fn arena_of(id: u16) -> Option<NonNull<Arena>> {
    // Acquire: pairs with `bind`.
    let arena = ARENAS[usize::from(id)].load(Ordering::Acquire);
    if arena == CLAIMED { None } else { NonNull::new(arena) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A range that no kernel gives to mappings: the tests of this file own its entries.
    const BASE: usize = 3 * HEAP_ALIGN;

    #[test]
    fn an_entry_stands_for_its_heap_alone() {
        assert!(publish(BASE, 7));
        for inside in [BASE, BASE + 1, BASE + HEAP_ALIGN - 1] {
            assert_eq!(of(inside), 7);
        }
        assert_eq!((of(BASE - 1), of(BASE + HEAP_ALIGN)), (0, 0));
        for block in [BASE, BASE + 16, BASE + HEAP_ALIGN - 16] {
            assert_eq!(of_block(block), 7);
        }
        for no_block in [BASE + 1, BASE + 8, BASE + 15, BASE + HEAP_ALIGN, usize::MAX] {
            assert_eq!(of_block(no_block), 0);
        }
        retract(BASE);
        assert_eq!(of(BASE), 0);
    }

    #[test]
    fn every_address_has_an_answer() {
        for address in [0, 1, usize::MAX, 1 << ADDRESS_BITS, (1 << ADDRESS_BITS) - 1, 1 << 63] {
            assert_eq!(of(address), 0);
        }
        assert!(!publish(1 << ADDRESS_BITS, 7), "beyond the table");
        retract(1 << ADDRESS_BITS);
    }

    #[test]
    fn ids_are_given_once_and_again_when_they_come_back() {
        let ids = [(); 100].map(|()| claim().unwrap());
        for (at, &id) in ids.iter().enumerate() {
            assert!(id != 0 && !ids[..at].contains(&id) && arena_of(id).is_none());
        }
        let arena = NonNull::<Arena>::dangling().map_addr(|_| core::num::NonZero::new(4096).unwrap());
        bind(ids[9], arena);
        assert_eq!(arena_of(ids[9]), Some(arena));
        for id in ids {
            give_back(id);
        }
        assert_eq!(arena_of(ids[9]), None);
        assert_eq!(arena_of(0), None);
    }
}
