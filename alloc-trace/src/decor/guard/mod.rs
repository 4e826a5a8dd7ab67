//! Red zones, quarantine and guard pages around the blocks of any strategy.
//!
//! | switch | what it finds |
//! |---|---|
//! | red zones (always) | writes just before and behind a block, when it is freed or on a walk; double frees |
//! | [`quarantine`](Guard::quarantine) | writes to freed blocks, when their memory is about to be served again |
//! | [`pages_every`](Guard::pages_every) | every access past the end or after the free, where it happens, for one block in N |
//!
//! No thread waits for the quarantine: what is freed while another thread uses it, or the very thread that a signal handler
//! interrupted, is put aside for that one to take in, 64 blocks at most; beyond that, blocks are not held back. Handlers that
//! interrupt the table of pages are given no such block.
//!
//! # Not for
//!
//! * Production: each block costs 48 bytes more and two passes over them, and resizes always move.
//! * Reads out of bounds of ordinary blocks: only guard pages see those.

mod fault;
mod frame;
mod quarantine;
mod slots;
mod strategy;
mod walk;

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use alloc_core::{Misuse, OnMisuse, Ownership, SizedBlocks, Strategy};

pub use fault::Fault;
use frame::{Guarded, Life};
use quarantine::{Quarantine, Waiting};
use slots::Slots;

use crate::owned::Owned;

/// Guards the blocks of a strategy. See the [module](self).
///
/// ```
/// use alloc_core::{Libc, Strategy};
/// use alloc_trace::Guard;
/// use std::alloc::Layout;
///
/// let heap = Guard::sized(Libc).quarantine(1 << 20);
/// let layout = Layout::new::<[u8; 100]>();
/// let block = heap.allocate(layout).unwrap();
/// // Writing to block + 100 would stop the program at this line:
/// // SAFETY: the block came from `heap`, with this layout.
/// unsafe { heap.deallocate(block, layout) };
/// ```
pub struct Guard<S: Strategy> {
    inner: S,
    /// The inner strategy shows each block by itself.
    blocks: bool,
    then: OnMisuse,
    witness: Option<fn(usize)>,
    budget: usize,
    every: u32,
    tick: AtomicU64,
    live: AtomicUsize,
    live_blocks: AtomicUsize,
    faults: AtomicU64,
    held: Owned<Quarantine>,
    waiting: Waiting,
    slots: Slots,
}

impl<S: Strategy> Guard<S> {
    /// Guards a strategy that shows only extents to a walk (`bump`).
    #[must_use]
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            blocks: false,
            then: OnMisuse::Abort,
            witness: None,
            budget: 0,
            every: 0,
            tick: AtomicU64::new(0),
            live: AtomicUsize::new(0),
            live_blocks: AtomicUsize::new(0),
            faults: AtomicU64::new(0),
            held: Owned::new(Quarantine::new()),
            waiting: Waiting::new(),
            slots: Slots::new(),
        }
    }

    /// Holds back up to `bytes` of freed blocks, and at most 8192 of them. Blocks larger than a quarter of that are not
    /// held back. 0, the default: none are.
    #[must_use]
    pub const fn quarantine(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// Puts one block in `every` onto pages of its own. 0, the default: none.
    #[must_use]
    pub const fn pages_every(mut self, every: u32) -> Self {
        self.every = every;
        self
    }

    /// What follows the message about a fault. A faulty block is never given back to the inner strategy.
    #[must_use]
    pub const fn on_fault(mut self, then: OnMisuse) -> Self {
        self.then = then;
        self
    }

    /// What is called with the address of a fault, after its message and before what follows: to tell more of it. It is called
    /// where the guard may hold a lock, and must not ask the guard for blocks or figures.
    #[must_use]
    pub const fn witness(mut self, witness: fn(usize)) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Holds the guard's locks until [`after_fork`](Self::after_fork), so that the child of a fork finds the guard whole. Before
    /// the inner strategy's locks are held.
    pub fn before_fork(&self) {
        self.held.try_before_fork();
        self.slots.before_fork();
    }

    /// Gives the locks back, in the parent and in the child.
    ///
    /// # Safety
    /// The calling thread called [`before_fork`](Self::before_fork), once, or is its copy in the child.
    pub unsafe fn after_fork(&self) {
        // SAFETY: held by `before_fork`, as the caller promises.
        unsafe { self.slots.after_fork() };
        // SAFETY: as above.
        unsafe { self.held.after_fork() };
    }

    /// The strategy behind it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Faults found so far.
    pub fn faults(&self) -> u64 {
        // Relaxed, as all figures here: they order no other memory.
        self.faults.load(Ordering::Relaxed)
    }

    /// Checks all freed blocks that are held back, and gives them to the inner strategy. Not while another thread, or one that a
    /// signal handler interrupted, takes some in or out.
    pub fn drain(&self) {
        let Some(mut held) = self.held.try_enter() else { return };
        self.take_waiting(&mut held);
        while self.evict(&mut held) {}
    }

    /// Puts a freed block into the quarantine, and takes out those that have no room beside it.
    ///
    /// # Safety
    /// `guarded` was freed and filled, and nobody else gives it back.
    unsafe fn hold(&self, held: &mut Quarantine, guarded: &Guarded) {
        while !held.has_room(guarded.size, self.budget) && self.evict(held) {}
        if !held.push(guarded.user, guarded.size) {
            // SAFETY: the caller's promise; it is not held back for want of memory.
            unsafe { self.release(guarded) };
        }
    }

    /// Takes in what handlers freed.
    fn take_waiting(&self, held: &mut Quarantine) {
        for user in self.waiting.take() {
            // SAFETY: blocks that wait are live for the inner strategy; their headers lie before them.
            match unsafe { Guarded::read(user) } {
                // SAFETY: freed and filled before it was put there, and taken out once.
                Some(guarded) => unsafe { self.hold(held, &guarded) },
                None => self.fault(Fault::Misuse(Misuse::CorruptedHeader), user.addr().get()),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn fault(&self, fault: Fault, address: usize) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        fault.line(self.inner.name(), address).emit();
        if let Some(witness) = self.witness {
            witness(address);
        }
        if self.then == OnMisuse::Abort {
            alloc_core::misuse::abort();
        }
    }

    /// Gives the block that was held back longest to the inner strategy. Whether there was one.
    fn evict(&self, held: &mut Quarantine) -> bool {
        let Some(user) = held.first() else { return false };
        // SAFETY: blocks in the quarantine are still live for the inner strategy; their headers lie before them.
        let Some(guarded) = (unsafe { Guarded::read(user) }) else {
            // Its size is lost with its header: the bytes stay counted, and the block is left alone.
            held.pop(0);
            self.fault(Fault::Misuse(Misuse::CorruptedHeader), user.addr().get());
            return true;
        };
        held.pop(guarded.size);
        if !guarded.is_filled() {
            self.fault(Fault::WriteAfterFree, user.addr().get());
        } else if let Err(fault) = guarded.canaries() {
            self.fault(fault, user.addr().get());
        } else {
            // SAFETY: the block was freed, found whole, and left the quarantine.
            unsafe { self.release(&guarded) };
        }
        true
    }

    /// # Safety
    /// `guarded` was freed, and nobody else gives it back.
    unsafe fn release(&self, guarded: &Guarded) {
        guarded.erase();
        let (block, layout) = guarded.inner();
        // SAFETY: the inner strategy handed this block out for this layout, and the caller gives it up.
        unsafe { self.inner.deallocate(block, layout) };
    }

    /// The guarded block at `user`, if it is live and whole; otherwise the fault was told.
    fn live(&self, user: NonNull<u8>) -> Option<Guarded> {
        let address = user.addr().get();
        if self.inner.owns(user) == Ownership::NotMine {
            self.fault(Fault::Misuse(Misuse::ForeignPointer), address);
            return None;
        }
        if !address.is_multiple_of(16) {
            self.fault(Fault::Misuse(Misuse::MisalignedPointer), address);
            return None;
        }
        // SAFETY: a block of the inner strategy, so that memory is before it too; or a mistake of the caller's, whose
        // promise then is broken.
        match unsafe { Guarded::read(user) } {
            None => self.fault(Fault::Misuse(Misuse::CorruptedHeader), address),
            Some(guarded) if guarded.life == Life::Freed => {
                self.fault(Fault::Misuse(Misuse::DoubleFree), address);
            }
            Some(guarded) => match guarded.canaries() {
                Ok(()) => return Some(guarded),
                Err(fault) => self.fault(fault, address),
            },
        }
        None
    }

    /// Frees the block at `user`; with `size`, as one of that size.
    ///
    /// # Safety
    /// `user` is a live block of this guard's, or a mistake that it shall find.
    unsafe fn give_back(&self, user: NonNull<u8>, size: Option<usize>) {
        if self.slots.contains(user.addr().get()) {
            match self.slots.free(user) {
                Ok(()) => {}
                Err(misuse) => self.fault(Fault::Misuse(misuse), user.addr().get()),
            }
            return;
        }
        let Some(guarded) = self.live(user) else { return };
        if size.is_some_and(|size| size != guarded.size) {
            return self.fault(Fault::Misuse(Misuse::LayoutMismatch), user.addr().get());
        }
        let hold = self.budget > 0 && guarded.size <= self.budget / 4;
        if hold {
            // Before the seal says that it is: a walk compares.
            guarded.fill();
        }
        if !guarded.free(hold) {
            return self.fault(Fault::Misuse(Misuse::DoubleFree), user.addr().get());
        }
        self.live.fetch_sub(guarded.size, Ordering::Relaxed);
        self.live_blocks.fetch_sub(1, Ordering::Relaxed);
        if !hold {
            // SAFETY: freed above.
            return unsafe { self.release(&guarded) };
        }
        // Whoever has the quarantine gives blocks to the inner strategy, and may wait for its lock, which this thread may have
        // if it is a handler's.
        match self.held.try_enter() {
            Some(mut held) => {
                // SAFETY: freed and filled above.
                unsafe { self.hold(&mut held, &guarded) };
                self.take_waiting(&mut held);
            }
            None if self.waiting.push(user) => {}
            // SAFETY: freed above, and not held back for want of a place.
            None => unsafe { self.release(&guarded) },
        }
    }
}

impl<S: SizedBlocks> Guard<S> {
    /// Guards a strategy that knows its blocks, and shows each of them to a walk.
    #[must_use]
    pub const fn sized(inner: S) -> Self {
        let mut guard = Self::new(inner);
        guard.blocks = true;
        guard
    }
}

impl<S: Strategy> Drop for Guard<S> {
    fn drop(&mut self) {
        // The inner strategy may be borrowed and live on.
        self.drain();
    }
}

impl<S: Strategy> fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("strategy", &self.inner.name())
            .field("faults", &self.faults())
            .finish_non_exhaustive()
    }
}
