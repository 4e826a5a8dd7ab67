//! Work that may wait for a lock, and the signal handlers that interrupt it.
//!
//! A handler that allocates while its own thread holds an arena would wait for itself. POSIX allows no handler to do so, but
//! programs do, and those with one thread get away with it under glibc, which locks nothing there. In the heap of a library
//! ([`LibrarySlot`](crate::LibrarySlot)) the thread therefore leaves a mark before it goes beyond its magazines: in its slot
//! is a cache that is empty and has no room, so that whoever interrupts it finds neither blocks nor room, comes here, and is
//! told.
//!
//! | a handler's call | while its thread is at work here |
//! |---|---|
//! | a request | fails; [`Ptmalloc::is_interrupted`] tells why, and the caller may find the block elsewhere |
//! | a free | waits in a list until a thread leaves |
//! | a resize | in place where the block has the room, else it fails and the block is kept |
//! | a question that needs a lock | is answered as unknown |
//!
//! A handler that interrupts the few instructions of a hit may still meet a magazine in the middle of a change, as under
//! glibc: it must give back whatever it takes before it returns.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicPtr, Ordering};

use crate::instance::Instance;
use crate::magazine::Node;
use crate::ptmalloc::Ptmalloc;
use crate::tcache::ThreadCache;
use crate::tcache::slot::{CacheRef, Slot};

/// The right to wait for locks, held by one call of a thread at a time.
pub(crate) struct Inside<'h, B: Backend, S: Slot> {
    heap: &'h Ptmalloc<B, S>,
    cache: Cell<CacheRef>,
}

/// Blocks that handlers gave back meanwhile, linked through their first words.
pub(crate) struct Postponed {
    head: AtomicPtr<Node>,
    /// Blocks are handed from thread to thread as they are when they are freed.
    blocks: PhantomData<*mut Node>,
}

// SAFETY: blocks on the list are nobody's; whoever takes the list takes all of it.
unsafe impl Send for Postponed {}
// SAFETY: as above.
unsafe impl Sync for Postponed {}

impl Postponed {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), blocks: PhantomData }
    }

    /// # Safety
    /// `block` is of this heap, and given up by its holder.
    unsafe fn push(&self, block: NonNull<u8>) {
        let node = Node::of(block);
        // Relaxed: the exchange decides.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the smallest block holds a node, and this one is ours from now on.
            unsafe { Node::set_next(node, head) };
            // Release: for the Acquire in `take`, since any thread may take the list.
            match self.head.compare_exchange(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    #[inline]
    fn is_empty(&self) -> bool {
        // Relaxed: a thread that misses a block leaves it to the next one.
        self.head.load(Ordering::Relaxed).is_null()
    }

    fn take(&self) -> *mut Node {
        self.head.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

impl fmt::Debug for Postponed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postponed").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// `None` where the calling thread is at work here already, and was interrupted.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Inside<'_, B, S>> {
        let cache = Cell::new(S::enter(self.id())?);
        Some(Inside { heap: self, cache })
    }

    /// Whether the calling thread is a signal handler's that interrupted this heap at work: requests fail until it returns.
    /// Always false in the heap of a program.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        S::is_inside()
    }

    /// Keeps a block of a handler's until a thread leaves.
    ///
    /// # Safety
    /// `block` is given up by its holder. Whether it is one of this heap's is found out then.
    #[cold]
    pub(crate) unsafe fn postpone(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promise; what is not a block of ours can be written to as little as it can be freed.
        unsafe { self.postponed().push(block) };
    }

    #[cold]
    #[inline(never)]
    fn free_postponed(&self) {
        let mut next = NonNull::new(self.postponed().take());
        while let Some(node) = next {
            // SAFETY: pushed as a node, and on the list once.
            next = NonNull::new(unsafe { Node::next(node.as_ptr()) });
            // SAFETY: given up by its holder.
            unsafe { self.free_block(node.cast()) };
        }
    }
}

impl<B: Backend, S: Slot> Inside<'_, B, S> {
    /// The calling thread's cache for `instance`, opened if need be.
    #[inline]
    pub(crate) fn cache(&self, instance: &Instance<B>) -> Option<&'static ThreadCache> {
        let found = self.cache.get();
        if found.0.is_real() { Some(found.0) } else { self.opened(instance) }
    }

    #[cold]
    fn opened(&self, instance: &Instance<B>) -> Option<&'static ThreadCache> {
        let cache = instance.cache::<S>(self.cache.get());
        // A cache that was opened is in the slot, with the mark gone: what else is called there may allocate.
        if let Some(now) = S::enter(self.heap.id()) {
            self.cache.set(now);
        }
        cache
    }
}

impl<B: Backend, S: Slot> Drop for Inside<'_, B, S> {
    #[inline]
    fn drop(&mut self) {
        S::leave(self.cache.get());
        if S::INTERRUPTIBLE && !self.heap.postponed().is_empty() {
            self.heap.free_postponed();
        }
    }
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise holds for all of a block")]
mod tests {
    use super::*;
    use core::alloc::Layout;
    use core::sync::atomic::AtomicUsize;

    use alloc_core::backend::PagesBackend;
    use alloc_core::os::unix::Os;
    use alloc_core::{Inspect, Ownership, SizedBlocks, Stats, Strategy, Walked};

    use crate::config::{Config, Era};
    use crate::tcache::slot::LibrarySlot;
    use crate::tune::TuneError;

    type Heap = Ptmalloc<PagesBackend<Os>, LibrarySlot>;

    static ELSEWHERE: [u64; 2] = [0; 2];
    static TAKEN_BACK: AtomicUsize = AtomicUsize::new(0);

    unsafe fn take_back(block: NonNull<u8>) -> bool {
        let known = block.cast() == NonNull::from(&ELSEWHERE);
        TAKEN_BACK.fetch_add(usize::from(known), Ordering::Relaxed);
        known
    }

    // SAFETY: the only one of this process, and a static.
    static HEAP: Heap = unsafe { Heap::for_library(Config::new(Era::Ours), take_back) };

    fn live() -> u64 {
        HEAP.stats().live_blocks.get().unwrap()
    }

    /// What a signal handler sees: it runs while its thread is inside. One test, since there is one such heap.
    #[test]
    fn who_interrupts_the_heap_is_told_and_never_waits() {
        let small = HEAP.malloc(100).unwrap();
        let large = HEAP.malloc(40 << 20).unwrap();
        let kept = HEAP.malloc(40).unwrap();
        let aligned = Layout::from_size_align(100, 256).unwrap();
        let on_line = HEAP.allocate(aligned).unwrap();
        let before = live();
        assert!(!HEAP.is_interrupted());
        {
            let _inside = HEAP.enter().expect("nobody is inside");
            assert!(HEAP.is_interrupted());
            for size in [0, 100, 2000, 100_000, 20 << 20] {
                assert!(HEAP.malloc(size).is_err(), "{size}");
                let layout = Layout::from_size_align(size, 64).unwrap();
                assert!(HEAP.allocate(layout).is_err(), "{size}, aligned");
                assert!(HEAP.allocate_zeroed(layout).is_err(), "{size}, zeroed");
            }
            // SAFETY: live blocks of the heap, freed once each.
            unsafe {
                assert_eq!(HEAP.reallocate(kept, 30).unwrap(), kept);
                assert!(HEAP.reallocate(kept, 4000).is_err());
                assert!(HEAP.reallocate(large, 30 << 20).is_err());
                assert!(HEAP.usable_size(kept) >= 40);
                assert_eq!(HEAP.usable_size(large), 0);
                HEAP.free(small);
                HEAP.free(large);
                HEAP.deallocate(on_line, aligned);
                HEAP.free(NonNull::from(&ELSEWHERE).cast());
            }
            assert_eq!(TAKEN_BACK.load(Ordering::Relaxed), 1);
            assert_eq!(HEAP.stats(), Stats::UNKNOWN);
            assert_eq!(HEAP.walk(&mut |_| core::ops::ControlFlow::Continue(())), Walked::Unsupported);
            assert_eq!(HEAP.owns(NonNull::from(&ELSEWHERE).cast()), Ownership::Unknown);
            assert_eq!(HEAP.trim(0), 0);
            HEAP.arenas(|_| panic!("an arena was locked"));
            assert_eq!(HEAP.set_arena_max(3), Err(TuneError::Interrupted));
            assert_eq!(HEAP.set_mxfast(64), Err(TuneError::Interrupted));
            assert_eq!(HEAP.set_perturb(7), Err(TuneError::Interrupted));
        }
        assert!(!HEAP.is_interrupted());
        assert_eq!(live(), before - 3, "frees were made up for");
        // SAFETY: live, and the heap's.
        unsafe { HEAP.free(kept) };
        HEAP.check().expect("a whole heap");
        std::thread::spawn(|| {
            let block = HEAP.malloc(10).unwrap();
            // SAFETY: live, and the heap's.
            unsafe { HEAP.free(block) };
        })
        .join()
        .unwrap();
        HEAP.check().expect("a whole heap");
    }
}
