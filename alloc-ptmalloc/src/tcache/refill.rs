//! An empty bin: the spare magazine, or one round under the arena's lock.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use super::{Bin, ThreadCache, budget};
use crate::class::{self, TINY};
use crate::config::Era;
use crate::instance::Instance;
use crate::magazine::{Magazine, Node};
use crate::size;

impl ThreadCache {
    /// A block of `class`, whose loaded magazine is empty. `None` when the home arena has none to give.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`.
    pub(crate) unsafe fn refill<B: Backend>(
        &self,
        instance: &Instance<B>,
        class: usize,
    ) -> Option<NonNull<u8>> {
        let spare = self.spare(class);
        if !spare.is_empty() {
            self.bin(class).load(spare.take(class));
            // SAFETY: the caller's promise.
            return unsafe { self.pop(class) };
        }
        let magazine = if instance.source.config.era == Era::Ours {
            let want = self.widen(instance, class);
            instance.with_arena(self, |state, source| {
                // SAFETY: the arena is locked, and the magazine is this cache's to have.
                unsafe { state.fill(source, class, want as usize) }
            })
        } else {
            let class = if class == TINY { TINY + 1 } else { class };
            let bin = self.bin(class);
            if !bin.head().is_null() {
                // SAFETY: the caller's promise.
                return unsafe { self.pop(class) };
            }
            instance.with_arena(self, |state, source| {
                let size = class::chunk_size(class);
                // The block that is returned, and as many as the bin may take.
                let want = 1 + if bin.cap() == 0 { kept(instance, class) } else { bin.room() } as usize;
                // SAFETY: the arena is locked, and the blocks are this cache's to have.
                unsafe { state.stash(source, size, want) }
            })
        };
        // SAFETY: the caller's promise; the arena gave the blocks to this cache.
        unsafe { self.accept(magazine) }
    }

    /// Takes the first block of a fresh magazine and loads the rest.
    ///
    /// # Safety
    /// This is the calling thread's cache, whose bin of the magazine's class is empty, and the blocks are its own.
    unsafe fn accept(&self, mut magazine: Magazine) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        let block = unsafe { magazine.pop() }?;
        let class = magazine.class;
        if magazine.count > 0 {
            let bin = self.bin(class);
            // One that another thread filled may be larger than what was granted here: that counts as well.
            let more = 2 * magazine.count.saturating_sub(bin.cap() as usize) * class::chunk_size(class);
            self.granted.store(self.granted.load(Ordering::Relaxed) + more, Ordering::Relaxed);
            bin.load(magazine);
        }
        // SAFETY: the block is ours.
        unsafe { Node::set_key(Node::of(block), 0) };
        Some(block)
    }

    /// The blocks to ask for: more each time, as far as the thread's budget goes.
    pub(super) fn widen<B: Backend>(&self, instance: &Instance<B>, class: usize) -> u32 {
        let bin = self.bin(class);
        if bin.cap() == 0 && !self.is_wanted(class) {
            return 1;
        }
        let flushed = self.spare(class).flushed.swap(0, Ordering::Relaxed) != 0;
        let cap = bin.cap();
        let wider = if cap == 0 { budget::first(class) } else { budget::next(class, cap, flushed) };
        self.grant(instance, bin, class, wider)
    }

    /// Raises a bin's capacity to `wider`, if the thread's budget allows. Returns the blocks that a magazine may hold now, or one
    /// if that is none.
    pub(super) fn grant<B: Backend>(
        &self,
        instance: &Instance<B>,
        bin: &Bin,
        class: usize,
        wider: u32,
    ) -> u32 {
        let cap = bin.cap();
        // Loaded and spare.
        let more = 2 * (wider - cap) as usize * class::chunk_size(class);
        let granted = self.granted.load(Ordering::Relaxed);
        let budget = budget::of_thread(
            self.footprint.load(Ordering::Relaxed),
            // Relaxed: a number of its own.
            self.arena().attached_threads.load(Ordering::Relaxed),
            instance.source.config.tcache_bytes,
        );
        // The second half is for small blocks.
        let budget = if class >= class::FIRST_MEDIUM { budget / 2 } else { budget };
        if wider > cap && granted + more <= budget {
            self.granted.store(granted + more, Ordering::Relaxed);
            bin.set_cap(wider);
        }
        bin.cap().max(1)
    }
}

/// Blocks of a small class that glibc's thread cache keeps: none beyond `tcache_max`.
pub(super) fn kept<B: Backend>(instance: &Instance<B>, class: usize) -> u32 {
    let config = &instance.source.config;
    if class::chunk_size(class) <= size::chunk_size(config.tcache_max).unwrap_or(usize::MAX) {
        slots(config.era)
    } else {
        0
    }
}

/// Blocks of a size that glibc's thread cache keeps.
pub(super) fn slots(era: Era) -> u32 {
    match era {
        Era::Classic => 7,
        Era::Modern | Era::Ours => 16,
    }
}
