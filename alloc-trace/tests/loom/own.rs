//! The tracer's memory, from the heap instead of mappings.

use alloc_core::sync::atomic::AtomicU64;

pub(crate) trait Zeroed {
    fn zero() -> Self;
}

impl Zeroed for AtomicU64 {
    fn zero() -> Self {
        Self::new(0)
    }
}

impl<T: Zeroed, const N: usize> Zeroed for [T; N] {
    fn zero() -> Self {
        core::array::from_fn(|_| T::zero())
    }
}

#[derive(Debug)]
pub(crate) struct Mapped<T>(Box<[T]>);

impl<T: Zeroed> Mapped<T> {
    #[allow(clippy::unnecessary_wraps, reason = "as the real one")]
    pub(crate) fn new(count: usize) -> Option<Self> {
        Some(Self((0..count).map(|_| T::zero()).collect()))
    }
}

impl<T> core::ops::Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
