//! Spans from the standard library's system allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use std::alloc::System;

use super::{Backend, Span};
use crate::arith::align_up;
use crate::error::AllocError;

/// Spans from [`std::alloc::System`], for targets without [`Pages`](crate::os::Pages).
///
/// All have the same alignment, since releasing needs to name it: a request for more answers `Err`. Wrap this in
/// [`Aligned`](super::Aligned) where more is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBackend;

impl SystemBackend {
    /// The alignment of every span, and its granule.
    pub const ALIGN: usize = 4096;
}

// SAFETY: `System` returns fresh memory of the layout's size and alignment, within `MAX_SIZE` as `Layout` checks, and it
// is not built on this backend.
unsafe impl Backend for SystemBackend {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        Self::ALIGN
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        if size == 0 || align > Self::ALIGN {
            return Err(AllocError);
        }
        let size = align_up(size, Self::ALIGN).ok_or(AllocError)?;
        let layout = Layout::from_size_align(size, Self::ALIGN).map_err(|_| AllocError)?;
        // SAFETY: the size is not zero.
        let start = unsafe { System.alloc(layout) };
        Ok(Span { start: NonNull::new(start).ok_or(AllocError)?, size })
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the span was allocated with this very layout, which was valid then.
        let layout = unsafe { Layout::from_size_align_unchecked(span.size, Self::ALIGN) };
        // SAFETY: the caller promises a span of ours, which came from `System` with this layout, and is unused.
        unsafe { System.dealloc(span.start.as_ptr(), layout) };
    }
}
