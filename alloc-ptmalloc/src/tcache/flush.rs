//! A full bin: the spare place, or one round that gives a magazine back to the arenas that its blocks came from.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use super::refill::kept;
use super::{ThreadCache, budget};
use crate::class::{self, CLASSES, TINY};
use crate::config::Era;
use crate::handover::Sorter;
use crate::instance::Instance;
use crate::magazine::{Magazine, Node};
use crate::owner;

/// Blocks of a magazine that are looked at to tell where it goes.
const SAMPLE: usize = 4;

impl ThreadCache {
    /// Takes a block whose bin has no room.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`; `block` is in use, of a chunk of `class` or larger, and given
    /// up by its holder.
    pub(crate) unsafe fn overflow<B: Backend>(
        &self,
        instance: &Instance<B>,
        class: usize,
        block: NonNull<u8>,
    ) {
        let era = instance.source.config.era;
        let done = if era == Era::Ours {
            self.rotate(instance, class);
            // SAFETY: the caller's promise.
            unsafe { self.push(class, block) }
        } else {
            let class = if class == TINY { TINY + 1 } else { class };
            let bin = self.bin(class);
            if bin.cap() == 0 {
                bin.set_cap(kept(instance, class));
            }
            // SAFETY: the caller's promise.
            unsafe { self.push(class, block) }
        };
        if !done {
            // SAFETY: the block is in use and its holder gave it up.
            unsafe { instance.give_back(block) };
        }
    }

    /// Makes room in a bin.
    fn rotate<B: Backend>(&self, instance: &Instance<B>, class: usize) {
        let (bin, spare) = (self.bin(class), self.spare(class));
        if bin.cap() == 0 {
            if !self.is_wanted(class) {
                return;
            }
            self.grant(instance, bin, class, budget::first(class));
        }
        if bin.room() > 0 {
            return;
        }
        // The older half goes.
        let cold = spare.take(class);
        spare.put(bin.unload(class));
        if cold.count > 0 {
            if spare.flushed.swap(1, Ordering::Relaxed) != 0 {
                // The second time without a refill in between: blocks come one way, and larger magazines make fewer rounds.
                self.grant(instance, bin, class, budget::next(class, bin.cap(), true));
            }
            // SAFETY: the magazine was this cache's, and is out of it.
            unsafe { self.pass_on(instance, cold) };
        }
    }

    /// Gives a magazine back to the arena that its newest blocks came from, all of it: that one of the others is not from there is
    /// seen when the depot is taken apart (`arena/strays.rs`). To look at every block is to wait for memory once for each, which took
    /// as long as all else that freeing it did.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`; the magazine is not empty and nobody else's.
    unsafe fn pass_on<B: Backend>(&self, instance: &Instance<B>, magazine: Magazine) {
        // Larger blocks are not kept in the depot but freed at once.
        if magazine.class < class::FIRST_MEDIUM
            && instance.source.config.era == Era::Ours
            && !instance.has_one_arena()
        {
            // SAFETY: the caller's promise.
            if let Some(id) = unsafe { owner_of_newest(&magazine) } {
                // SAFETY: as above.
                return unsafe { self.give_to(instance, id, magazine) };
            }
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.hand_back(instance, magazine) };
    }

    /// Gives a magazine to the arena `id`: this thread's in one round under its lock, another by one atomic operation.
    ///
    /// # Safety
    /// As for [`pass_on`](Self::pass_on); the blocks are of that arena, unless they are small.
    unsafe fn give_to<B: Backend>(&self, instance: &Instance<B>, id: u16, magazine: Magazine) {
        if id == self.arena().id {
            instance.with_arena(self, |state, source| {
                // SAFETY: the arena is locked, and the blocks are its own, or small.
                unsafe { state.keep(source, magazine) };
            });
        } else {
            // SAFETY: the caller's promise.
            unsafe { instance.hand_over(id, magazine) };
        }
    }

    /// Gives a magazine's blocks to the arenas that they came from, each of them.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`; the magazine is not empty and nobody else's.
    pub(super) unsafe fn hand_back<B: Backend>(&self, instance: &Instance<B>, mut magazine: Magazine) {
        let home = self.arena().id;
        if instance.source.config.era != Era::Ours {
            // SAFETY: the caller's promise.
            return unsafe { free_each(instance, magazine) };
        }
        // Of one arena, as nearly all are, it goes as it is: read through, and not written again.
        // SAFETY: the caller's promise.
        let owner = if instance.has_one_arena() { Some(home) } else { unsafe { only_owner(&magazine) } };
        if let Some(id) = owner {
            // SAFETY: the blocks came from the arena `id` and are ours.
            return unsafe { self.give_to(instance, id, magazine) };
        }
        let mut mine = Magazine::empty(magazine.class);
        let mut others = Sorter::new(magazine.class);
        // SAFETY: the caller's promise.
        while let Some(block) = unsafe { magazine.pop() } {
            let id = owner::of(block.addr().get());
            if id == home {
                // SAFETY: the block came out of a magazine of ours.
                unsafe { mine.push(block, instance.source.key) };
            } else {
                // SAFETY: as above.
                unsafe { others.put(instance, id, block) };
            }
        }
        others.end(instance);
        if mine.count > 0 {
            // SAFETY: the blocks are this thread's arena's.
            unsafe { self.give_to(instance, home, mine) };
        }
    }

    /// Gives everything back. Returns the bytes, by the chunk sizes of their classes.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`, or one whose thread has ended.
    pub(crate) unsafe fn flush<B: Backend>(&self, instance: &Instance<B>) -> usize {
        // SAFETY: the caller's promise.
        let mut bytes = unsafe { self.flush_aligned(instance) };
        // SAFETY: as above.
        bytes += unsafe { self.flush_large(instance) };
        for class in TINY..CLASSES {
            let (bin, spare) = (self.bin(class), self.spare(class));
            for magazine in [spare.take(class), bin.unload(class)] {
                if magazine.count > 0 {
                    bytes += magazine.count * class::chunk_size(class);
                    // SAFETY: the magazine was this cache's, and is out of it.
                    unsafe { self.hand_back(instance, magazine) };
                }
            }
            bin.cap.store(0, Ordering::Relaxed);
            bin.set_room(0);
        }
        self.granted.store(0, Ordering::Relaxed);
        bytes
    }
}

/// The arena that all blocks of a magazine came from, if that is one.
///
/// # Safety
/// The magazine is not empty, and nobody else's.
unsafe fn only_owner(magazine: &Magazine) -> Option<u16> {
    // SAFETY: the caller's promise.
    unsafe { owner_of_first(magazine, usize::MAX) }
}

/// The arena that the newest blocks of a magazine came from, if that is one.
///
/// # Safety
/// As for [`only_owner`].
unsafe fn owner_of_newest(magazine: &Magazine) -> Option<u16> {
    // SAFETY: the caller's promise.
    unsafe { owner_of_first(magazine, SAMPLE) }
}

/// The arena that the first so many blocks of a magazine came from, if that is one.
///
/// # Safety
/// As for [`only_owner`].
#[inline]
unsafe fn owner_of_first(magazine: &Magazine, blocks: usize) -> Option<u16> {
    let first = owner::of(magazine.head.addr());
    let mut node = magazine.head;
    for _ in 0..blocks {
        if node.is_null() {
            break;
        }
        if owner::of(node.addr()) != first {
            return None;
        }
        // SAFETY: blocks of a magazine are nodes, and these are ours.
        node = unsafe { Node::next(node) };
    }
    Some(first)
}

/// Frees a magazine block by block, as glibc does.
///
/// # Safety
/// The magazine is nobody else's.
pub(super) unsafe fn free_each<B: Backend>(instance: &Instance<B>, mut magazine: Magazine) {
    // SAFETY: the caller's promise.
    while let Some(block) = unsafe { magazine.pop() } {
        // SAFETY: the blocks of a magazine are in use and nobody else's.
        unsafe { instance.give_back(block) };
    }
}
