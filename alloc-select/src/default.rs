//! The default strategy and the global allocator over it.

use alloc_core::compat::Global;
use std::alloc::{GlobalAlloc, Layout};

/// The first strategy of the documented order that was compiled in.
#[cfg(feature = "libc")]
pub type DefaultStrategy = alloc_core::Libc;

/// The first strategy of the documented order that was compiled in.
#[cfg(all(feature = "bump", not(feature = "libc")))]
pub type DefaultStrategy = &'static alloc_bump::SyncBump;

#[cfg(feature = "libc")]
const DEFAULT: DefaultStrategy = alloc_core::Libc;
#[cfg(all(feature = "bump", not(feature = "libc")))]
const DEFAULT: DefaultStrategy = &crate::names::BUMP;

/// The default strategy as a program's global allocator. Calls are direct, so that they inline.
#[derive(Debug)]
pub struct Strata(Global<DefaultStrategy>);

impl Strata {
    /// For a `#[global_allocator]` static.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a second one would share the first one's heap: not a new default value"
    )]
    pub const fn new() -> Self {
        Self(Global::new(DEFAULT))
    }

    /// The strategy, to look into it.
    #[must_use]
    pub const fn strategy(&self) -> &DefaultStrategy {
        self.0.strategy()
    }
}

// SAFETY: every method is `Global`'s.
unsafe impl GlobalAlloc for Strata {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}
