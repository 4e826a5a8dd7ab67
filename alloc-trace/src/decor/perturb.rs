//! Fresh and freed memory filled with junk.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::{AllocError, Inspect, SizedBlocks, Strategy};

/// Fills freed blocks with a byte and fresh ones with its complement, as glibc's `MALLOC_PERTURB_` does, so that uses of
/// memory before its initialisation and after its free show at once. Zeroed requests stay zero.
#[derive(Clone, Copy, Debug)]
pub struct Perturb<S> {
    inner: S,
    byte: u8,
}

impl<S> Perturb<S> {
    /// `inner`, with freed blocks filled with `byte`. 0 fills with zeros and ones: to switch it off, leave it out.
    #[must_use]
    pub const fn new(inner: S, byte: u8) -> Self {
        Self { inner, byte }
    }

    /// The strategy behind it.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// # Safety
    /// `block` has `to` writable bytes that nobody uses from `from` on.
    unsafe fn fill_fresh(&self, block: NonNull<u8>, from: usize, to: usize) {
        if from < to {
            // SAFETY: `from` lies within the block.
            let tail = unsafe { block.add(from) };
            // SAFETY: the block has `to - from` bytes from there.
            unsafe { tail.write_bytes(!self.byte, to - from) };
        }
    }

    /// # Safety
    /// `block` has `size` writable bytes that nobody uses any more.
    unsafe fn fill_freed(&self, block: NonNull<u8>, size: usize) {
        // SAFETY: promised by the caller.
        unsafe { block.write_bytes(self.byte, size) };
    }
}

// SAFETY: every method asks `S` for the same with the same arguments and passes its answer on; only bytes whose contents
// nobody may rely on are written.
unsafe impl<S: Strategy> Strategy for Perturb<S> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.inner.allocate(layout)?;
        // SAFETY: a new block of `layout.size()` bytes.
        unsafe { self.fill_fresh(block, 0, layout.size()) };
        Ok(block)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.inner.allocate_zeroed(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the layout fits the block, whose holder gives it up.
        unsafe { self.fill_freed(block, layout.size()) };
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let block = unsafe { self.inner.grow(block, old, new) }?;
        // SAFETY: the block has `new.size()` bytes, of which the first `old.size()` are kept.
        unsafe { self.fill_fresh(block, old.size(), new.size()) };
        Ok(block)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.grow_zeroed(block, old, new) }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.shrink(block, old, new) }
    }
}

// SAFETY: as above.
unsafe impl<S: SizedBlocks> SizedBlocks for Perturb<S> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: a live block, by the caller's promise.
        let size = unsafe { self.inner.usable_size(block) };
        // SAFETY: the block has that many bytes, and its holder gives it up.
        unsafe { self.fill_freed(block, size) };
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
        // SAFETY: a live block, by the caller's promise.
        let old = unsafe { self.inner.usable_size(block) };
        // SAFETY: the caller's promises are the callee's.
        let block = unsafe { self.inner.reallocate(block, new_size) }?;
        // SAFETY: the block has `new_size` bytes; those beyond the old usable size were nobody's.
        unsafe { self.fill_fresh(block, old, new_size) };
        Ok(block)
    }
}

impl<S: Inspect> Inspect for Perturb<S> {
    super::forward_inspect!(self => self.inner);
}

alloc_core::impl_allocator_api2!([S: Strategy] Perturb<S>);
