//! Where other threads leave magazines of an arena's blocks: one atomic operation each, and one to take them all.
//!
//! A stack after Treiber. Its owner never takes a single magazine but all of them, so that there is no ABA: a pusher only
//! ever links to what was on top, and whether that is still the same list does not matter.
//!
//! An arena whose threads are gone has no owner that comes and takes. There a sender does it himself, if he gets the lock; and
//! if not, whoever has it looks again when he has let go of it ([`help`](Inbox::help)):
//!
//! ```text
//!   sender                        holder of the lock
//!   push                          unlock
//!   fence                         fence
//!   lock taken? left to him       empty? nothing was left
//! ```
//!
//! Of the two fences one comes first, so that one of the two sees what the other did: nothing is left to nobody.

use core::ptr;

use alloc_core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

use crate::magazine::{self, Magazine, Node, Stack};

/// Magazines handed over and not yet taken.
#[derive(Debug)]
pub(crate) struct Inbox {
    head: AtomicPtr<Node>,
    bytes: AtomicUsize,
}

impl Inbox {
    /// An empty inbox.
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), bytes: AtomicUsize::new(0) }
    }

    /// Hands over a magazine of `bytes` in all. Returns the bytes that wait from now on, about.
    ///
    /// # Safety
    /// The magazine is not empty, its blocks are nobody else's, and of the inbox's arena unless they are small.
    pub(crate) unsafe fn push(&self, magazine: Magazine, bytes: usize) -> usize {
        // Relaxed: nothing is read through it; the exchange decides.
        let mut below = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller's promises are the callee's; until the exchange succeeds nobody else sees the magazine.
            let head = unsafe { magazine::seal(magazine, below) };
            // Release: what was written in the blocks, the label among it, is seen by whoever takes them.
            match self.head.compare_exchange_weak(below, head, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => below = now,
            }
        }
        // Relaxed: a guess for policy.
        let waiting = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // SeqCst: before looking whether there is somebody who takes it. Pairs with the one in `help`.
        fence(Ordering::SeqCst);
        waiting
    }

    /// Empties the inbox of an arena that no thread calls its own. `drain` takes the lock if that is free, puts away what waits,
    /// gives the lock back, and answers whether it had it. To be called after a push, and after every other use of the lock.
    pub(crate) fn help(&self, mut drain: impl FnMut() -> bool) {
        loop {
            // SeqCst: after the lock was let go. Pairs with the one in `push`.
            fence(Ordering::SeqCst);
            if self.is_empty() || !drain() {
                return;
            }
        }
    }

    /// Bytes that wait, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing waits, as far as can be told without taking it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes all that waits.
    pub(crate) fn take(&self) -> Stack {
        if self.is_empty() {
            return Stack::EMPTY;
        }
        // Acquire: pairs with the Release of every push on the list: an exchange continues the release sequence of those
        // below it.
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        self.bytes.store(0, Ordering::Relaxed);
        // SAFETY: the list was made by `push`, and the exchange made it ours alone.
        unsafe { Stack::from_raw(head) }
    }
}
