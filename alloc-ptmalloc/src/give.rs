//! Where a block goes that the loaded magazine has no room for, or that is looked at more closely first.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::Misuse;
use alloc_core::backend::Backend;

use crate::chunk::Chunk;
use crate::class::{self, MAX_CACHED};
use crate::config::Era;
use crate::heap;
use crate::magazine::Node;
use crate::ptmalloc::Ptmalloc;
use crate::size::{self, ALIGN};
use crate::tcache::ThreadCache;
use crate::tcache::slot::Slot;

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// A class without room in the loaded magazine. `at` is the class times 16: what the fast paths have in a register, and
    /// would have to keep another one for the class.
    ///
    /// # Safety
    /// `block` is in use, of a chunk of the class or larger, and given up by its holder.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn full(&self, at: usize, block: NonNull<u8>) {
        let class = at / ALIGN;
        let Some(inside) = self.enter() else {
            // SAFETY: given up by its holder.
            return unsafe { self.postpone(block) };
        };
        let Some(instance) = self.used() else {
            return self.foreign(block);
        };
        match inside.cache(instance) {
            // SAFETY: the calling thread's cache for this instance; the caller's promise.
            Some(cache) => unsafe { cache.overflow(instance, class, block) },
            // SAFETY: the caller's promise.
            None => unsafe { instance.give_back(block) },
        }
    }

    /// # Safety
    /// As for `Strategy::deallocate`.
    #[inline(never)]
    pub(crate) unsafe fn free_other(&self, block: NonNull<u8>, layout: Layout) {
        let request = layout.size();
        if layout.align() <= ALIGN && request <= MAX_CACHED && self.config().era == Era::Ours {
            let class = class::medium(request);
            // SAFETY: the calling thread's cache; a block that `layout` fits lies in a chunk of its class or larger.
            if !unsafe { self.here().push(class, block) } {
                // SAFETY: as above.
                unsafe { self.full(class * ALIGN, block) };
            }
        } else if request <= MAX_CACHED && self.config().era == Era::Ours && heap::holds(block.addr().get()) {
            let (class, align) = (class::of_request(request), layout.align());
            // SAFETY: the calling thread's cache; a block in a heap that `layout` fits lies in a chunk of its class or larger.
            if !unsafe { self.here().push_aligned(class, align, block) } {
                // SAFETY: as above.
                unsafe { self.full_aligned(class, align, block) };
            }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.free_beyond(block) };
        }
    }

    /// A class and alignment without room in its place.
    ///
    /// # Safety
    /// `block` is in use, of a chunk of `class` or larger in a heap, and given up by its holder.
    #[cold]
    #[inline(never)]
    unsafe fn full_aligned(&self, class: usize, align: usize, block: NonNull<u8>) {
        let Some(inside) = self.enter() else {
            // SAFETY: given up by its holder.
            return unsafe { self.postpone(block) };
        };
        match self.used().and_then(|instance| Some((instance, inside.cache(instance)?))) {
            // SAFETY: the calling thread's cache for this instance; the caller's promise.
            Some((instance, cache)) => unsafe { cache.make_room_aligned(instance, class, align, block) },
            None => {
                drop(inside);
                // SAFETY: the caller's promise.
                unsafe { self.free_beyond(block) };
            }
        }
    }

    /// Blocks that the first look at their header did not put in a magazine.
    ///
    /// # Safety
    /// As for [`free_block`](Self::free_block).
    #[inline(never)]
    pub(crate) unsafe fn free_beyond(&self, block: NonNull<u8>) {
        let address = block.addr().get();
        if let Some(take_back) = self.elsewhere()
            && !heap::holds(address)
            // SAFETY: whether it is one of theirs is what is asked; if it is, its holder gave it up.
            && unsafe { take_back(block) }
        {
            return;
        }
        let Some(inside) = self.enter() else {
            // SAFETY: given up by its holder.
            return unsafe { self.postpone(block) };
        };
        let Some(instance) = self.used() else {
            return self.foreign(block);
        };
        if address % ALIGN != 0 {
            return instance.source.misuse(Misuse::MisalignedPointer, block);
        }
        if !heap::holds(address) {
            // SAFETY: whether it is one of ours is what is asked; if it is, its holder gave it up.
            if !unsafe { instance.source.mapped.free(&instance.source, block) } {
                instance.source.misuse(Misuse::ForeignPointer, block);
            }
            return;
        }
        let Some(cache) = inside.cache(instance) else {
            // SAFETY: in a heap; the caller's promise.
            return unsafe { instance.give_back(block) };
        };
        // SAFETY: in a heap, hence the words before and of the block can be read.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: as above.
        let size = unsafe { chunk.size() };
        let class = class::of_chunk(size)
            .filter(|_| size < class::FIRST_MEDIUM * ALIGN || self.config().era == Era::Ours);
        // SAFETY: as above.
        let mark = unsafe { Node::key(Node::of(block)) };
        if mark == instance.source.key {
            let class = class.unwrap_or_default();
            // SAFETY: the calling thread's cache.
            let held = unsafe { cache.holds(class, block) };
            // SAFETY: as above.
            if held || unsafe { cache.holds_large(size, block) } || instance.keeps(class, block) {
                return instance.source.misuse(Misuse::DoubleFree, block);
            }
        }
        match class {
            Some(class) if class > class::TINY => {
                // SAFETY: the calling thread's cache; the chunk's own class; the caller's promise.
                if !unsafe { cache.push(class, block) } {
                    // SAFETY: as above.
                    unsafe { cache.overflow(instance, class, block) };
                }
            }
            // SAFETY: the calling thread's cache; the caller's promise.
            _ if unsafe { self.keep_large(cache, size, block) } => {}
            // SAFETY: in a heap; the caller's promise.
            _ => unsafe { instance.give_back(block) },
        }
    }

    /// A block is given back to a heap that never gave one.
    #[cold]
    fn foreign(&self, block: NonNull<u8>) {
        self.config().on_misuse.handle(Misuse::ForeignPointer, crate::source::NAME, block.addr().get());
    }

    /// Keeps a block whose chunk is of `size` in the thread cache, if it is one for [`large_hit`](Self::large_hit).
    ///
    /// # Safety
    /// As for `ThreadCache::push_large`.
    unsafe fn keep_large(&self, cache: &ThreadCache, size: usize, block: NonNull<u8>) -> bool {
        let limit = size::chunk_size(self.config().tcache_max).unwrap_or(usize::MAX);
        // SAFETY: the caller's promises are the callee's.
        self.config().era == Era::Modern && size <= limit && unsafe { cache.push_large(size, block) }
    }
}
