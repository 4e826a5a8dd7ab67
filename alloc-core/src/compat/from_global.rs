//! Any `GlobalAlloc` as a strategy, so that other allocators can stand beside ours.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::inspect::{Inspect, Ownership};
use crate::stats::Stats;
use crate::strategy::{Strategy, zero_tail};
use crate::walk::{Step, Visit, Walked};

/// A strategy over a [`GlobalAlloc`]. That trait cannot be looked into, so all figures are unknown.
#[derive(Clone, Copy, Debug)]
pub struct FromGlobal<G> {
    name: &'static str,
    global: G,
}

impl<G> FromGlobal<G> {
    /// The allocator `global` under the name `name`.
    pub const fn new(name: &'static str, global: G) -> Self {
        Self { name, global }
    }
}

/// A block of no bytes: `GlobalAlloc` does not serve size 0, so these never reach it.
#[inline]
fn empty(layout: Layout) -> NonNull<u8> {
    NonNull::new(core::ptr::without_provenance_mut(layout.align())).unwrap_or(NonNull::dangling())
}

// SAFETY: `GlobalAlloc` makes the same promises for layouts of non-zero size, contents and liveness included, and must not
// unwind. Blocks of size 0 are handled here. Moving `G` keeps its blocks: a global allocator's outlive every borrow.
unsafe impl<G: GlobalAlloc> Strategy for FromGlobal<G> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(empty(layout));
        }
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { self.global.alloc(layout) }).ok_or(AllocError)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(empty(layout));
        }
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { self.global.alloc_zeroed(layout) }).ok_or(AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            // SAFETY: a live block of non-zero size came from `global`, and the layout is the one it has there.
            unsafe { self.global.dealloc(block.as_ptr(), layout) };
        }
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if old.size() == 0 {
            return self.allocate(new);
        }
        // SAFETY: a live block of non-zero size came from `global` with the layout `old`, and `new` is a layout.
        NonNull::new(unsafe { self.global.realloc(block.as_ptr(), old, new.size()) }).ok_or(AllocError)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if old.size() == 0 {
            return self.allocate_zeroed(new);
        }
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { self.grow(block, old, new) }?;
        // SAFETY: the block has `new.size()` bytes, of which the caller keeps `old.size()`.
        unsafe { zero_tail(grown, old.size(), new.size()) };
        Ok(grown)
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if new.size() == 0 {
            // SAFETY: the caller promises a live block that `old` fits.
            unsafe { self.deallocate(block, old) };
            return Ok(empty(new));
        }
        // SAFETY: `old.size() >= new.size() > 0`, so the block came from `global` with the layout `old`.
        NonNull::new(unsafe { self.global.realloc(block.as_ptr(), old, new.size()) }).ok_or(AllocError)
    }
}

impl<G> Inspect for FromGlobal<G> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn stats(&self) -> Stats {
        Stats::UNKNOWN
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Unsupported
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::Unknown
    }

    fn trim(&self, _keep: usize) -> usize {
        0
    }
}
