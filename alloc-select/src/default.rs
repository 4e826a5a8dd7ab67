//! The default strategy and the global allocator over it.

use alloc_core::compat::Global;
use std::alloc::{GlobalAlloc, Layout};

/// One arm for each strategy that can be the default, in the documented order: the first feature that is on decides.
macro_rules! first {
    ($(($feature:literal, not($($before:literal),*), $type:ty, $value:expr),)*) => {$(
        /// The first strategy of the documented order that was compiled in.
        #[cfg(all(feature = $feature, not(any($(feature = $before),*))))]
        pub type DefaultStrategy = $type;
        #[cfg(all(feature = $feature, not(any($(feature = $before),*))))]
        const DEFAULT: DefaultStrategy = $value;
    )*};
}

first! {
    ("ptmalloc", not(), &'static crate::names::ProcessPtmalloc, &crate::names::PTMALLOC),
    ("libc", not("ptmalloc"), alloc_core::Libc, alloc_core::Libc),
    ("freelist", not("ptmalloc", "libc"), &'static alloc_freelist::SyncFreeList, &crate::names::FREELIST),
    ("mem_io", not("ptmalloc", "libc", "freelist"), &'static alloc_freelist::mem_io::MemIo, &crate::names::MEM_IO),
    ("bump", not("ptmalloc", "libc", "freelist", "mem_io"), &'static alloc_bump::SyncBump, &crate::names::BUMP),
}

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
