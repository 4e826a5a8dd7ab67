//! The backend of arenas over a buffer.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, Span};

/// Nothing beyond the buffer: refuses every span, and holds the buffer's borrow.
#[derive(Debug, Default)]
pub struct Buffer<'b>(PhantomData<&'b mut [MaybeUninit<u8>]>);

impl Buffer<'_> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: it never answers `Ok`.
unsafe impl Backend for Buffer<'_> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        1
    }

    fn allocate_span(&self, _size: usize, _align: usize) -> Result<Span, AllocError> {
        Err(AllocError)
    }

    unsafe fn release_span(&self, _span: Span) {}
}
