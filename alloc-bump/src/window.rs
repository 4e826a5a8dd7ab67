//! The free extent that the next blocks come from: a cursor, a limit, and the four verbs on them.
//!
//! Both [arenas](crate::arena) and the sub-buffers of threads are windows; this is the one place where addresses from
//! [`bumping`](crate::bumping) become pointers.

use core::alloc::Layout;
use core::cell::Cell;
use core::hint::assert_unchecked;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use alloc_core::arith::is_aligned;

use crate::bumping::{self, Placed};
use crate::config::Config;

/// Where an extent without bytes pretends to lie: a multiple of every `MIN_ALIGN`.
pub(crate) const NOWHERE: usize = 4096;

/// ```text
///   filling up                               filling down
///   | live blocks ... |  free extent  |      |  free extent  | ... live blocks |
///                     ^ cursor        ^      ^ limit         ^ cursor
///                                     limit
/// ```
///
/// Invariants:
/// * cursor and limit are multiples of `C::MIN_ALIGN`;
/// * the bytes between them belong to the window alone, are readable and writable, and the cursor's provenance covers
///   them as well as every live block that borders on the cursor;
/// * or there are none: cursor and limit are equal.
///
/// A new arena has no bytes and both are equal, so that the first request leaves the fast path by the same test as the
/// last one of a chunk.
pub(crate) struct Window {
    cursor: Cell<NonNull<u8>>,
    limit: Cell<usize>,
}

/// `pointer`'s provenance at another address.
///
/// # Safety
/// `address` is not zero.
#[inline(always)]
unsafe fn at(pointer: NonNull<u8>, address: usize) -> NonNull<u8> {
    // SAFETY: the caller promises that it is not zero.
    pointer.with_addr(unsafe { NonZeroUsize::new_unchecked(address) })
}

impl Window {
    /// A window without bytes.
    pub(crate) const fn empty() -> Self {
        let nowhere = NonNull::without_provenance(NonZeroUsize::new(NOWHERE).unwrap());
        Self { cursor: Cell::new(nowhere), limit: Cell::new(NOWHERE) }
    }

    #[inline(always)]
    pub(crate) fn cursor(&self) -> NonNull<u8> {
        self.cursor.get()
    }

    #[inline(always)]
    pub(crate) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Free bytes.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.cursor().addr().get().abs_diff(self.limit())
    }

    /// Puts the window elsewhere.
    ///
    /// # Safety
    /// The invariants hold for the new cursor and limit.
    #[inline]
    pub(crate) unsafe fn move_to(&self, cursor: NonNull<u8>, limit: usize) {
        self.cursor.set(cursor);
        self.limit.set(limit);
    }

    /// Exchanges two windows.
    #[cfg(feature = "std")]
    pub(crate) fn swap(&self, other: &Self) {
        self.cursor.swap(&other.cursor);
        self.limit.swap(&other.limit);
    }

    /// The address of the cursor, with what the compiler may know of it: it drops the alignment step where the layout is
    /// known and needs no more than this.
    #[inline(always)]
    fn aligned_cursor<C: Config>(&self) -> usize {
        let address = self.cursor.get().addr().get();
        // SAFETY: an invariant.
        unsafe { assert_unchecked(is_aligned(address, C::MIN_ALIGN)) };
        address
    }

    /// Takes a block, or tells that there is no room.
    #[inline(always)]
    pub(crate) fn place<C: Config>(&self, layout: Layout) -> Option<NonNull<u8>> {
        let placed = bumping::place::<C>(self.aligned_cursor::<C>(), self.limit.get(), layout)?;
        Some(self.take(placed))
    }

    /// Takes a block for one value, or tells that there is no room.
    #[inline(always)]
    pub(crate) fn place_value<C: Config, T>(&self) -> Option<NonNull<T>> {
        let layout = const {
            let size = size_of::<T>().next_multiple_of(C::MIN_ALIGN);
            match Layout::from_size_align(size, align_of::<T>()) {
                Ok(layout) => layout,
                Err(_) => panic!("a value of this size, rounded up to MIN_ALIGN, has no layout"),
            }
        };
        let placed = bumping::place_value::<C>(self.aligned_cursor::<C>(), self.limit.get(), layout)?;
        Some(self.take(placed).cast())
    }

    #[inline(always)]
    fn take(&self, placed: Placed) -> NonNull<u8> {
        let cursor = self.cursor.get();
        // SAFETY: it lies between the cursor and the limit, neither of which is zero.
        self.cursor.set(unsafe { at(cursor, placed.cursor) });
        // SAFETY: as above.
        unsafe { at(cursor, placed.start) }
    }

    /// Takes a block back, if it is the last one. Otherwise nothing happens, and nothing needs to.
    ///
    /// # Safety
    /// The block is live, from a window of the same owner, and `layout` fits it.
    #[inline(always)]
    pub(crate) unsafe fn take_back<C: Config>(&self, block: NonNull<u8>, layout: Layout) -> bool {
        let (cursor, start) = (self.cursor.get(), block.addr().get());
        let last = bumping::is_last::<C>(cursor.addr().get(), start, layout.size());
        if last {
            // SAFETY: one end of a live block, or rounded up from there to at most the cursor: not zero.
            self.cursor.set(unsafe { at(cursor, bumping::without::<C>(start, layout.size())) });
        }
        last
    }

    /// Grows the block in place, if it is the last one and there is room.
    ///
    /// # Safety
    /// The block is live, from a window of the same owner, and `old` fits it; `new` is at least as large, and has the
    /// same alignment.
    #[inline(always)]
    pub(crate) unsafe fn grow<C: Config>(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Option<NonNull<u8>> {
        let (cursor, start) = (self.cursor.get(), block.addr().get());
        if !bumping::is_last::<C>(cursor.addr().get(), start, old.size()) {
            return None;
        }
        let placed = bumping::replace::<C>(start, old.size(), new, self.limit.get())?;
        // SAFETY: it lies between the old block's ends or in the window: not zero.
        self.cursor.set(unsafe { at(cursor, placed.cursor) });
        // SAFETY: as above. The cursor's provenance covers the bytes that were added, the caller's pointer may not.
        let grown = unsafe { at(cursor, placed.start) };
        if !C::UP {
            // SAFETY: `old.size()` bytes are live at `block`, and at least as many belong to the new block. The ranges may
            // overlap.
            unsafe { grown.copy_from(block, old.size()) };
        }
        Some(grown)
    }

    /// Makes the block smaller, if it is the last one; otherwise there is nothing to win and it stays as it is. Filling
    /// down, its contents must move for it, which is done when they are at most as many as the bytes won.
    ///
    /// # Safety
    /// The block is live, from a window of the same owner, and `old` fits it; `new` is at most as large, and has the
    /// same alignment.
    #[inline(always)]
    pub(crate) unsafe fn shrink<C: Config>(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Option<NonNull<u8>> {
        let (cursor, start) = (self.cursor.get(), block.addr().get());
        if !bumping::is_last::<C>(cursor.addr().get(), start, old.size()) {
            return None;
        }
        let placed = bumping::replace::<C>(start, old.size(), new, self.limit.get())?;
        if !C::UP && placed.start - start < new.size() {
            return None;
        }
        // SAFETY: it lies within the old block or is its end rounded up to at most the cursor: not zero.
        self.cursor.set(unsafe { at(cursor, placed.cursor) });
        // SAFETY: as above.
        let shrunk = unsafe { at(cursor, placed.start) };
        if !C::UP {
            // SAFETY: both lie in the old block, `new.size()` bytes each, and the test above keeps them apart.
            unsafe { shrunk.copy_from_nonoverlapping(block, new.size()) };
        }
        Some(shrunk)
    }
}
