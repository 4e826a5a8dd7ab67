//! Blocks at multiples of more than 16, kept by class and alignment.
//!
//! ```text
//!  aligned[h(class, shift)]   { head, tag = class and shift, count }     two places to look, the second is the first's neighbour
//! ```
//!
//! A free chunk that an aligned request fits is rare, and cutting one out of a larger chunk leaves two fragments; so what was
//! aligned once is worth keeping as it is. The table is small: a pair of class and alignment that finds both its places
//! taken turns one of them out.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::ThreadCache;
use crate::class;
use crate::instance::Instance;
use crate::magazine::{Magazine, Node};

/// Places in the table.
pub(super) const PLACES: usize = 64;

/// Bytes that one place keeps, or [`FEWEST`] blocks if that is more, or [`MOST`] if that is less.
const BYTES: usize = 16 << 10;
const FEWEST: usize = 4;
const MOST: usize = 32;

/// The kept blocks of one class and alignment. Written by its thread alone; see [`Bin`](super::Bin).
#[derive(Debug)]
#[repr(C)]
pub(super) struct AlignedBin {
    pub(super) head: AtomicPtr<Node>,
    /// The class and the power of two; 0 while it is nobody's.
    pub(super) tag: AtomicU32,
    pub(super) count: AtomicU32,
}

impl AlignedBin {
    fn is(&self, tag: u32) -> bool {
        self.tag.load(Ordering::Relaxed) == tag
    }

    fn class(&self) -> usize {
        (self.tag.load(Ordering::Relaxed) >> 8) as usize
    }

    fn magazine(&self) -> Magazine {
        let count = self.count.load(Ordering::Relaxed) as usize;
        Magazine { head: self.head.load(Ordering::Relaxed), count, class: self.class() }
    }

    fn put(&self, magazine: Magazine) {
        self.head.store(magazine.head, Ordering::Relaxed);
        self.count.store(magazine.count as u32, Ordering::Relaxed);
    }

    /// Takes everything out.
    fn unload(&self) -> Magazine {
        let all = self.magazine();
        self.put(Magazine::empty(all.class));
        self.tag.store(0, Ordering::Relaxed);
        all
    }

    /// Blocks and bytes.
    pub(super) fn cached(&self) -> (usize, usize) {
        let count = self.count.load(Ordering::Relaxed) as usize;
        (count, count * class::chunk_size(self.class().max(class::TINY)))
    }
}

/// The tag of a class and an alignment, and where to look for it.
fn place(class: usize, align: usize) -> (u32, usize) {
    let shift = align.trailing_zeros();
    ((class as u32) << 8 | shift, (class * 5 + shift as usize * 11) % PLACES)
}

impl ThreadCache {
    /// A block of `class` at a multiple of `align`, if one is kept.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    pub(crate) unsafe fn pop_aligned(&self, class: usize, align: usize) -> Option<NonNull<u8>> {
        let (tag, first) = place(class, align);
        for at in [first, first ^ 1] {
            let bin = self.aligned.get(at)?;
            if bin.is(tag) {
                let mut magazine = bin.magazine();
                // SAFETY: the blocks are this thread's.
                if let Some(block) = unsafe { magazine.pop() } {
                    bin.put(magazine);
                    // SAFETY: a block of ours, which holds a node.
                    unsafe { Node::set_key(Node::of(block), 0) };
                    return Some(block);
                }
            }
        }
        // Whoever frees by pointer alone puts it among its class, newest first.
        let head = NonNull::new(self.bin(class).head())?;
        if head.addr().get() % align != 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { self.pop(class) }
    }

    /// Keeps a block of `class` at a multiple of `align`, and gives back what there is no room for.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`; `block` is in use, of a chunk of `class` or larger in a heap, and
    /// given up by its holder.
    pub(crate) unsafe fn push_aligned<B: Backend>(
        &self,
        instance: &Instance<B>,
        class: usize,
        align: usize,
        block: NonNull<u8>,
    ) {
        let (tag, first) = place(class, align);
        let places = [first, first ^ 1];
        let bins = places.map(|at| &self.aligned[at % PLACES]);
        let found = bins.iter().find(|bin| bin.is(tag)).or_else(|| bins.iter().find(|bin| bin.is(0)));
        let bin = *found.unwrap_or(&bins[0]);
        let most = (BYTES / class::chunk_size(class)).clamp(FEWEST, MOST);
        if !bin.is(tag) || bin.magazine().count >= most {
            // SAFETY: the caller's promise; the blocks are out of the bin.
            unsafe { self.give_back(instance, bin.unload()) };
            bin.tag.store(tag, Ordering::Relaxed);
        }
        let mut magazine = Magazine { class, ..bin.magazine() };
        // SAFETY: the caller's promise.
        unsafe { magazine.push(block, self.key()) };
        bin.put(magazine);
    }

    /// Gives all aligned blocks back. Returns their bytes, by the chunk sizes of their classes.
    ///
    /// # Safety
    /// As for [`flush`](Self::flush).
    pub(super) unsafe fn flush_aligned<B: Backend>(&self, instance: &Instance<B>) -> usize {
        let mut bytes = 0;
        for bin in &self.aligned {
            bytes += bin.cached().1;
            // SAFETY: the caller's promise; the blocks are out of the bin.
            unsafe { self.give_back(instance, bin.unload()) };
        }
        bytes
    }

    /// Frees the blocks of a magazine: to be merged and cut anew, not to serve requests without alignment.
    ///
    /// # Safety
    /// The magazine is nobody else's.
    unsafe fn give_back<B: Backend>(&self, instance: &Instance<B>, mut magazine: Magazine) {
        // SAFETY: the caller's promise.
        while let Some(block) = unsafe { magazine.pop() } {
            // SAFETY: the blocks of a magazine are in use and nobody else's.
            unsafe { instance.give_back(block) };
        }
    }
}
