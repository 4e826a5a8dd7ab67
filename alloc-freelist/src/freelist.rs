//! The heap that users hold.

use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::Backend;
#[cfg(feature = "libc")]
use alloc_core::sync::RawLock;

use crate::config::{Config, Policy};
use crate::heap::Heap;
use crate::lock::{Held, Lock, Unlocked};
use crate::source::Nothing;

/// A general-purpose heap: free blocks in bins, split where they are larger than needed and merged where they touch.
///
/// `B` is where its zones come from, `C` its policies, `W` where blocks of [`Config::WIDE`] bytes and more come from, and
/// `L` what keeps threads apart.
///
/// ```
/// use alloc_core::Strategy;
/// use alloc_freelist::FixedFreeList;
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
///
/// let mut memory = [const { MaybeUninit::uninit() }; 4096];
/// let heap = FixedFreeList::over(&mut memory);
/// let block = heap.allocate(Layout::new::<u64>())?;
/// // SAFETY: the block was allocated from this heap with this layout.
/// unsafe { heap.deallocate(block, Layout::new::<u64>()) };
/// # Ok::<(), alloc_core::AllocError>(())
/// ```
pub struct FreeList<B: Backend, C: Config = Policy, W: Backend = Nothing<'static>, L: Lock = Unlocked> {
    pub(crate) lock: L,
    pub(crate) heap: Heap<C>,
    pub(crate) backend: B,
    pub(crate) wide: W,
}

/// A heap over memory of the caller's. Needs no operating system and no other allocator.
pub type FixedFreeList<'m, C = Policy> = FreeList<Nothing<'m>, C>;

/// A heap over pages of the operating system, for one thread. Takes memory at the first request.
#[cfg(feature = "libc")]
pub type PagesFreeList<C = Policy> = FreeList<crate::OsPages, C, crate::OsPages>;

/// A heap over pages of the operating system that threads share, under one lock. Freed small blocks wait in quick lists.
/// [`SyncFreeList`](crate::SyncFreeList) has a cache for each thread in front of the same heap.
#[cfg(feature = "libc")]
pub type LockedFreeList<C = Policy<crate::fit::Good, crate::header::None, crate::coalesce::Deferred>> =
    FreeList<crate::OsPages, C, crate::OsPages, RawLock>;

// SAFETY: the heap's memory is its own, and bound to no thread.
unsafe impl<B: Backend + Send, C: Config, W: Backend + Send, L: Lock + Send> Send for FreeList<B, C, W, L> {}
// SAFETY: everything behind `&self` is reached with the lock held, which is exclusive where it is `Sync`; the backends
// are `Sync` by themselves.
unsafe impl<B: Backend + Sync, C: Config, W: Backend + Sync, L: Lock + Sync> Sync for FreeList<B, C, W, L> {}

#[cfg(feature = "libc")]
impl PagesFreeList {
    /// A heap over pages of the operating system.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_policy()
    }
}

#[cfg(feature = "libc")]
impl<C: Config> PagesFreeList<C> {
    /// As [`new`](PagesFreeList::new), with any policies.
    #[must_use]
    pub const fn with_policy() -> Self {
        Self::from_parts(crate::os_pages(), crate::os_pages(), Unlocked::new())
    }
}

#[cfg(feature = "libc")]
impl<C: Config> Default for PagesFreeList<C> {
    fn default() -> Self {
        Self::with_policy()
    }
}

#[cfg(feature = "libc")]
impl LockedFreeList {
    /// A heap over pages of the operating system that threads share.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_policy()
    }
}

#[cfg(feature = "libc")]
impl<C: Config> LockedFreeList<C> {
    /// As [`new`](LockedFreeList::new), with any policies.
    #[must_use]
    pub const fn with_policy() -> Self {
        Self::from_parts(crate::os_pages(), crate::os_pages(), RawLock::new())
    }
}

#[cfg(feature = "libc")]
impl<C: Config> Default for LockedFreeList<C> {
    fn default() -> Self {
        Self::with_policy()
    }
}

impl<B: Backend, C: Config> FreeList<B, C> {
    /// A heap for one thread, over spans of `backend` alone. Takes memory at the first request.
    #[must_use]
    pub const fn new_in(backend: B) -> Self {
        Self::from_parts(backend, Nothing::new(), Unlocked::new())
    }
}

impl<B: Backend, C: Config, W: Backend, L: Lock> FreeList<B, C, W, L> {
    /// A heap whose zones come from `backend` and whose wide blocks from `wide`, under `lock`, which must be free. Takes
    /// memory at the first request.
    #[must_use]
    pub const fn from_parts(backend: B, wide: W, lock: L) -> Self {
        Self { lock, heap: Heap::new(), backend, wide }
    }

    /// Where zones come from.
    #[must_use]
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// Where wide blocks come from.
    #[must_use]
    pub const fn wide(&self) -> &W {
        &self.wide
    }

    /// Adds memory to the heap, which may be in use. It is served from at once, and never given to the backend.
    ///
    /// # Errors
    /// [`AllocError`] when it is too small for tables and one block.
    ///
    /// # Safety
    /// The bytes are readable and writable, within one allocation, and the heap's alone until it is dropped.
    pub unsafe fn add_raw(&self, memory: NonNull<[u8]>) -> Result<(), AllocError> {
        let _held = Held::acquire(&self.lock);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.heap.add(memory) }
    }

    /// As [`add_raw`](Self::add_raw), for memory that nobody else will ever use.
    ///
    /// # Errors
    /// [`AllocError`] when it is too small for tables and one block.
    pub fn add_static(&self, memory: &'static mut [MaybeUninit<u8>]) -> Result<(), AllocError> {
        // SAFETY: exclusively borrowed for ever, hence readable, writable and ours.
        unsafe { self.add_raw(bytes_of(memory)) }
    }

    /// Gives every block back at once, and keeps the memory for coming ones. Wide blocks go back to their source.
    pub fn reset(&mut self) {
        // SAFETY: blocks are used through borrows of the heap, or by who was promised more in `unsafe` code; `&mut` ends them.
        unsafe { self.heap.reset(&self.wide) };
    }

    /// Misuse found so far; only [`header::Checked`](crate::header::Checked) finds any.
    #[must_use]
    pub fn errors(&self) -> usize {
        let _held = Held::acquire(&self.lock);
        self.heap.errors()
    }
}

/// A buffer as raw bytes.
fn bytes_of(memory: &mut [MaybeUninit<u8>]) -> NonNull<[u8]> {
    NonNull::slice_from_raw_parts(NonNull::from(&mut *memory).cast(), memory.len())
}

impl<'m> FixedFreeList<'m> {
    /// A heap over `memory`, with the default policies. Where that is too small for tables and one block, requests are
    /// refused.
    #[must_use]
    pub fn over(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        Self::over_in(memory)
    }
}

impl<'m, C: Config> FixedFreeList<'m, C> {
    /// As [`over`](FixedFreeList::over), with any policies: `FixedFreeList::<Policy<fit::First>>::over_in(memory)`.
    #[must_use]
    pub fn over_in(memory: &'m mut [MaybeUninit<u8>]) -> Self {
        let heap = Self::new_in(Nothing::new());
        // A heap of nothing refuses requests, as documented.
        let _ = heap.add(memory);
        heap
    }
}

impl<'m, C: Config, W: Backend, L: Lock> FreeList<Nothing<'m>, C, W, L> {
    /// Adds memory to the heap, which may be in use. The memory must live as long as the heap does:
    ///
    /// ```compile_fail
    /// use alloc_freelist::FixedFreeList;
    /// use core::mem::MaybeUninit;
    ///
    /// let mut first = [const { MaybeUninit::uninit() }; 4096];
    /// let heap = FixedFreeList::over(&mut first);
    /// {
    ///     let mut second = [const { MaybeUninit::uninit() }; 4096];
    ///     heap.add(&mut second).unwrap();
    /// }
    /// alloc_core::Strategy::allocate(&heap, core::alloc::Layout::new::<u8>()).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`AllocError`] when it is too small for tables and one block.
    pub fn add(&self, memory: &'m mut [MaybeUninit<u8>]) -> Result<(), AllocError> {
        // SAFETY: exclusively borrowed for `'m`, which the heap does not outlive: its backend has it in its type.
        unsafe { self.add_raw(bytes_of(memory)) }
    }
}

impl<B: Backend, C: Config, W: Backend, L: Lock> Drop for FreeList<B, C, W, L> {
    fn drop(&mut self) {
        // SAFETY: blocks are used through borrows of the heap, or by who was promised more in `unsafe` code; this is its last
        // use. Both backends were given when it was made.
        unsafe { self.heap.release(&self.backend, &self.wide) };
    }
}

impl<B: Backend, C: Config, W: Backend, L: Lock> fmt::Debug for FreeList<B, C, W, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _held = Held::acquire(&self.lock);
        f.debug_struct("FreeList")
            .field("name", &C::NAME)
            .field("committed", &self.heap.committed())
            .field("zones", &self.heap.nodes().count())
            .finish_non_exhaustive()
    }
}
