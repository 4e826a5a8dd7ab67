//! Padding against false sharing.

use core::ops::{Deref, DerefMut};

/// A value alone on its cache lines.
///
/// 128 bytes: current x86-64 fetches lines of 64 bytes in pairs, and several 64-bit ARM cores have lines of 128, so
/// that a smaller distance still lets two writers slow each other down.
#[repr(align(128))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachePadded<T>(T);

impl<T> CachePadded<T> {
    /// Pads a value.
    #[inline]
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, without its padding.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

const _: () = assert!(size_of::<CachePadded<u8>>() == 128 && align_of::<CachePadded<u8>>() == 128);
