//! What several tests need.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::Strategy;
use alloc_ptmalloc::{Config, Era};

pub(crate) fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

pub(crate) fn take(heap: &dyn Strategy, size: usize) -> NonNull<u8> {
    heap.allocate(layout(size)).expect("memory")
}

pub(crate) fn give(heap: &dyn Strategy, block: NonNull<u8>, size: usize) {
    // SAFETY: the tests give back what `take` gave, with its size.
    unsafe { heap.deallocate(block, layout(size)) };
}

/// A heap without thread caches, whose arena shows every step.
pub(crate) fn bare(era: Era) -> Config {
    Config { tcache_bytes: 0, ..Config::new(era) }
}
