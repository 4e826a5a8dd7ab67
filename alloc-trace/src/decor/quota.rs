//! A limit on live bytes.

use core::alloc::Layout;
use core::fmt::Debug;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use alloc_core::{AllocError, Inspect, SizedBlocks, Strategy};

mod sealed {
    pub trait Sealed {}
}

/// How many bytes a block counts for.
pub trait Measure<S>: sealed::Sealed + Debug {
    /// The bytes that `block` counts for.
    ///
    /// # Safety
    /// `block` is a live block whose owner is `strategy`, and `layout` fits it.
    unsafe fn bytes(strategy: &S, block: NonNull<u8>, layout: Layout) -> usize;
}

/// The bytes asked for. For strategies that do not know their blocks' sizes.
#[derive(Debug)]
pub enum ByRequest {}

/// The usable bytes. A block may be given back with another size than it was asked for with, so that nothing else adds up
/// where sizes are known.
#[derive(Debug)]
pub enum ByBlock {}

impl sealed::Sealed for ByRequest {}
impl sealed::Sealed for ByBlock {}

impl<S: Strategy> Measure<S> for ByRequest {
    #[inline]
    unsafe fn bytes(_strategy: &S, _block: NonNull<u8>, layout: Layout) -> usize {
        layout.size()
    }
}

impl<S: SizedBlocks> Measure<S> for ByBlock {
    #[inline]
    unsafe fn bytes(strategy: &S, block: NonNull<u8>, _layout: Layout) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { strategy.usable_size(block) }
    }
}

/// Refuses requests that would take the live bytes above a limit.
///
/// A block that is resized in place may be a little larger than asked for: after it, the total may exceed the limit by
/// that rounding, and nothing is served until it is below again.
#[derive(Debug)]
pub struct Quota<S, M = ByRequest> {
    inner: S,
    limit: usize,
    used: AtomicUsize,
    measure: PhantomData<fn() -> M>,
}

impl<S: Strategy> Quota<S, ByRequest> {
    /// `inner`, with at most `limit` bytes, counted as they are asked for.
    #[must_use]
    pub const fn new(inner: S, limit: usize) -> Self {
        Self { inner, limit, used: AtomicUsize::new(0), measure: PhantomData }
    }
}

impl<S: SizedBlocks> Quota<S, ByBlock> {
    /// `inner`, with at most `limit` usable bytes.
    #[must_use]
    pub const fn sized(inner: S, limit: usize) -> Self {
        Self { inner, limit, used: AtomicUsize::new(0), measure: PhantomData }
    }
}

impl<S, M> Quota<S, M> {
    /// The strategy behind it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Bytes that live blocks count for.
    pub fn used(&self) -> usize {
        // Relaxed, here and below: the number orders no other memory.
        self.used.load(Ordering::Relaxed)
    }

    /// Takes bytes from the quota, or none.
    #[inline]
    fn charge(&self, bytes: usize) -> Result<(), AllocError> {
        let fits = |used: usize| used.checked_add(bytes).filter(|&total| total <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(AllocError),
        }
    }

    #[inline]
    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes `after` in place of what was taken before.
    #[inline]
    fn settle(&self, before: usize, after: usize) {
        self.used.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }
}

impl<S: Strategy, M: Measure<S>> Quota<S, M> {
    #[inline]
    fn allocate_by(
        &self,
        layout: Layout,
        allocate: impl FnOnce(&S) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.charge(layout.size())?;
        let Ok(block) = allocate(&self.inner) else {
            self.release(layout.size());
            return Err(AllocError);
        };
        // SAFETY: the inner strategy handed the block out, with this layout.
        let bytes = unsafe { M::bytes(&self.inner, block, layout) };
        if bytes > layout.size() && self.charge(bytes - layout.size()).is_err() {
            // SAFETY: as above; nobody else knows the block.
            unsafe { self.inner.deallocate(block, layout) };
            self.release(layout.size());
            return Err(AllocError);
        }
        Ok(block)
    }

    /// # Safety
    /// `block` is a live block of the inner strategy that `old` fits, and `resize` does to it, on `Ok`, what the contract
    /// says of a resize to `new`.
    #[inline]
    unsafe fn resize_by(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
        resize: impl FnOnce(&S) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: promised by the caller.
        let before = unsafe { M::bytes(&self.inner, block, old) };
        let more = new.size().saturating_sub(before);
        self.charge(more)?;
        let Ok(resized) = resize(&self.inner) else {
            self.release(more);
            return Err(AllocError);
        };
        // SAFETY: the resize succeeded, so that the block is live and `new` fits it.
        let after = unsafe { M::bytes(&self.inner, resized, new) };
        self.settle(before + more, after);
        Ok(resized)
    }
}

// SAFETY: every method refuses, or asks `S` for the same with the same arguments and passes its answer on; a block that
// does not fit the quota is given back before anybody has seen it.
unsafe impl<S: Strategy, M: Measure<S>> Strategy for Quota<S, M> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocate_by(layout, |inner| inner.allocate(layout))
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.allocate_by(layout, |inner| inner.allocate_zeroed(layout))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        let bytes = unsafe { M::bytes(&self.inner, block, layout) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
        self.release(bytes);
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let grow = |inner: &S| unsafe { inner.grow(block, old, new) };
        // SAFETY: the caller promises a live block that `old` fits; `grow` is such a resize.
        unsafe { self.resize_by(block, old, new, grow) }
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let grow = |inner: &S| unsafe { inner.grow_zeroed(block, old, new) };
        // SAFETY: the caller promises a live block that `old` fits; `grow` is such a resize.
        unsafe { self.resize_by(block, old, new, grow) }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let shrink = |inner: &S| unsafe { inner.shrink(block, old, new) };
        // SAFETY: the caller promises a live block that `old` fits; `shrink` is such a resize.
        unsafe { self.resize_by(block, old, new, shrink) }
    }
}

// SAFETY: as above.
unsafe impl<S: SizedBlocks> SizedBlocks for Quota<S, ByBlock> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promises are the callee's.
        let bytes = unsafe { self.inner.usable_size(block) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.free(block) };
        self.release(bytes);
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.usable_size(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        let new = Layout::from_size_align(new_size, 1).map_err(|_| AllocError)?;
        // SAFETY: the caller's promises are the callee's.
        let reallocate = |inner: &S| unsafe { inner.reallocate(block, new_size) };
        // SAFETY: the caller promises a live block, whose size is asked for by its pointer alone.
        unsafe { self.resize_by(block, new, new, reallocate) }
    }
}

impl<S: Inspect, M> Inspect for Quota<S, M> {
    super::forward_inspect!(self => self.inner);
}

alloc_core::impl_allocator_api2!([S: Strategy, M: Measure<S>] Quota<S, M>);
