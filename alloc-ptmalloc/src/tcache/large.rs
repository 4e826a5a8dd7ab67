//! Large blocks in the thread cache, as glibc has them from 2.42 on: era `Modern`, when `tcache_max` allows.
//!
//! ```text
//!  large[0]    1056 .. 2047 bytes    --> smallest --> ... --> largest --> null      at most 16 blocks, sorted by chunk size
//!  large[1]    2048 .. 4095          --> null
//!  ...
//!  large[11]   2 MiB .. 4 MiB - 16   --> ...
//! ```
//!
//! A request takes a chunk of exactly its size, the newest of these, and otherwise goes to the arena: a cached chunk is never
//! split, nor given to a smaller request.

use core::ptr::{self, NonNull};

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::ThreadCache;
use super::refill::slots;
use crate::chunk::Chunk;
use crate::class::FIRST_MEDIUM;
use crate::config::Era;
use crate::instance::Instance;
use crate::magazine::Node;
use crate::size::ALIGN;

/// Bins: one for each power of two.
pub(super) const BINS: usize = 12;
/// The power of two of the first bin.
const FIRST: u32 = 10;
/// The smallest chunk size that belongs here.
const LEAST: usize = FIRST_MEDIUM * ALIGN;
/// Chunk sizes are below this.
const END: usize = 1 << (FIRST as usize + BINS);

/// A sorted list of blocks. Written by its thread alone; see [`Bin`](super::Bin).
#[derive(Debug)]
#[repr(C)]
pub(super) struct LargeBin {
    pub(super) head: AtomicPtr<Node>,
    pub(super) count: AtomicU32,
    /// Bytes of the chunks, by 16.
    pub(super) units: AtomicU32,
}

impl LargeBin {
    fn head(&self) -> *mut Node {
        self.head.load(Ordering::Relaxed)
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts a chunk of `size` in or out.
    fn change(&self, size: usize, more: bool) {
        let units = (size / ALIGN) as u32;
        let change = |value: u32, by: u32| if more { value + by } else { value - by };
        self.count.store(change(self.count(), 1), Ordering::Relaxed);
        self.units.store(change(self.units.load(Ordering::Relaxed), units), Ordering::Relaxed);
    }

    /// The first block whose chunk is at least `size`, and the one before it; null where there is none.
    ///
    /// # Safety
    /// This is a bin of the calling thread's cache.
    unsafe fn find(&self, size: usize) -> (*mut Node, *mut Node) {
        let (mut before, mut node) = (ptr::null_mut(), self.head());
        // SAFETY: what is on the list is this thread's.
        while let Some(block) = NonNull::new(node).filter(|&node| unsafe { size_of_node(node) } < size) {
            before = node;
            // SAFETY: as above.
            node = unsafe { Node::next(block.as_ptr()) };
        }
        (before, node)
    }

    /// Makes `node` follow `before`, or be the first.
    ///
    /// # Safety
    /// As for [`find`](Self::find), and `before` is null or on the list.
    unsafe fn link(&self, before: *mut Node, node: *mut Node) {
        if before.is_null() {
            self.head.store(node, Ordering::Relaxed);
        } else {
            // SAFETY: the block is this thread's.
            unsafe { Node::set_next(before, node) };
        }
    }

    /// Blocks and bytes.
    pub(super) fn cached(&self) -> (usize, usize) {
        (self.count() as usize, self.units.load(Ordering::Relaxed) as usize * ALIGN)
    }
}

/// The chunk size of a cached block.
///
/// # Safety
/// The block is in a bin of this kind.
unsafe fn size_of_node(node: NonNull<Node>) -> usize {
    // SAFETY: the caller's promise.
    let chunk = unsafe { Chunk::of_block(node.cast()) };
    // SAFETY: a chunk in use.
    unsafe { chunk.size() }
}

impl ThreadCache {
    fn large_bin(&self, size: usize) -> Option<&LargeBin> {
        if !(LEAST..END).contains(&size) {
            return None;
        }
        self.large.get((size.ilog2() - FIRST) as usize)
    }

    /// The newest block of a chunk of exactly `size`, if one is kept.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    pub(crate) unsafe fn pop_large(&self, size: usize) -> Option<NonNull<u8>> {
        let bin = self.large_bin(size)?;
        // SAFETY: the caller's promise.
        let (before, node) = unsafe { bin.find(size) };
        let found = NonNull::new(node)?;
        // SAFETY: it is on the list.
        if unsafe { size_of_node(found) } != size {
            return None;
        }
        // SAFETY: as above.
        let next = unsafe { Node::next(node) };
        // SAFETY: the caller's promise; `before` came from the list.
        unsafe { bin.link(before, next) };
        bin.change(size, false);
        // SAFETY: the block is ours.
        unsafe { Node::set_key(node, 0) };
        Some(found.cast())
    }

    /// Keeps a block whose chunk is of `size`, if that has a bin and the bin has room.
    ///
    /// # Safety
    /// This is the calling thread's real cache; `block` is in use, of a chunk of `size` in a heap, and given up by its holder.
    pub(crate) unsafe fn push_large(&self, size: usize, block: NonNull<u8>) -> bool {
        let Some(bin) = self.large_bin(size).filter(|bin| bin.count() < slots(Era::Modern)) else {
            return false;
        };
        // SAFETY: the caller's promise.
        let (before, after) = unsafe { bin.find(size) };
        let node = Node::of(block);
        // SAFETY: its holder gave it up.
        unsafe { Node::set_next(node, after) };
        // SAFETY: as above.
        unsafe { Node::set_key(node, self.key()) };
        // SAFETY: the caller's promise; `before` came from the list.
        unsafe { bin.link(before, node) };
        bin.change(size, true);
        true
    }

    /// Whether `block`, whose chunk is of `size`, is kept here. As for [`holds`](Self::holds).
    ///
    /// # Safety
    /// This is the calling thread's cache.
    pub(crate) unsafe fn holds_large(&self, size: usize, block: NonNull<u8>) -> bool {
        let Some(bin) = self.large_bin(size) else { return false };
        let mut node = bin.head();
        while let Some(kept) = NonNull::new(node) {
            if kept.cast() == block {
                return true;
            }
            // SAFETY: what is on the list is this thread's.
            node = unsafe { Node::next(node) };
        }
        false
    }

    /// Gives all large blocks back. Returns the bytes of their chunks.
    ///
    /// # Safety
    /// As for [`flush`](Self::flush).
    pub(super) unsafe fn flush_large<B: Backend>(&self, instance: &Instance<B>) -> usize {
        let mut bytes = 0;
        for bin in &self.large {
            bytes += bin.cached().1;
            let mut node = bin.head.swap(ptr::null_mut(), Ordering::Relaxed);
            bin.count.store(0, Ordering::Relaxed);
            bin.units.store(0, Ordering::Relaxed);
            while let Some(block) = NonNull::new(node) {
                // SAFETY: what was on the list is this thread's.
                node = unsafe { Node::next(node) };
                // SAFETY: in use, and nobody else's.
                unsafe { instance.give_back(block.cast()) };
            }
        }
        bytes
    }
}
