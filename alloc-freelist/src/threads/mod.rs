//! Heaps that threads share, with a cache of freed blocks for each thread.
//!
//! Modules in dependency order: `class`, `fence`, `cache`, `word`, `pool`, `claims`, `exchange`, `strategy`, `inspect`
//! (`word` and `cache` name each other).
//!
//! Locks, in the order in which they are taken: a heap's `claims`, then the right to a cache's bins (see [`cache`]), then
//! the heap's own lock, then its backends'. The pool's lock is taken last, and nothing while it is held.

mod cache;
mod claims;
mod class;
mod exchange;
mod fence;
mod inspect;
mod pool;
#[cfg(test)]
mod steps;
mod strategy;
mod word;

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::{AtomicU64, Ordering};
use alloc_core::sync::{CachePadded, RawLock};
use alloc_core::{AllocError, OnMisuse};

use crate::OsPages;
use crate::coalesce::Deferred;
use crate::config::{Config, Policy};
use crate::fit::Good;
use crate::freelist::FreeList;
use crate::header::{self, Header};

/// A heap that threads share, by default over pages of the operating system. Each thread has a cache of freed blocks in
/// front of the heap, from which most requests are served without a lock.
///
/// A cache has a list for each class of sizes up to 31 KiB: each multiple of 16 bytes up to 512, and 16 classes for each
/// doubling above, to which requests are rounded up. Lists hold up to 64 KiB each and [`Config::THREAD_CACHE`] bytes
/// together, and exchange blocks with the heap in batches, under its lock. What caches hold is
/// [cached](alloc_core::Stats::cached) in figures and walks, and can be counted, shown and taken back at any moment: trimming takes it
/// back, and so does every request that would otherwise be refused. When a thread ends, its blocks are taken over by the
/// next thread that comes to the heap, or go back to it with the next batch of any other.
///
/// The time of most requests is a few instructions; that of a batch grows with its up to 64 blocks, whatever the
/// policies. For a bound on every single request, and for blocks that are merged at once, take
/// [`LockedFreeList`](crate::LockedFreeList), which is the same heap without caches. So is this one with
/// [checked headers](header::Checked), which need a look at the heap for each block, and where a thread has no cheap place
/// to find its cache by: that is, without the feature `std`, everywhere but on x86-64 Linux.
///
/// ```
/// use alloc_core::Strategy;
/// use alloc_freelist::SyncFreeList;
/// use core::alloc::Layout;
///
/// static HEAP: SyncFreeList = SyncFreeList::new();
///
/// let block = HEAP.allocate(Layout::new::<u64>())?;
/// // Any thread may give it back.
/// // SAFETY: the block was allocated from this heap with this layout.
/// unsafe { HEAP.deallocate(block, Layout::new::<u64>()) };
/// # Ok::<(), alloc_core::AllocError>(())
/// ```
pub struct SyncFreeList<C: Config = DefaultPolicy, B: Backend = OsPages, W: Backend = OsPages> {
    /// By which threads know the cache for this heap. 0 until the first one asks for a cache. Read by every request: away from
    /// what others write.
    id: AtomicU64,
    /// Held by who looks into caches of other threads, and while a thread gets one.
    claims: RawLock,
    list: CachePadded<FreeList<B, Fronted<C>, W, RawLock>>,
}

/// The policies of [`SyncFreeList`] where none are named.
pub type DefaultPolicy = Policy<Good, header::None, Deferred>;

/// The policies of a heap behind thread caches: sizes are rounded to classes.
pub(crate) struct Fronted<C>(PhantomData<C>);

impl<C: Config> Config for Fronted<C> {
    type Fit = C::Fit;
    type Header = C::Header;
    type Coalesce = C::Coalesce;
    const NAME: &'static str = C::NAME;
    const GROW: usize = C::GROW;
    const GROW_SHARE: usize = C::GROW_SHARE;
    const WIDE: usize = C::WIDE;
    const WIDE_MOST: usize = C::WIDE_MOST;
    const ON_MISUSE: OnMisuse = C::ON_MISUSE;
    const THREAD_CACHE: usize = C::THREAD_CACHE;
    const CLASSES: bool = C::CLASSES || Self::CACHES;
    // Caches know a block's size by its layout alone.
    const TIGHT: bool = C::TIGHT && !Self::CACHES;
}

impl<C: Config> Fronted<C> {
    /// Whether threads have caches.
    const CACHES: bool = C::THREAD_CACHE > 0 && !C::Header::TRUSTED;
}

impl SyncFreeList {
    /// A heap over pages of the operating system. Takes memory at the first request.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_policy()
    }
}

impl<C: Config> SyncFreeList<C> {
    /// As [`new`](SyncFreeList::new), with any policies.
    #[must_use]
    pub const fn with_policy() -> Self {
        Self::from_parts(crate::os_pages(), crate::os_pages())
    }
}

impl<C: Config> Default for SyncFreeList<C> {
    fn default() -> Self {
        Self::with_policy()
    }
}

impl<C: Config, B: Backend, W: Backend> SyncFreeList<C, B, W> {
    /// Whether threads have caches.
    const CACHES: bool = Fronted::<C>::CACHES;

    /// A heap whose zones come from `backend` and whose wide blocks from `wide`. Takes memory at the first request. Caches
    /// themselves are pages of the operating system, which the process keeps for coming threads.
    #[must_use]
    pub const fn from_parts(backend: B, wide: W) -> Self {
        let list = CachePadded::new(FreeList::from_parts(backend, wide, RawLock::new()));
        Self { id: AtomicU64::new(0), claims: RawLock::new(), list }
    }

    /// Where zones come from.
    #[must_use]
    pub fn backend(&self) -> &B {
        self.list.backend()
    }

    /// Where wide blocks come from.
    #[must_use]
    pub fn wide(&self) -> &W {
        self.list.wide()
    }

    /// As [`FreeList::add_raw`].
    ///
    /// # Errors
    /// [`AllocError`] when it is too small for tables and one block.
    ///
    /// # Safety
    /// The bytes are readable and writable, within one allocation, and the heap's alone until it is dropped.
    pub unsafe fn add_raw(&self, memory: NonNull<[u8]>) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.add_raw(memory) }
    }

    /// As [`FreeList::add_static`].
    ///
    /// # Errors
    /// [`AllocError`] when it is too small for tables and one block.
    pub fn add_static(&self, memory: &'static mut [MaybeUninit<u8>]) -> Result<(), AllocError> {
        self.list.add_static(memory)
    }

    /// Gives every block back at once, and keeps the memory for coming ones. Wide blocks go back to their source.
    pub fn reset(&mut self) {
        self.forget_caches();
        self.list.reset();
    }

    /// Misuse found so far; only [`header::Checked`] finds any.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.errors()
    }

    /// Leaves caches of this heap to their threads, without what is in them.
    fn forget_caches(&mut self) {
        let id = core::mem::replace(&mut self.id, AtomicU64::new(0));
        // Relaxed: exclusively borrowed.
        let id = id.load(Ordering::Relaxed);
        if id != 0 {
            pool::forget(id);
        }
    }
}

impl<C: Config, B: Backend, W: Backend> Drop for SyncFreeList<C, B, W> {
    fn drop(&mut self) {
        self.forget_caches();
    }
}

impl<C: Config, B: Backend, W: Backend> fmt::Debug for SyncFreeList<C, B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncFreeList").field("list", &*self.list).finish_non_exhaustive()
    }
}
