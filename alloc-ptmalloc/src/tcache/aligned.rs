//! Blocks at multiples of more than 16, kept by class and alignment.
//!
//! ```text
//!  aligned[h(class, shift)]   { head, tag = class and shift, room }      two places to look, the second is the first's neighbour
//! ```
//!
//! A free chunk that an aligned request fits is rare, and cutting one out of a larger chunk leaves two fragments; so what was
//! aligned once is worth keeping as it is. The table is small: a pair of class and alignment that finds both its places
//! taken turns one of them out.

use core::ptr::{self, NonNull};

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::ThreadCache;
use super::flush::free_each;
use crate::class;
use crate::instance::Instance;
use crate::magazine::{Magazine, Node};

/// Places in the table: a power of two.
pub(super) const PLACES: usize = 128;

/// Bytes that one place keeps, or [`FEWEST`] blocks if that is more, or [`MOST`] if that is less.
const BYTES: usize = 32 << 10;
const FEWEST: usize = 6;
const MOST: usize = 64;

/// The kept blocks of one class and alignment. Written by its thread alone; see [`Bin`](super::bin::Bin).
#[derive(Debug)]
#[repr(C)]
pub(super) struct AlignedBin {
    pub(super) head: AtomicPtr<Node>,
    /// The class and the power of two; 0 while it is nobody's.
    pub(super) tag: AtomicU32,
    /// Blocks that may still be put in.
    pub(super) room: AtomicU32,
}

impl AlignedBin {
    #[inline]
    fn is(&self, tag: u32) -> bool {
        self.tag.load(Ordering::Relaxed) == tag
    }

    fn class(&self) -> usize {
        (self.tag.load(Ordering::Relaxed) >> 8) as usize
    }

    /// Blocks in it.
    fn count(&self) -> usize {
        match self.class() {
            0 => 0,
            // Another thread that asks may see one field newer than the other.
            class => most(class).saturating_sub(self.room.load(Ordering::Relaxed)) as usize,
        }
    }

    /// Takes everything out, and leaves it to `tag`, of `class`.
    fn hand_to(&self, tag: u32, class: usize) -> Magazine {
        let all =
            Magazine { head: self.head.load(Ordering::Relaxed), count: self.count(), class: self.class() };
        self.head.store(ptr::null_mut(), Ordering::Relaxed);
        self.room.store(most(class), Ordering::Relaxed);
        self.tag.store(tag, Ordering::Relaxed);
        all
    }

    /// Blocks and bytes.
    pub(super) fn cached(&self) -> (usize, usize) {
        let count = self.count();
        (count, count * class::chunk_size(self.class().max(class::TINY)))
    }
}

/// Blocks of a class that one place keeps.
fn most(class: usize) -> u32 {
    (BYTES / class::chunk_size(class.max(class::TINY))).clamp(FEWEST, MOST) as u32
}

/// The tag of a class and an alignment, and the two places to look for it.
#[inline]
fn places(class: usize, align: usize) -> (u32, [usize; 2]) {
    let shift = align.trailing_zeros() as usize;
    let first = (class * 5 + shift * 37) % PLACES;
    ((class << 8 | shift) as u32, [first, first ^ 1])
}

impl ThreadCache {
    /// A block of `class` at a multiple of `align`, if one is kept.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    #[inline]
    pub(crate) unsafe fn pop_aligned(&self, class: usize, align: usize) -> Option<NonNull<u8>> {
        let (tag, places) = places(class, align);
        for bin in places.into_iter().filter_map(|at| self.aligned.get(at)) {
            if bin.is(tag)
                && let Some(block) = NonNull::new(bin.head.load(Ordering::Relaxed))
            {
                let node = block.as_ptr();
                // SAFETY: a kept block is a node, and this thread's.
                bin.head.store(unsafe { Node::next(node) }, Ordering::Relaxed);
                bin.room.store(bin.room.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                // SAFETY: as above.
                unsafe { Node::set_key(node, 0) };
                return Some(block.cast());
            }
        }
        // Whoever frees by pointer alone puts it among its class, newest first.
        let head = NonNull::new(self.bin(class).head())?;
        if head.addr().get() & (align - 1) != 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { self.pop(class) }
    }

    /// Keeps a block of `class` at a multiple of `align`, if its place has room.
    ///
    /// # Safety
    /// This is the calling thread's cache; `block` is in use, of a chunk of `class` or larger in a heap, and given up by its
    /// holder.
    #[inline]
    pub(crate) unsafe fn push_aligned(&self, class: usize, align: usize, block: NonNull<u8>) -> bool {
        let (tag, places) = places(class, align);
        for bin in places.into_iter().filter_map(|at| self.aligned.get(at)) {
            if bin.is(tag) {
                let room = bin.room.load(Ordering::Relaxed);
                if room == 0 {
                    return false;
                }
                bin.room.store(room - 1, Ordering::Relaxed);
                let node = Node::of(block);
                // SAFETY: the smallest block holds a node, and this one is ours from now on.
                unsafe { Node::set_next(node, bin.head.load(Ordering::Relaxed)) };
                // SAFETY: as above.
                unsafe { Node::set_key(node, self.key()) };
                bin.head.store(node, Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    /// Keeps a block that [`push_aligned`](Self::push_aligned) found no room for, and gives back what is in its way.
    ///
    /// # Safety
    /// As for [`push_aligned`](Self::push_aligned), and this is a real cache for `instance`.
    #[cold]
    pub(crate) unsafe fn make_room_aligned<B: Backend>(
        &self,
        instance: &Instance<B>,
        class: usize,
        align: usize,
        block: NonNull<u8>,
    ) {
        let (tag, places) = places(class, align);
        let bins = places.map(|at| &self.aligned[at % PLACES]);
        let found = bins.iter().find(|bin| bin.is(tag)).or_else(|| bins.iter().find(|bin| bin.is(0)));
        let displaced = found.unwrap_or(&bins[0]).hand_to(tag, class);
        if displaced.count > 0 {
            // Freed one by one: to be merged and cut anew, not to serve requests without alignment.
            // SAFETY: the blocks were this cache's, and are out of it.
            unsafe { free_each(instance, displaced) };
        }
        // SAFETY: the caller's promise.
        unsafe { self.push_aligned(class, align, block) };
    }

    /// Gives all aligned blocks back. Returns their bytes, by the chunk sizes of their classes.
    ///
    /// # Safety
    /// As for [`flush`](Self::flush).
    pub(super) unsafe fn flush_aligned<B: Backend>(&self, instance: &Instance<B>) -> usize {
        let mut bytes = 0;
        for bin in &self.aligned {
            bytes += bin.cached().1;
            let kept = bin.hand_to(0, 0);
            if kept.count > 0 {
                // SAFETY: the blocks were this cache's, and are out of it.
                unsafe { free_each(instance, kept) };
            }
        }
        bytes
    }
}
