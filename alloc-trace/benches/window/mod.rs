//! The strategy behind the tracer in benches of the tracer alone.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloc_core::{AllocError, Inspect, Ownership, Stats, Step, Strategy, Visit, Walked};

/// Hands out addresses of a window over and over, and touches nothing. Threads have windows of their own, as they have arenas.
// Threads write to theirs side by side.
#[repr(align(128))]
pub(crate) struct Window {
    start: usize,
    next: AtomicUsize,
}

/// Blocks until an address comes again.
pub(crate) const BLOCKS: usize = 1 << 10;

impl Window {
    pub(crate) const fn new(thread: usize) -> Self {
        Self { start: 0x7f00_0000_0000 + (thread << 26), next: AtomicUsize::new(0) }
    }
}

// SAFETY: not one: blocks repeat. The benches read and write none of them.
unsafe impl Strategy for Window {
    #[inline]
    fn allocate(&self, _layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let next = self.next.load(Ordering::Relaxed);
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
        NonNull::new(std::ptr::without_provenance_mut(self.start + next % BLOCKS * 64)).ok_or(AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, _block: NonNull<u8>, _layout: Layout) {
        // Something, so that the call is made.
        self.next.store(self.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Inspect for Window {
    fn name(&self) -> &'static str {
        "window"
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
