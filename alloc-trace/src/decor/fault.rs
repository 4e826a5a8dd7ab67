//! Requests that fail on schedule.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc_core::os::schedule::Schedule;
use alloc_core::{AllocError, Inspect, SizedBlocks, Strategy};

/// Refuses the requests that a [`Schedule`] names, of those for new blocks and for resizes, counted together from 1.
///
/// ```
/// use alloc_core::{Libc, Strategy, os::schedule::Schedule};
/// use alloc_trace::FaultInject;
/// use std::alloc::Layout;
///
/// let heap = FaultInject::new(Libc, Schedule::Nth(2));
/// let first = heap.allocate(Layout::new::<u64>()).unwrap();
/// assert!(heap.allocate(Layout::new::<u64>()).is_err());
/// # // SAFETY: the block came from `heap`, with this layout.
/// # unsafe { heap.deallocate(first, Layout::new::<u64>()) };
/// ```
#[derive(Debug)]
pub struct FaultInject<S> {
    inner: S,
    schedule: Schedule,
    calls: AtomicU64,
    refused: AtomicU64,
}

impl<S> FaultInject<S> {
    /// `inner`, failing as `schedule` says.
    #[must_use]
    pub const fn new(inner: S, schedule: Schedule) -> Self {
        Self { inner, schedule, calls: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// The strategy behind it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Requests so far, those that were refused included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Requests that this decorator refused so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    #[inline]
    fn pass(&self) -> Result<(), AllocError> {
        // Relaxed: the number alone matters.
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.schedule.fails(call) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(AllocError);
        }
        Ok(())
    }
}

// SAFETY: every method refuses, or asks `S` for the same with the same arguments and passes its answer on.
unsafe impl<S: Strategy> Strategy for FaultInject<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.pass()?;
        self.inner.allocate(layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.pass()?;
        self.inner.allocate_zeroed(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        self.pass()?;
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.grow(block, old, new) }
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        self.pass()?;
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.grow_zeroed(block, old, new) }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        self.pass()?;
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.shrink(block, old, new) }
    }
}

// SAFETY: as above.
unsafe impl<S: SizedBlocks> SizedBlocks for FaultInject<S> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
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
        self.pass()?;
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.reallocate(block, new_size) }
    }
}

impl<S: Inspect> Inspect for FaultInject<S> {
    super::forward_inspect!(self => self.inner);
}

alloc_core::impl_allocator_api2!([S: Strategy] FaultInject<S>);
