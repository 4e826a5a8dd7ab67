//! The magazines of one class in a thread cache: the loaded one and the spare.

use core::ptr;

use alloc_core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use crate::magazine::{Magazine, Node};

/// One class's loaded magazine.
///
/// Only its thread writes it. The fields are atomic, and read and written Relaxed, which costs nothing, so that others may
/// count what is cached. `count = cap - room` at all times.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Bin {
    pub(super) head: AtomicPtr<Node>,
    /// Blocks that may still be put in.
    pub(super) room: AtomicU32,
    /// Blocks that a magazine holds.
    pub(super) cap: AtomicU32,
}

/// One class's spare magazine.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Spare {
    pub(super) head: AtomicPtr<Node>,
    pub(super) count: AtomicU32,
    /// Whether a magazine was flushed since the last refill.
    pub(super) flushed: AtomicU32,
    /// The loaded magazine's first block when it was last swept over, as a number; while the bin has no capacity, visits to the
    /// arena for its class.
    pub(super) seen: AtomicUsize,
}

/// Visits to the arena, to take a block or to give one back, before blocks of a class of more than a kilobyte are kept: three
/// blocks that come and go. Kept from the first on, cells of the matrix held 44 KiB more (`trees`) to 130 (`regex`, two threads);
/// twice as many visits change nothing.
const UNKEPT: usize = 6;

const _: () = assert!(size_of::<Bin>() == 16);

impl Bin {
    #[inline]
    pub(super) fn head(&self) -> *mut Node {
        self.head.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_head(&self, head: *mut Node) {
        self.head.store(head, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn room(&self) -> u32 {
        self.room.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_room(&self, room: u32) {
        self.room.store(room, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn cap(&self) -> u32 {
        self.cap.load(Ordering::Relaxed)
    }

    /// Changes the capacity; what is in stays in.
    pub(super) fn set_cap(&self, cap: u32) {
        let count = self.count();
        debug_assert!(cap >= count);
        self.cap.store(cap, Ordering::Relaxed);
        self.set_room(cap - count);
    }

    pub(super) fn count(&self) -> u32 {
        // Wrapping: a reader of another thread may see one field newer than the other.
        self.cap().wrapping_sub(self.room())
    }

    /// Takes the whole magazine out.
    pub(super) fn unload(&self, class: usize) -> Magazine {
        let magazine = Magazine { head: self.head(), count: self.count() as usize, class };
        self.set_head(ptr::null_mut());
        self.set_room(self.cap());
        magazine
    }

    /// Puts a magazine in; the bin is empty, and its capacity rises to the magazine's count where needed.
    pub(super) fn load(&self, magazine: Magazine) {
        debug_assert!(self.head().is_null() && self.count() == 0);
        let count = magazine.count as u32;
        self.set_head(magazine.head);
        if count > self.cap() {
            self.cap.store(count, Ordering::Relaxed);
        }
        self.set_room(self.cap() - count);
    }
}

impl Spare {
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Counts a visit for a bin without capacity, unless there were enough, which is the answer.
    pub(super) fn is_wanted(&self) -> bool {
        let visits = self.seen.load(Ordering::Relaxed);
        if visits < UNKEPT {
            self.seen.store(visits + 1, Ordering::Relaxed);
        }
        visits >= UNKEPT
    }

    pub(super) fn take(&self, class: usize) -> Magazine {
        let magazine =
            Magazine { head: self.head.load(Ordering::Relaxed), count: self.count() as usize, class };
        self.put(Magazine::empty(class));
        magazine
    }

    pub(super) fn put(&self, magazine: Magazine) {
        self.head.store(magazine.head, Ordering::Relaxed);
        self.count.store(magazine.count as u32, Ordering::Relaxed);
    }
}
