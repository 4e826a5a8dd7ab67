//! Counts of what a strategy is asked for.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc_core::{AllocError, Inspect, SizedBlocks, Strategy};

use crate::budget;

/// Counts calls and bytes: for the strategy as a whole ([`counts`](Self::counts)), and for each thread
/// ([`allocations`](crate::allocations), [`assert_allocs!`](crate::assert_allocs)).
#[derive(Debug, Default)]
pub struct Counting<S> {
    inner: S,
    allocs: AtomicU64,
    frees: AtomicU64,
    resizes: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
    peak_blocks: AtomicU64,
}

/// The figures of a [`Counting`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks handed out so far.
    pub allocs: u64,
    /// Blocks given back so far.
    pub frees: u64,
    /// Blocks resized so far.
    pub resizes: u64,
    /// Requests refused so far.
    pub refused: u64,
    /// Bytes asked for so far: those of blocks handed out, and those by which blocks grew.
    pub bytes: u64,
    /// The most blocks that were live at once, where threads worked one after the other; else about that.
    pub peak_blocks: u64,
}

impl Counts {
    /// Blocks that are live.
    #[must_use]
    pub const fn live_blocks(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}

impl<S> Counting<S> {
    /// `inner`, with all figures at zero.
    #[must_use]
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            allocs: AtomicU64::new(0),
            frees: AtomicU64::new(0),
            resizes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            peak_blocks: AtomicU64::new(0),
        }
    }

    /// The counted strategy.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The figures now. Read while other threads work, they may be a few calls apart.
    #[must_use]
    pub fn counts(&self) -> Counts {
        // Relaxed: figures order no other memory, here and below.
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Counts {
            allocs: read(&self.allocs),
            frees: read(&self.frees),
            resizes: read(&self.resizes),
            refused: read(&self.refused),
            bytes: read(&self.bytes),
            peak_blocks: read(&self.peak_blocks),
        }
    }

    #[inline]
    fn allocated(
        &self,
        size: usize,
        result: Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        if result.is_ok() {
            let allocs = self.allocs.fetch_add(1, Ordering::Relaxed) + 1;
            self.bytes.fetch_add(size as u64, Ordering::Relaxed);
            let live = allocs.saturating_sub(self.frees.load(Ordering::Relaxed));
            if live > self.peak_blocks.load(Ordering::Relaxed) {
                self.peak_blocks.fetch_max(live, Ordering::Relaxed);
            }
            budget::allocated(size);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    #[inline]
    fn freed(&self) {
        self.frees.fetch_add(1, Ordering::Relaxed);
        budget::freed();
    }

    #[inline]
    fn resized(
        &self,
        old: usize,
        new: usize,
        result: Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        if result.is_ok() {
            self.resizes.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(new.saturating_sub(old) as u64, Ordering::Relaxed);
            budget::resized(old, new);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        result
    }
}

// SAFETY: every method asks `S` for the same with the same arguments and passes its answer on, so `S`'s promises are ours.
unsafe impl<S: Strategy> Strategy for Counting<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocated(layout.size(), self.inner.allocate(layout))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocated(layout.size(), self.inner.allocate_zeroed(layout))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.freed();
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let result = unsafe { self.inner.grow(block, old, new) };
        self.resized(old.size(), new.size(), result)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let result = unsafe { self.inner.grow_zeroed(block, old, new) };
        self.resized(old.size(), new.size(), result)
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let result = unsafe { self.inner.shrink(block, old, new) };
        self.resized(old.size(), new.size(), result)
    }
}

// SAFETY: as above.
unsafe impl<S: SizedBlocks> SizedBlocks for Counting<S> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        self.freed();
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.free(block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.usable_size(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let old = unsafe { self.inner.usable_size(block) };
        // SAFETY: the caller's promises are the callee's.
        let result = unsafe { self.inner.reallocate(block, new_size) };
        self.resized(old, new_size, result)
    }
}

impl<S: Inspect> Inspect for Counting<S> {
    super::forward_inspect!(self => self.inner);
}

alloc_core::impl_allocator_api2!([S: Strategy] Counting<S>);
