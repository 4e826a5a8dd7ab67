//! The thread cache: for each class a loaded magazine, from which blocks are taken and to which they are put back without
//! a lock, and a spare one.
//!
//! ```text
//!   malloc: pop ---+                         +--- push :free
//!                  v                         v
//!              +--------+   both full: flush the spare    +-------+   +-------+
//!   bins[c]    | loaded | ------------------------------> | depot |   | inbox |
//!              +--------+                                 | of my |   | of its|
//!   spares[c]  | spare  |   both empty: refill            | arena |   | arena |
//!              +--------+ <------------------------------ +-------+   +-------+
//! ```
//!
//! Two magazines instead of one list of twice the length (Bonwick and Adams 2001): whatever the program does at the
//! boundary, at least a whole magazine of operations lies between two visits to the arena, and no list is ever walked to be
//! split. The eras `Classic` and `Modern` use the loaded magazine alone and visit block by block, as glibc does.
//!
//! Every thread starts with [`FRESH`], a cache that is empty and has no room, so that neither path asks whether there is a
//! cache: both find that they must take the slow path before they write anything.

mod aligned;
mod bin;
pub(crate) mod budget;
mod flush;
mod large;
mod local;
mod refill;
pub(crate) mod slot;
mod sweep;

use core::ptr::{self, NonNull};

use alloc_core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use aligned::{AlignedBin, PLACES};
use bin::{Bin, Spare};
use large::LargeBin;

use crate::arena::Arena;
use crate::class::{self, CLASSES, TINY};
use crate::magazine::Node;
use crate::owner::HEAP_ALIGN;
use crate::prefetch::prefetch_to_write;
use crate::size::ALIGN;

/// No multiple of 16 is near it.
const NOWHERE: usize = ALIGN / 2;

/// The cache of one thread, for one instance.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct ThreadCache {
    // First, so that a class's bin lies at the class's number times 16: for small classes that is the chunk size.
    bins: [Bin; CLASSES],
    /// The heap that a block freed by pointer alone last lay in: the last multiple of 16 in it, or [`NOWHERE`]. In
    /// caches that stand for none 0, to which only addresses of the kernel's are near: these are all zeros, and no memory, since
    /// what reads them is shown the kernel's page of zeros.
    near: AtomicUsize,
    /// The key of cached blocks.
    key: AtomicUsize,
    /// The home arena.
    arena: AtomicPtr<Arena>,
    /// Bytes that all magazines may hold when full, so far.
    granted: AtomicUsize,
    /// What the home arena had at the last visit, in bytes.
    footprint: AtomicUsize,
    /// Visits to the arena.
    visits: AtomicUsize,
    /// What `visits` was at the last sweep.
    swept: AtomicUsize,
    /// Who this belongs to; 0 while nobody.
    token: AtomicUsize,
    /// The next cache of the instance. Set once.
    next: AtomicPtr<ThreadCache>,
    /// The next unused cache. Behind the registry's lock.
    next_free: AtomicPtr<ThreadCache>,
    spares: [Spare; CLASSES],
    /// Blocks of more than the usual alignment.
    aligned: [AlignedBin; PLACES],
    /// Large blocks of the era `Modern`.
    large: [LargeBin; large::BINS],
}

/// The cache of threads that have none yet.
pub(crate) static FRESH: ThreadCache = ThreadCache::EMPTY;
/// The cache of threads whose exit hook has run: they never get another one.
pub(crate) static DEAD: ThreadCache = ThreadCache::EMPTY;
/// What a thread's slot shows while the thread is at work beyond its magazines: see [`inside`](crate::inside).
pub(crate) static BUSY: ThreadCache = ThreadCache::EMPTY;

impl ThreadCache {
    #[expect(clippy::declare_interior_mutable_const, reason = "what the statics start as")]
    const EMPTY: Self = {
        #[expect(
            clippy::declare_interior_mutable_const,
            reason = "the elements of an array that is made once"
        )]
        const BIN: Bin =
            Bin { head: AtomicPtr::new(ptr::null_mut()), room: AtomicU32::new(0), cap: AtomicU32::new(0) };
        #[expect(clippy::declare_interior_mutable_const, reason = "as above")]
        const SPARE: Spare = Spare {
            head: AtomicPtr::new(ptr::null_mut()),
            count: AtomicU32::new(0),
            flushed: AtomicU32::new(0),
            seen: AtomicUsize::new(0),
        };
        #[expect(clippy::declare_interior_mutable_const, reason = "as above")]
        const ALIGNED: AlignedBin = AlignedBin {
            head: AtomicPtr::new(ptr::null_mut()),
            tag: AtomicU32::new(0),
            room: AtomicU32::new(0),
        };
        #[expect(clippy::declare_interior_mutable_const, reason = "as above")]
        const LARGE: LargeBin = LargeBin {
            head: AtomicPtr::new(ptr::null_mut()),
            count: AtomicU32::new(0),
            units: AtomicU32::new(0),
        };
        Self {
            bins: [BIN; CLASSES],
            near: AtomicUsize::new(0),
            key: AtomicUsize::new(0),
            arena: AtomicPtr::new(ptr::null_mut()),
            granted: AtomicUsize::new(0),
            footprint: AtomicUsize::new(0),
            visits: AtomicUsize::new(0),
            swept: AtomicUsize::new(0),
            token: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
            next_free: AtomicPtr::new(ptr::null_mut()),
            spares: [SPARE; CLASSES],
            aligned: [ALIGNED; PLACES],
            large: [LARGE; large::BINS],
        }
    };

    #[inline]
    fn bin(&self, class: usize) -> &Bin {
        debug_assert!(class < CLASSES);
        // SAFETY: classes are below `CLASSES`.
        unsafe { self.bins.get_unchecked(class) }
    }

    /// The bin of a class, by the class times 16: what a small request is rounded up to, and where the bin lies.
    ///
    /// # Safety
    /// `at` is 16 times a class.
    #[inline]
    unsafe fn bin_at(&self, at: usize) -> &Bin {
        debug_assert!(at % size_of::<Bin>() == 0 && at / size_of::<Bin>() < CLASSES);
        // SAFETY: so far into the bins, by the caller's promise.
        let bin = unsafe { self.bins.as_ptr().byte_add(at) };
        // SAFETY: a bin lies there, which lives as long as the cache.
        unsafe { &*bin }
    }

    #[inline]
    fn spare(&self, class: usize) -> &Spare {
        debug_assert!(class < CLASSES);
        // SAFETY: classes are below `CLASSES`.
        unsafe { self.spares.get_unchecked(class) }
    }

    /// Whether this is a cache of a thread, not one of those that stand for none.
    #[inline]
    pub(crate) fn is_real(&self) -> bool {
        !self.arena.load(Ordering::Relaxed).is_null()
    }

    /// Enters a new cache in the list of all.
    pub(crate) fn link(&self, next: *mut ThreadCache, key: usize) {
        self.next.store(next, Ordering::Relaxed);
        self.near.store(NOWHERE, Ordering::Relaxed);
        self.key.store(key, Ordering::Relaxed);
    }

    /// The next cache of the instance.
    pub(crate) fn next(&self) -> *mut ThreadCache {
        self.next.load(Ordering::Relaxed)
    }

    /// The next unused cache.
    pub(crate) fn next_free(&self) -> *mut ThreadCache {
        self.next_free.load(Ordering::Relaxed)
    }

    /// Makes this the cache of the thread with `token`, at home in `arena`.
    pub(crate) fn adopt(&self, arena: NonNull<Arena>, token: usize) {
        self.token.store(token, Ordering::Relaxed);
        self.arena.store(arena.as_ptr(), Ordering::Relaxed);
    }

    /// Makes this, flushed, an unused cache in front of `next_free`.
    pub(crate) fn retire(&self, next_free: *mut ThreadCache) {
        self.token.store(0, Ordering::Relaxed);
        self.arena.store(ptr::null_mut(), Ordering::Relaxed);
        self.visits.store(0, Ordering::Relaxed);
        self.swept.store(0, Ordering::Relaxed);
        self.next_free.store(next_free, Ordering::Relaxed);
    }

    /// In the child of a fork: the thread does not exist, and what its magazines hold cannot be trusted.
    pub(crate) fn orphan(&self) {
        self.token.store(0, Ordering::Relaxed);
    }

    /// The token of its thread; 0 for none.
    pub(crate) fn token(&self) -> usize {
        self.token.load(Ordering::Relaxed)
    }

    /// Whether a class without capacity has come up often enough to be kept: small ones at once, others after a few visits. Many
    /// programs use many large sizes once or twice, while they start above all, and a block that is kept for a size that does
    /// not come again is memory that no other size can have.
    fn is_wanted(&self, class: usize) -> bool {
        class < class::FIRST_MEDIUM || self.spare(class).is_wanted()
    }

    /// Counts a visit to the arena, which has `footprint` bytes. Whether it is one of those on which housekeeping is due.
    pub(crate) fn visit(&self, footprint: usize) -> bool {
        const EVERY: usize = 64;
        self.footprint.store(footprint, Ordering::Relaxed);
        let visits = self.visits.load(Ordering::Relaxed).wrapping_add(1);
        self.visits.store(visits, Ordering::Relaxed);
        visits % EVERY == 0
    }

    /// Whether it is time to look for classes that are not used any more: every 256 visits.
    pub(crate) fn is_due(&self) -> bool {
        const EVERY: usize = 256;
        let visits = self.visits.load(Ordering::Relaxed);
        let due = visits.wrapping_sub(self.swept.load(Ordering::Relaxed)) >= EVERY;
        if due {
            self.swept.store(visits, Ordering::Relaxed);
        }
        due
    }

    /// The key of cached blocks.
    #[inline]
    pub(crate) fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }

    /// The home arena of a real cache.
    #[inline]
    pub(crate) fn arena(&self) -> &'static Arena {
        let arena = self.arena.load(Ordering::Relaxed);
        debug_assert!(!arena.is_null());
        // SAFETY: a real cache is attached to an arena, which stays as long as the instance that both belong to.
        unsafe { &*arena }
    }

    /// Whether a block could start at `address`, in the heap that [`goes_near`](Self::goes_near) was last told: a multiple of
    /// 16, with one comparison for both.
    #[inline]
    pub(crate) fn is_near(&self, address: usize) -> bool {
        const OTHER: usize = !(HEAP_ALIGN - 1) | (ALIGN - 1);
        self.near.load(Ordering::Relaxed).wrapping_sub(address) & OTHER == 0
    }

    /// Notes the heap of an address that lies in one. Always true; false for a cache that stands for none.
    pub(crate) fn goes_near(&self, address: usize) -> bool {
        if self.is_real() {
            self.near.store((address | (HEAP_ALIGN - 1)) & !(ALIGN - 1), Ordering::Relaxed);
        }
        self.is_real()
    }

    /// Takes a block of a class, if the loaded magazine has one.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    #[inline]
    pub(crate) unsafe fn pop(&self, class: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise; classes are below `CLASSES`.
        unsafe { self.pop_at(class * size_of::<Bin>()) }
    }

    /// As [`pop`](Self::pop), by the class times 16.
    ///
    /// # Safety
    /// As for [`pop`](Self::pop), and `at` is 16 times a class.
    #[inline]
    pub(crate) unsafe fn pop_at(&self, at: usize) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        let bin = unsafe { self.bin_at(at) };
        let head = NonNull::new(bin.head())?;
        let node = head.as_ptr();
        // SAFETY: blocks of a magazine are nodes, and those of this one are this thread's.
        let next = unsafe { Node::next(node) };
        bin.set_head(next);
        // It is read when it is popped in its turn, and where it lies only this block knew: who takes blocks that lie in no cache
        // near by, since they are many or another thread wrote them last, would wait for each.
        prefetch_to_write(next.cast());
        bin.set_room(bin.room() + 1);
        // The mark goes, or the block would look cached as long as its holder does not write there.
        // SAFETY: as above.
        unsafe { Node::set_key(node, 0) };
        Some(head.cast())
    }

    /// Puts a block in, if the loaded magazine has room.
    ///
    /// # Safety
    /// This is the calling thread's cache; `block` is in use, of a chunk of `class` or larger, and given up by its holder.
    #[inline]
    pub(crate) unsafe fn push(&self, class: usize, block: NonNull<u8>) -> bool {
        // SAFETY: the caller's promises are the callee's; classes are below `CLASSES`.
        unsafe { self.push_at(class * size_of::<Bin>(), block) }
    }

    /// As [`push`](Self::push), by the class times 16.
    ///
    /// # Safety
    /// As for [`push`](Self::push), and `at` is 16 times a class.
    #[inline]
    pub(crate) unsafe fn push_at(&self, at: usize, block: NonNull<u8>) -> bool {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.push_marked(at, block, self.key()) }
    }

    /// As [`push_at`](Self::push_at), for whoever has read the key already.
    ///
    /// # Safety
    /// As for [`push_at`](Self::push_at).
    #[inline]
    pub(crate) unsafe fn push_marked(&self, at: usize, block: NonNull<u8>, key: usize) -> bool {
        // SAFETY: the caller's promise.
        let bin = unsafe { self.bin_at(at) };
        // Rooms are small: the sign tells, and costs one instruction less than a comparison before the subtraction.
        let room = bin.room().wrapping_sub(1);
        if (room as i32) < 0 {
            return false;
        }
        bin.set_room(room);
        let node = Node::of(block);
        // SAFETY: the smallest block holds a node, and this one is ours from now on.
        unsafe { Node::set_next(node, bin.head()) };
        // SAFETY: as above.
        unsafe { Node::set_key(node, key) };
        bin.set_head(node);
        true
    }

    /// Whether `block` is in one of this thread's magazines of `class`, or of the class of tiny requests if that is of the same
    /// size. Walks them: for the closer look at a block that holds the key.
    ///
    /// # Safety
    /// This is the calling thread's cache.
    pub(crate) unsafe fn holds(&self, class: usize, block: NonNull<u8>) -> bool {
        let tiny = if class == TINY + 1 { TINY } else { class };
        for class in tiny..=class {
            let (bin, spare) = (self.bin(class), self.spare(class));
            let lists = [(bin.head(), bin.count()), (spare.head.load(Ordering::Relaxed), spare.count())];
            for (mut node, count) in lists {
                for _ in 0..count {
                    if node.is_null() {
                        break;
                    }
                    if node.addr() == block.addr().get() {
                        return true;
                    }
                    // SAFETY: blocks of a magazine are nodes, and those of this one are this thread's.
                    node = unsafe { Node::next(node) };
                }
            }
        }
        false
    }

    /// Bytes and blocks in all magazines, by the chunk sizes of their classes; about, when another thread asks.
    pub(crate) fn cached(&self) -> (usize, usize) {
        let mut bytes = 0;
        let mut blocks = 0;
        for class in 1..CLASSES {
            // A torn reading could be any number: no magazine is larger than its capacity.
            let loaded = self.bin(class).count().min(self.bin(class).cap());
            let count = (loaded + self.spare(class).count()) as usize;
            blocks += count;
            bytes += count * class::chunk_size(class);
        }
        let others =
            self.aligned.iter().map(AlignedBin::cached).chain(self.large.iter().map(LargeBin::cached));
        for (count, size) in others {
            blocks += count;
            bytes += size;
        }
        (bytes, blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_near_one_heap_and_one_that_stands_for_none_near_nothing() {
        const HEAP: usize = 0x7f12_3400_0000;
        let places = || [0, 16, 4096, HEAP_ALIGN - 16].map(|offset| HEAP + offset);
        let others = [16, 0x40_0000, HEAP_ALIGN, HEAP - 16, HEAP + HEAP_ALIGN, (1 << 47) - 16];
        for nobodys in [&FRESH, &DEAD, &BUSY] {
            assert!(
                !places().into_iter().any(|address| nobodys.goes_near(address) || nobodys.is_near(address))
            );
            assert!(!others.into_iter().any(|address| nobodys.is_near(address)));
        }
        for first in places() {
            let cache = ThreadCache::EMPTY;
            cache.link(ptr::null_mut(), 7);
            cache.adopt(NonNull::dangling(), 1);
            assert!(!others.into_iter().chain(places()).any(|address| cache.is_near(address)));
            assert!(cache.goes_near(first));
            for place in places() {
                assert!(cache.is_near(place), "{place:#x} after {first:#x}");
                assert!((1..16).all(|offset| !cache.is_near(place + offset)));
            }
            assert!(!others.into_iter().any(|address| cache.is_near(address)));
        }
    }
}
