//! One thread at a time, and nobody left waiting for himself: what a strategy without fork and signal handling of its own
//! needs under a whole process.
//!
//! | who comes in | what happens |
//! |---|---|
//! | a thread, nobody inside | it takes the lock and works on the heap |
//! | a thread, another inside | it waits |
//! | a signal handler that interrupted its own thread inside | blocks come from [`BESIDE`]; frees wait until the thread leaves; resizing fails |
//! | an atfork handler of the thread that forks | it works on the heap, which is whole and locked for it |

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use alloc_core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use alloc_core::sync::{Acquired, OwnerLock};
use alloc_core::{
    AllocError, Block, Field, Inspect, Ownership, Peek, SizedBlocks, Stats, Step, Strategy, Visit, Walked,
    move_block,
};

use crate::spare::{BESIDE, C_ALIGN};

/// `S` behind a lock that knows its holder.
#[derive(Debug)]
pub(crate) struct Gate<S> {
    lock: OwnerLock,
    /// The lock is held for a fork and nobody is at work inside. Read and written by the lock's holder alone; atomic for
    /// the sake of its signal handlers.
    parked: AtomicBool,
    /// Blocks that signal handlers gave back while the heap was at work, linked through their first words.
    postponed: AtomicPtr<Postponed>,
    inner: S,
}

#[derive(Debug)]
struct Postponed {
    next: *mut Postponed,
}

// SAFETY: the inner strategy is reached with the lock held alone, by one thread at a time.
unsafe impl<S: Send> Sync for Gate<S> {}

/// The right to use the inner strategy. Given back when dropped.
struct Inside<'g, S: SizedBlocks> {
    gate: &'g Gate<S>,
    acquired: Acquired,
}

impl<S: SizedBlocks> Gate<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self {
            lock: OwnerLock::new(),
            parked: AtomicBool::new(false),
            postponed: AtomicPtr::new(ptr::null_mut()),
            inner,
        }
    }

    /// `None` where the calling thread is inside already, and was interrupted there.
    #[inline]
    fn enter(&self) -> Option<Inside<'_, S>> {
        let acquired = self.lock.acquire();
        // Relaxed: the thread and its own signal handlers.
        if acquired == Acquired::Before && !self.parked.swap(false, Ordering::Relaxed) {
            return None;
        }
        Some(Inside { gate: self, acquired })
    }

    /// Locks the heap until [`after_fork`](Self::after_fork), so that the child finds it whole.
    pub(crate) fn before_fork(&self) {
        // A handler that forks where it interrupted the heap leaves it as it is: in both processes the interrupted work
        // is completed when the handler returns.
        if self.lock.acquire() == Acquired::Now {
            // Relaxed: as in `enter`.
            self.parked.store(true, Ordering::Relaxed);
        }
    }

    /// Opens the heap again, in the parent and in the child, where the thread that locked it is the only one.
    pub(crate) fn after_fork(&self) {
        // Relaxed: as in `enter`.
        if self.lock.acquire() == Acquired::Now || self.parked.swap(false, Ordering::Relaxed) {
            // SAFETY: taken just now, or by `before_fork` in this thread.
            unsafe { self.lock.release() };
        }
    }

    /// Keeps a block for the thread that was interrupted inside.
    ///
    /// # Safety
    /// The block is live, and of the inner strategy.
    unsafe fn postpone(&self, block: NonNull<u8>) {
        let entry = block.cast::<Postponed>();
        // Relaxed: handlers of the thread that will take the list, and other threads never come here.
        let mut first = self.postponed.load(Ordering::Relaxed);
        loop {
            // SAFETY: blocks have at least a word, by `clamped`, and it is given up by its holder.
            unsafe { entry.write(Postponed { next: first }) };
            // Relaxed: as above.
            match self.postponed.compare_exchange(first, entry.as_ptr(), Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }

    /// Gives back what handlers left. A handler that comes meanwhile leaves its blocks for the next time.
    #[cold]
    #[inline(never)]
    fn free_postponed(&self) {
        // Relaxed: as in `postpone`.
        let mut next = NonNull::new(self.postponed.swap(ptr::null_mut(), Ordering::Relaxed));
        while let Some(entry) = next {
            // SAFETY: written by `postpone`, and on the list once.
            next = NonNull::new(unsafe { entry.read() }.next);
            // SAFETY: a live block of the inner strategy that its holder gave up.
            unsafe { self.inner.free(entry.cast()) };
        }
    }
}

impl<S: SizedBlocks> core::ops::Deref for Inside<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.gate.inner
    }
}

impl<S: SizedBlocks> Drop for Inside<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // Relaxed: as in `postpone`.
        if !self.gate.postponed.load(Ordering::Relaxed).is_null() {
            self.gate.free_postponed();
        }
        match self.acquired {
            // SAFETY: taken by `enter`.
            Acquired::Now => unsafe { self.gate.lock.release() },
            // Relaxed: as in `enter`.
            Acquired::Before => self.gate.parked.store(true, Ordering::Relaxed),
        }
    }
}

/// The layout with room for the link of a postponed block.
#[inline]
fn clamped(layout: Layout) -> Result<Layout, AllocError> {
    let size = layout.size().max(size_of::<Postponed>());
    Layout::from_size_align(size, layout.align().max(align_of::<Postponed>())).map_err(|_| AllocError)
}

// SAFETY: blocks are those of the inner strategy, which one thread at a time works on, or of the spare region; the two do
// not overlap, and each goes back to where it came from. Nothing here unwinds.
unsafe impl<S: SizedBlocks> Strategy for Gate<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let layout = clamped(layout)?;
        match self.enter() {
            Some(inside) => inside.allocate(layout),
            None => BESIDE.allocate(layout),
        }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let layout = clamped(layout)?;
        match self.enter() {
            Some(inside) => inside.allocate_zeroed(layout),
            None => BESIDE.allocate_zeroed(layout),
        }
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the caller promises a live block of ours.
        unsafe { self.free(block) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if new.align() <= C_ALIGN {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.reallocate(block, new.size()) };
        }
        // SAFETY: as above.
        unsafe { move_block(self, block, old, new) }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.grow(block, old, new) }
    }
}

// SAFETY: as above; sizes are those of the strategy that a block is from.
unsafe impl<S: SizedBlocks> SizedBlocks for Gate<S> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        if BESIDE.owns(block) {
            // SAFETY: the caller promises a live block.
            return unsafe { BESIDE.free(block) };
        }
        match self.enter() {
            // SAFETY: the caller promises a live block, and it is not the spare region's.
            Some(inside) => unsafe { inside.free(block) },
            // SAFETY: as above.
            None => unsafe { self.postpone(block) },
        }
    }

    /// 0 for a handler that interrupted the heap, whose headers may be half written: no byte beyond what was asked for is
    /// promised then.
    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        if BESIDE.owns(block) {
            // SAFETY: the caller promises a live block.
            return unsafe { BESIDE.size(block) };
        }
        match self.enter() {
            // SAFETY: the caller promises a live block, and it is not the spare region's.
            Some(inside) => unsafe { inside.usable_size(block) },
            None => 0,
        }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        let new = Layout::from_size_align(new_size, C_ALIGN).map_err(|_| AllocError)?;
        let new = clamped(new)?;
        if BESIDE.owns(block) {
            // SAFETY: the caller promises a live block.
            return unsafe { BESIDE.replace(block, new_size, self.allocate(new)) };
        }
        match self.enter() {
            // SAFETY: the caller promises a live block, and it is not the spare region's.
            Some(inside) => unsafe { inside.reallocate(block, new.size()) },
            None => Err(AllocError),
        }
    }
}

impl<S: SizedBlocks> Inspect for Gate<S> {
    fn name(&self) -> &'static str {
        // No state of the heap's.
        self.inner.name()
    }

    fn stats(&self) -> Stats {
        self.enter().map_or(Stats::UNKNOWN, |inside| inside.stats())
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        self.enter().map_or(Walked::Unsupported, |inside| inside.walk(visit))
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        if BESIDE.owns(address) {
            return Ownership::Mine;
        }
        self.enter().map_or(Ownership::Unknown, |inside| inside.owns(address))
    }

    fn trim(&self, keep: usize) -> usize {
        self.enter().map_or(0, |inside| inside.trim(keep))
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        // No state of the heap's.
        self.inner.header(block, peek, show);
    }
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise holds for all of a block")]
mod tests {
    use super::*;
    use alloc_freelist::{PagesFreeList, Policy, fit, header};

    type Heap = PagesFreeList<Policy<fit::Good, header::Sized>>;

    fn gate() -> Gate<Heap> {
        Gate::new(Heap::with_policy())
    }

    fn take(gate: &Gate<Heap>, size: usize) -> NonNull<u8> {
        gate.allocate(Layout::from_size_align(size, 16).unwrap()).unwrap()
    }

    fn live(gate: &Gate<Heap>) -> u64 {
        gate.stats().live_blocks.get().unwrap()
    }

    /// What a signal handler sees: it runs while its thread is inside.
    #[test]
    fn who_interrupts_the_heap_is_served_without_it() {
        let gate = gate();
        let block = take(&gate, 100);
        let small = take(&gate, 0);
        assert_eq!(live(&gate), 2);

        let inside = gate.enter().expect("nobody is inside");
        let spare = take(&gate, 50);
        assert!(BESIDE.owns(spare));
        let zeroed = gate.allocate_zeroed(Layout::from_size_align(64, 64).unwrap()).unwrap();
        // SAFETY: 64 bytes of ours.
        assert!(unsafe { core::slice::from_raw_parts(zeroed.as_ptr(), 64) }.iter().all(|&byte| byte == 0));
        // SAFETY: live blocks of the gate, here and below.
        unsafe {
            assert!(gate.reallocate(block, 200).is_err());
            assert_eq!(gate.usable_size(block), 0);
            assert_eq!(gate.usable_size(spare), 50);
            let moved = gate.reallocate(spare, 500).unwrap();
            assert!(BESIDE.owns(moved));
            gate.free(moved);
            gate.free(zeroed);
            gate.free(block);
            gate.free(small);
        }
        assert_eq!(inside.stats().live_blocks.get(), Some(2), "frees wait");
        assert_eq!(gate.stats(), Stats::UNKNOWN);
        drop(inside);
        assert_eq!(live(&gate), 0, "and are made up for");
    }

    #[test]
    fn spare_blocks_move_to_the_heap_when_it_is_free_again() {
        let gate = gate();
        let inside = gate.enter().expect("nobody is inside");
        let spare = take(&gate, 50);
        drop(inside);
        // SAFETY: a live block of the gate, here and below.
        unsafe { spare.write_bytes(7, 50) };
        // SAFETY: as above.
        let moved = unsafe { gate.reallocate(spare, 60) }.unwrap();
        assert!(!BESIDE.owns(moved));
        // SAFETY: as above.
        assert!(unsafe { core::slice::from_raw_parts(moved.as_ptr(), 50) }.iter().all(|&byte| byte == 7));
        // SAFETY: as above.
        unsafe { gate.free(moved) };
        assert_eq!(live(&gate), 0);
    }

    #[test]
    fn the_heap_is_locked_for_a_fork_but_not_for_who_forks() {
        let gate = gate();
        gate.before_fork();
        let block = take(&gate, 100);
        assert!(!BESIDE.owns(block), "handlers of the forking thread use the heap");
        {
            let _inside = gate.enter().expect("the forking thread may enter");
            assert!(BESIDE.owns(take(&gate, 10)), "but nobody who interrupts it there");
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let gate = &gate;
            let other = scope.spawn(move || {
                let block = take(gate, 10);
                sender.send(()).unwrap();
                // SAFETY: live.
                unsafe { gate.free(block) };
            });
            let early = receiver.recv_timeout(std::time::Duration::from_millis(50));
            assert!(early.is_err(), "others wait");
            gate.after_fork();
            receiver.recv().unwrap();
            other.join().unwrap();
        });
        // SAFETY: live.
        unsafe { gate.free(block) };
        assert_eq!(live(&gate), 0);
    }

    #[test]
    fn a_fork_from_within_leaves_the_heap_to_the_interrupted() {
        let gate = gate();
        let inside = gate.enter().expect("nobody is inside");
        gate.before_fork();
        gate.after_fork();
        assert!(gate.enter().is_none(), "still at work");
        drop(inside);
        assert!(gate.enter().is_some());
    }

    #[test]
    fn layouts_of_any_alignment_grow_and_shrink() {
        let gate = gate();
        let layout = |size| Layout::from_size_align(size, 256).unwrap();
        let mut block = gate.allocate(layout(10)).unwrap();
        let mut old = 10;
        for new in [0, 1, 1000, 5, 70000, 300, 0] {
            // SAFETY: live, with the layout that it was last given; here and below.
            block = unsafe {
                if new >= old {
                    gate.grow(block, layout(old), layout(new))
                } else {
                    gate.shrink(block, layout(old), layout(new))
                }
            }
            .unwrap();
            assert!(block.addr().get().is_multiple_of(256));
            // SAFETY: as above.
            unsafe { block.write_bytes(1, new) };
            old = new;
        }
        // SAFETY: as above.
        unsafe { gate.deallocate(block, layout(old)) };
        assert_eq!(live(&gate), 0);
    }
}
