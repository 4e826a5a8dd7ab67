//! Batches between a thread's cache and the heap.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, Strategy};

use super::cache::{Bin, Cache};
use super::class::{CLASSES, batch, most, size_of_class};
use super::{SyncFreeList, pool};
use crate::config::Config;
use crate::header::Header;
use crate::lock::Held;
use crate::zone::bytes;

impl<C: Config, B: Backend, W: Backend> SyncFreeList<C, B, W> {
    /// A block of a class whose list is empty, or for a thread that has not come to this heap last.
    #[cold]
    #[inline(never)]
    pub(super) fn take_slow(&self, class: usize, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let taken = self.cache().and_then(|cache| {
            if pool::may_have_orphans(cache.id()) {
                self.bury_orphans();
            }
            if !cache.enter() {
                return None;
            }
            let taken = cache.bin(class).pop().or_else(|| self.refill(cache, class));
            if let Some(block) = taken {
                // Before others may look, as in `take`.
                // SAFETY: a block of a cache is of this heap, and held by nobody.
                unsafe { C::Header::note_used(block) };
            }
            cache.leave();
            taken
        });
        match taken {
            Some(block) => Ok(block),
            None => self.list.allocate(layout).or_else(|_| self.reclaim(layout)),
        }
    }

    /// Takes a batch from the heap, as far as that goes without more memory. The owner's own cache, entered.
    fn refill(&self, cache: &Cache, class: usize) -> Option<NonNull<u8>> {
        let bin = cache.bin(class);
        let wanted = batch(bytes::<C>(size_of_class(class)));
        if bin.limit.get() < wanted {
            self.raise(cache, class, wanted);
        }
        // One more than the list may hold: that one is handed out.
        let wanted = wanted.min(bin.limit.get() + 1);
        let size = size_of_class(class);
        {
            let _held = Held::acquire(&self.list.lock);
            self.list.heap.take_batch(size, wanted, &mut |block| {
                // SAFETY: a block of ours, which nobody has; it has 16 bytes less a header of at most 8, and is aligned.
                unsafe { C::Header::note_cached(block) };
                // SAFETY: as above.
                unsafe { bin.push(block) };
            });
        }
        bin.pop()
    }

    /// Gives a block back whose list is full, or by a thread that has not come to this heap last.
    ///
    /// # Safety
    /// `block` is of this class, and given up by its holder.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn give_slow(&self, class: usize, block: NonNull<u8>) {
        let given = self.cache().is_some_and(|cache| {
            if pool::may_have_orphans(cache.id()) {
                self.bury_orphans();
            }
            if !cache.enter() {
                return false;
            }
            let bin = cache.bin(class);
            if bin.count.get() >= bin.limit.get() {
                self.make_room(cache, class);
            }
            let fits = bin.count.get() < bin.limit.get();
            if fits {
                // SAFETY: the caller gives the block up.
                unsafe { C::Header::note_cached(block) };
                // SAFETY: as above; it has 16 bytes less a header of at most 8, and is aligned.
                unsafe { bin.push(block) };
            }
            cache.leave();
            fits
        });
        if !given {
            let _held = Held::acquire(&self.list.lock);
            self.list.heap.give_back(block, size_of_class(class));
        }
    }

    /// Lets a full list hold more, or gives a part of it to the heap. The owner's own cache, entered.
    fn make_room(&self, cache: &Cache, class: usize) {
        let bin = cache.bin(class);
        let limit = bin.limit.get();
        let wanted = limit
            .max(batch(bytes::<C>(size_of_class(class))))
            .saturating_mul(2)
            .min(most(bytes::<C>(size_of_class(class))));
        if limit < wanted {
            self.raise(cache, class, wanted);
        }
        if bin.limit.get() == limit {
            let leave = (batch(bytes::<C>(size_of_class(class))) * 2).min(limit.div_ceil(2));
            self.flush(bin, class, limit - leave);
        }
    }

    /// Raises a list's limit to `wanted`, or as far as the budget and one other list allow.
    ///
    /// Only one gives way at a time: with more, lists that are all in use would be emptied for each other's sake all the time.
    fn raise(&self, cache: &Cache, class: usize, wanted: u32) {
        let bin = cache.bin(class);
        let size = bytes::<C>(size_of_class(class));
        if (wanted - bin.limit.get()) as usize * size > cache.spare.get() {
            let other = (cache.hand.get() + 1) % CLASSES;
            cache.hand.set(other);
            if other != class {
                self.lower(cache, other);
            }
        }
        let room = u32::try_from(cache.spare.get() / size).unwrap_or(u32::MAX);
        let more = (wanted - bin.limit.get()).min(room);
        bin.limit.set(bin.limit.get() + more);
        cache.spare.set(cache.spare.get() - more as usize * size);
    }

    /// Halves a list's limit.
    fn lower(&self, cache: &Cache, class: usize) {
        let bin = cache.bin(class);
        let limit = bin.limit.get();
        if limit == 0 {
            return;
        }
        self.flush(bin, class, limit / 2);
        bin.limit.set(limit / 2);
        cache.spare.set(cache.spare.get() + (limit - limit / 2) as usize * bytes::<C>(size_of_class(class)));
    }

    /// Gives all blocks of a list but the `keep` ones freed last to the heap.
    fn flush(&self, bin: &Bin, class: usize, keep: u32) {
        let blocks = bin.cut(keep);
        if blocks.is_some() {
            let _held = Held::acquire(&self.list.lock);
            self.give_list(blocks, size_of_class(class));
        }
    }
}
