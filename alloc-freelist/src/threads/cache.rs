//! The cache of one thread for one heap: lists of freed blocks, one for each class.
//!
//! ```text
//!   word ──► Cache { id, busy, claimed | bins: { head, count, limit } ... }
//!                                               │
//!                                               └► block ─► block ─► block     (through their first words)
//! ```
//!
//! # Who may touch the bins
//!
//! The **owner**, while `busy` is set and it then found `claimed` clear; and whoever **claimed** the cache, holding its
//! heap's `claims` lock, from when it found `busy` clear until it clears `claimed`. Both write their own word and then
//! read the other's, with a [fence] in between of which the owner's side is only the compiler's: so each
//! request costs the owner two plain stores and a load more than if it were alone, and still every block can be counted,
//! shown and taken back from outside, at any moment, whatever the owner does. An owner that finds its cache claimed goes
//! to the heap itself.
//!
//! Caches are mapped once and never unmapped: whoever remembers one may look at its `id` at any time.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, compiler_fence};

use alloc_core::arith::is_aligned;
use alloc_core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::class::CLASSES;
use super::fence;

/// The number of no heap, for caches. Heaps that have not drawn a number yet have 0.
pub(super) const NOBODY: u64 = u64::MAX;

/// Blocks of one class.
pub(super) struct Bin {
    pub(super) head: Cell<Option<NonNull<u8>>>,
    pub(super) count: Cell<u32>,
    /// Blocks that the list may hold. What all limits allow together comes out of `spare`.
    pub(super) limit: Cell<u32>,
}

/// Whose a cache is. Changes with the lock of `pool` held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum State {
    /// A thread's.
    Owned,
    /// Its thread has ended; the blocks in it are still the heap's.
    Orphan,
    /// Nobody's, and empty.
    Pooled,
}

/// The cache of one thread for one heap.
#[repr(C, align(128))]
pub(super) struct Cache {
    /// The heap whose blocks these are.
    pub(super) id: AtomicU64,
    busy: AtomicU32,
    claimed: AtomicU32,
    /// The next cache of the same thread, which alone follows it; in the pool, the next one there.
    pub(super) next: Cell<Option<&'static Cache>>,
    /// Bytes that limits may still be raised by.
    pub(super) spare: Cell<usize>,
    /// The class whose limit was lowered last for another one's sake.
    pub(super) hand: Cell<usize>,
    /// The next one of all caches of the process. Written before the cache is on that list.
    pub(super) next_of_all: AtomicPtr<Cache>,
    state: AtomicU32,
    pub(super) bins: [Bin; CLASSES],
}

// SAFETY: cells are touched by the owner or a claimer, see the module's page, or, outside of use, with the pool's lock held;
// everything else is atomic.
unsafe impl Sync for Cache {}

/// What a thread that has no caches, and gets none, has for one: no heap's.
pub(super) static ENDED: Cache = Cache::new();

/// The heap or another looker has the cache.
const CLAIMED: u32 = 1;
/// The owner has to fence. Set when the cache is made, and never cleared.
const FENCED: u32 = 2;

/// How often a claimer looks whether the owner is done, giving up its turn in between. The owner may wait for the heap's
/// lock, or for pages; it is not there at all in the child of a fork.
const PATIENCE: u32 = if cfg!(test) { 1_000 } else { 100_000 };
const SPINS: u32 = 100;

/// Blocks of a list that are looked at for one that lies well.
const LOOK: usize = 8;

impl Cache {
    pub(super) const fn new() -> Self {
        Self {
            id: AtomicU64::new(NOBODY),
            busy: AtomicU32::new(0),
            claimed: AtomicU32::new(0),
            next: Cell::new(None),
            spare: Cell::new(0),
            hand: Cell::new(0),
            next_of_all: AtomicPtr::new(core::ptr::null_mut()),
            state: AtomicU32::new(State::Pooled as u32),
            bins: [const { Bin { head: Cell::new(None), count: Cell::new(0), limit: Cell::new(0) } };
                CLASSES],
        }
    }

    /// Has the owner fence where the kernel does not do that for it. Before anybody else knows the cache.
    pub(super) fn choose_fence(&self) {
        let word = if fence::is_one_sided() { 0 } else { FENCED };
        // Relaxed: whoever gets to know the cache does so by a lock or a release.
        self.claimed.store(word, Ordering::Relaxed);
    }

    /// The owner, or who will be, or the pool's lock, says whose it is.
    pub(super) fn set_state(&self, state: State) {
        // Relaxed: read and written with the pool's lock held, but for guesses.
        self.state.store(state as u32, Ordering::Relaxed);
    }

    /// The number of the heap whose blocks these are.
    pub(super) fn id(&self) -> u64 {
        // Relaxed: for the owner, who gave it.
        self.id.load(Ordering::Relaxed)
    }

    pub(super) fn is(&self, state: State) -> bool {
        // Relaxed: as in `set_state`.
        self.state.load(Ordering::Relaxed) == state as u32
    }

    /// Begins a request of the owner's. Whether the bins are its own until [`leave`](Self::leave); otherwise the cache is
    /// claimed.
    #[inline(always)]
    pub(super) fn enter(&self) -> bool {
        // Relaxed: ordered by the claimer's fence, which stands in every running thread; here the compiler keeps the order.
        self.busy.store(1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        #[cfg(test)]
        super::steps::reach(super::steps::Place::Entering);
        // Acquire: what the last claimer did to the bins is seen.
        if self.claimed.load(Ordering::Acquire) == 0 { true } else { self.enter_fenced() }
    }

    #[cold]
    #[inline(never)]
    fn enter_fenced(&self) -> bool {
        if self.claimed.load(Ordering::Relaxed) & CLAIMED == 0 {
            core::sync::atomic::fence(Ordering::SeqCst);
            // Acquire: as in `enter`.
            if self.claimed.load(Ordering::Acquire) & CLAIMED == 0 {
                return true;
            }
        }
        self.leave();
        false
    }

    /// Ends a request of the owner's.
    #[inline(always)]
    pub(super) fn leave(&self) {
        // Release: what was done to the bins is seen by the claimer that finds the word clear.
        self.busy.store(0, Ordering::Release);
        #[cfg(test)]
        super::steps::reach(super::steps::Place::Left);
    }

    /// Announces a claim. A [`fence::heavy`] and [`await_owner`](Self::await_owner) must follow.
    pub(super) fn claim(&self) {
        // Relaxed: the fence that follows orders it.
        self.claimed.fetch_or(CLAIMED, Ordering::Relaxed);
    }

    /// Waits until the owner is out. Gives the claim up where that takes too long.
    pub(super) fn await_owner(&self) {
        for look in 0..PATIENCE {
            // Acquire: see `leave`.
            if self.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            if look < SPINS {
                core::hint::spin_loop();
            } else {
                // SAFETY: gives up the calling thread's turn, and cannot fail.
                unsafe { libc::sched_yield() };
            }
        }
        self.unclaim();
    }

    pub(super) fn is_claimed(&self) -> bool {
        // Relaxed: asked by the claimer itself.
        self.claimed.load(Ordering::Relaxed) & CLAIMED != 0
    }

    /// Ends a claim.
    pub(super) fn unclaim(&self) {
        // Release: what was done to the bins is seen by the owner that finds the word clear.
        self.claimed.fetch_and(!CLAIMED, Ordering::Release);
    }

    #[inline(always)]
    pub(super) fn bin(&self, class: usize) -> &Bin {
        &self.bins[class % CLASSES]
    }

    /// Forgets every block, and all limits. `budget` bytes may be cached from now on.
    pub(super) fn start(&self, budget: usize) {
        for bin in &self.bins {
            bin.head.set(None);
            bin.count.set(0);
            bin.limit.set(0);
        }
        self.spare.set(budget);
        self.hand.set(0);
    }
}

impl Bin {
    /// Takes the block that came last.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<NonNull<u8>> {
        let block = self.head.get()?;
        // SAFETY: blocks on the list were linked by `push`.
        self.head.set(unsafe { next(block) });
        self.count.set(self.count.get() - 1);
        Some(block)
    }

    /// Takes a block that lies at a multiple of `align`, if one is among the few that came last.
    pub(super) fn pop_aligned(&self, align: usize) -> Option<NonNull<u8>> {
        let mut before: Option<NonNull<u8>> = None;
        let mut at = self.head.get();
        for _ in 0..LOOK {
            let block = at?;
            // SAFETY: blocks on the list were linked by `push`.
            let after = unsafe { next(block) };
            if is_aligned(block.addr().get(), align) {
                match before {
                    // SAFETY: a block on the list, whose first word is its link.
                    Some(before) => unsafe { before.cast::<Option<NonNull<u8>>>().write(after) },
                    None => self.head.set(after),
                }
                self.count.set(self.count.get() - 1);
                return Some(block);
            }
            (before, at) = (Some(block), after);
        }
        None
    }

    /// Adds a block, whatever the limit.
    ///
    /// # Safety
    /// The block is nobody's but the caller's, has at least 8 bytes, and is aligned to 8.
    #[inline(always)]
    pub(super) unsafe fn push(&self, block: NonNull<u8>) {
        // SAFETY: room for a pointer, as the caller promises.
        unsafe { block.cast::<Option<NonNull<u8>>>().write(self.head.get()) };
        self.head.set(Some(block));
        self.count.set(self.count.get() + 1);
    }

    /// Cuts all but the `keep` blocks off that came last. Answers with the first of the others.
    pub(super) fn cut(&self, keep: u32) -> Option<NonNull<u8>> {
        if keep >= self.count.get() {
            return None;
        }
        self.count.set(keep);
        if keep == 0 {
            return self.head.take();
        }
        let mut last = self.head.get()?;
        for _ in 1..keep {
            // SAFETY: a block on the list.
            last = unsafe { next(last) }?;
        }
        // SAFETY: a block on the list.
        let rest = unsafe { next(last) };
        // SAFETY: as above; the list ends here from now on.
        unsafe { last.cast::<Option<NonNull<u8>>>().write(None) };
        rest
    }
}

/// The block after one on a list.
///
/// # Safety
/// The block was linked by [`Bin::push`] and is still on the list.
#[inline(always)]
pub(super) unsafe fn next(block: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: the caller's promise.
    unsafe { block.cast::<Option<NonNull<u8>>>().read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_behind_what_came_last() {
        let mut blocks = [[0_u64; 2]; 5];
        let places: std::vec::Vec<NonNull<u8>> =
            blocks.iter_mut().map(|block| NonNull::from(block).cast()).collect();
        let cache = std::boxed::Box::new(Cache::new());
        let bin = cache.bin(3);
        for &place in &places {
            // SAFETY: 16 bytes of the test's own.
            unsafe { bin.push(place) };
        }
        assert_eq!(bin.cut(5), None);
        assert_eq!(bin.cut(2), Some(places[2]), "the third last");
        assert_eq!(
            (bin.count.get(), bin.pop(), bin.pop(), bin.pop()),
            (2, Some(places[4]), Some(places[3]), None)
        );
        // SAFETY: as above.
        unsafe { bin.push(places[0]) };
        assert_eq!((bin.cut(0), bin.count.get(), bin.pop()), (Some(places[0]), 0, None));
    }

    #[test]
    fn the_first_few_blocks_are_looked_at_for_one_that_lies_well() {
        #[repr(align(64))]
        struct Blocks([[u64; 4]; 20]);

        let mut blocks = Blocks([[0; 4]; 20]);
        // Every second one lies well.
        let places: std::vec::Vec<NonNull<u8>> =
            blocks.0.iter_mut().map(|block| NonNull::from(block).cast()).collect();
        let cache = std::boxed::Box::new(Cache::new());
        let fill = |bin: &Bin, order: &[usize]| {
            for &place in order {
                // SAFETY: 32 bytes of the test's own, on one list at most.
                unsafe { bin.push(places[place]) };
            }
        };
        let (mixed, deep) = (cache.bin(2), cache.bin(3));
        assert_eq!(mixed.pop_aligned(64), None, "an empty list");
        fill(mixed, &[5, 0, 2, 1, 3]);
        assert_eq!((mixed.pop_aligned(64), mixed.pop_aligned(64)), (Some(places[2]), Some(places[0])));
        assert_eq!((mixed.pop_aligned(64), mixed.count.get()), (None, 3));
        assert_eq!(mixed.pop_aligned(32), Some(places[3]), "the uppermost one");
        assert_eq!((mixed.pop(), mixed.pop(), mixed.pop()), (Some(places[1]), Some(places[5]), None));
        fill(deep, &[4, 6, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!(deep.pop_aligned(64), Some(places[6]), "the eighth one");
        fill(deep, &[6, 1]);
        assert_eq!(deep.pop_aligned(64), Some(places[6]), "the second one");
        assert_eq!((deep.pop_aligned(64), deep.count.get()), (None, 9), "the ninth one is not looked at");
    }

    #[test]
    fn a_claimed_cache_lets_nobody_in() {
        let cache = std::boxed::Box::new(Cache::new());
        cache.choose_fence();
        for fenced in [false, true] {
            if fenced {
                cache.claimed.fetch_or(FENCED, Ordering::Relaxed);
            }
            assert!(cache.enter());
            cache.leave();
            cache.claim();
            fence::heavy();
            cache.await_owner();
            assert!(cache.is_claimed() && !cache.enter() && !cache.enter());
            assert_eq!(cache.busy.load(Ordering::Relaxed), 0, "a turned away owner is out");
            cache.unclaim();
            assert!(!cache.is_claimed() && cache.enter());
            cache.claim();
            cache.await_owner();
            assert!(!cache.is_claimed(), "an owner that never comes out is left alone");
            cache.leave();
        }
    }
}
