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

/// Bytes that one place keeps, or [`FEWEST`] blocks if that is more, or [`MOST`] if that is less. A block that is not kept is
/// cut out of the arena anew, for 900 instructions.
const BYTES: usize = 128 << 10;
const FEWEST: usize = 4;
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

    /// Takes the newest block out, if there is one.
    ///
    /// # Safety
    /// The calling thread's.
    #[inline(always)]
    unsafe fn pop(&self) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.head.load(Ordering::Relaxed))?;
        let node = block.as_ptr();
        // SAFETY: a kept block is a node, and this thread's.
        self.head.store(unsafe { Node::next(node) }, Ordering::Relaxed);
        self.room.store(self.room.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { Node::set_key(node, 0) };
        Some(block.cast())
    }

    /// Puts a block in, if there is room.
    ///
    /// # Safety
    /// The calling thread's, of the block's class and alignment; the block is in use, of a chunk of the class or larger in a
    /// heap, and given up by its holder.
    #[inline(always)]
    unsafe fn push(&self, block: NonNull<u8>, key: usize) -> bool {
        let room = self.room.load(Ordering::Relaxed);
        if room == 0 {
            return false;
        }
        self.room.store(room - 1, Ordering::Relaxed);
        let node = Node::of(block);
        // SAFETY: the smallest block holds a node, and this one is ours from now on.
        unsafe { Node::set_next(node, self.head.load(Ordering::Relaxed)) };
        // SAFETY: as above.
        unsafe { Node::set_key(node, key) };
        self.head.store(node, Ordering::Relaxed);
        true
    }

    /// Takes the older half out.
    ///
    /// # Safety
    /// The calling thread's.
    unsafe fn older_half(&self) -> Magazine {
        let (class, count) = (self.class(), self.count());
        let keeps = count / 2;
        let mut last = self.head.load(Ordering::Relaxed);
        if keeps == 0 || last.is_null() {
            return self.hand_to(self.tag.load(Ordering::Relaxed), class);
        }
        for _ in 1..keeps {
            // SAFETY: kept blocks are nodes, and this is not the last of them.
            last = unsafe { Node::next(last) };
        }
        // SAFETY: as above.
        let head = unsafe { Node::next(last) };
        // SAFETY: as above.
        unsafe { Node::set_next(last, ptr::null_mut()) };
        self.room.store(most(class) - keeps as u32, Ordering::Relaxed);
        Magazine { head, count: count - keeps, class }
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

/// The tag of a class and an alignment, and the first place to look for it.
#[inline(always)]
fn place(class: usize, align: usize) -> (u32, usize) {
    let shift = align.trailing_zeros() as usize;
    ((class << 8 | shift) as u32, (class * 5 + shift * 37) % PLACES)
}

impl ThreadCache {
    /// A block of `class` at a multiple of `align`, if one is kept.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    #[inline]
    pub(crate) unsafe fn pop_aligned(&self, class: usize, align: usize) -> Option<NonNull<u8>> {
        let (tag, first) = place(class, align);
        if self.aligned[first].is(tag)
            // SAFETY: the caller's promise.
            && let Some(block) = unsafe { self.aligned[first].pop() }
        {
            return Some(block);
        }
        let second = &self.aligned[first ^ 1];
        if second.is(tag)
            // SAFETY: the caller's promise.
            && let Some(block) = unsafe { second.pop() }
        {
            return Some(block);
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
        let (tag, first) = place(class, align);
        if self.aligned[first].is(tag) {
            // SAFETY: the caller's promise.
            return unsafe { self.aligned[first].push(block, self.key()) };
        }
        let second = &self.aligned[first ^ 1];
        // SAFETY: the caller's promise.
        second.is(tag) && unsafe { second.push(block, self.key()) }
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
        let (tag, first) = place(class, align);
        let bins = [first, first ^ 1].map(|at| &self.aligned[at]);
        let displaced = match bins.iter().find(|bin| bin.is(tag)) {
            // SAFETY: the caller's promise.
            Some(bin) => unsafe { bin.older_half() },
            None => bins.iter().find(|bin| bin.is(0)).unwrap_or(&bins[0]).hand_to(tag, class),
        };
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
