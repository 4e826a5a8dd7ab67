//! A full bin: the spare place, or one round that gives a magazine back to the arenas that its blocks came from.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use super::refill::kept;
use super::{ThreadCache, budget};
use crate::class::{self, CLASSES, TINY};
use crate::config::Era;
use crate::instance::Instance;
use crate::magazine::{Magazine, Node};
use crate::owner;

/// Arenas whose blocks are told apart in one round. A magazine with blocks of more is handed over in more pieces.
const DESTINATIONS: usize = 8;

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
            unsafe { self.hand_back(instance, cold) };
        }
    }

    /// Gives a magazine's blocks to the arenas that they came from: this thread's in one round under its lock, others' by
    /// one atomic operation each.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`; the magazine is nobody else's.
    pub(super) unsafe fn hand_back<B: Backend>(&self, instance: &Instance<B>, magazine: Magazine) {
        let mine = if instance.source.config.era != Era::Ours {
            // SAFETY: the caller's promise.
            return unsafe { free_each(instance, magazine) };
        } else if instance.has_one_arena() {
            magazine
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.sort(instance, magazine) }
        };
        if mine.count > 0 {
            instance.with_arena(self, |state, source| {
                // SAFETY: the arena is locked, and the blocks are its own.
                unsafe { state.keep(source, mine) };
            });
        }
    }

    /// Hands the blocks of other arenas over, and returns those of this thread's.
    ///
    /// # Safety
    /// As for [`hand_back`](Self::hand_back).
    unsafe fn sort<B: Backend>(&self, instance: &Instance<B>, mut magazine: Magazine) -> Magazine {
        let class = magazine.class;
        let home = self.arena().id;
        // Of one arena, as nearly all are, it goes as it is: read through, and not written again.
        // SAFETY: the caller's promise.
        if let Some(id) = unsafe { only_owner(&magazine) } {
            if id == home {
                return magazine;
            }
            // SAFETY: the blocks came from the arena `id` and are ours.
            unsafe { instance.hand_over(id, magazine) };
            return Magazine::empty(class);
        }
        let mut mine = Magazine::empty(class);
        let mut others = [(0_u16, Magazine::empty(class)); DESTINATIONS];
        // SAFETY: the caller's promise.
        while let Some(block) = unsafe { magazine.pop() } {
            let id = owner::of(block.addr().get());
            let list = if id == home {
                &mut mine
            } else {
                let place = usize::from(id) % DESTINATIONS;
                // In bounds by the remainder.
                let Some((taken, list)) = others.get_mut(place) else { continue };
                if *taken != id {
                    if list.count > 0 {
                        // SAFETY: the blocks came from the arena `taken` and are ours.
                        unsafe { instance.hand_over(*taken, *list) };
                    }
                    (*taken, *list) = (id, Magazine::empty(class));
                }
                list
            };
            // SAFETY: the block came out of a magazine of ours.
            unsafe { list.push(block, instance.source.key) };
        }
        for (id, list) in others {
            if list.count > 0 {
                // SAFETY: the blocks came from the arena `id` and are ours.
                unsafe { instance.hand_over(id, list) };
            }
        }
        mine
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
    let first = owner::of(magazine.head.addr());
    let mut node = magazine.head;
    while !node.is_null() {
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
