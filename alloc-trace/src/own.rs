//! The tracer's own memory: whole mappings, never the traced heap.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize};

use alloc_core::arith::align_up;
use alloc_core::os::Pages;
use alloc_core::os::unix::Os;

/// Types whose value may be all zero bytes, and that are shared by reference only.
///
/// # Safety
/// A value of zero bytes is valid, dropping it does nothing, and it is `Sync`.
pub(crate) unsafe trait Zeroed: Sync + 'static {}

// SAFETY: integers behind atomics: zero is valid, there is nothing to drop.
unsafe impl Zeroed for AtomicU8 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU32 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU64 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicUsize {}
// SAFETY: an array of values that are valid as zeros, and have nothing to drop.
unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] {}

/// A slice in a mapping of its own, zero at first. Memory comes page by page with the first touch. Given back on drop.
pub(crate) struct Mapped<T: Zeroed> {
    start: NonNull<T>,
    count: usize,
    bytes: usize,
}

// SAFETY: it owns its memory, and gives out shared references to `Sync` values only.
unsafe impl<T: Zeroed> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T: Zeroed> Sync for Mapped<T> {}

impl<T: Zeroed> Mapped<T> {
    /// `count` values, or `None` where the system has no room.
    pub(crate) fn new(count: usize) -> Option<Self> {
        let bytes = align_up(count.checked_mul(size_of::<T>())?.max(1), Os.page_size())?;
        let start = Os.map(bytes, align_of::<T>()).ok()?.cast();
        Some(Self { start, count, bytes })
    }

    /// The slice for the rest of the process's life.
    pub(crate) fn leak(self) -> &'static [T] {
        let (start, count) = (self.start, self.count);
        core::mem::forget(self);
        // SAFETY: the mapping holds `count` values, zero and hence valid, and is never given back.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), count) }
    }
}

impl<T: Zeroed> Deref for Mapped<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds `count` values, zero at first and hence valid, for as long as `self` lives.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T: Zeroed> Drop for Mapped<T> {
    fn drop(&mut self) {
        // A refusal leaves the mapping in place, which costs address space and nothing else.
        // SAFETY: the range is one whole mapping of ours that nothing borrows any more.
        let _ = unsafe { Os.release(self.start.cast(), self.bytes) };
    }
}

impl<T: Zeroed> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::Ordering;

    #[test]
    fn is_zero_writable_and_as_long_as_asked() {
        let mapped = Mapped::<AtomicU32>::new(5000).unwrap();
        assert_eq!(mapped.len(), 5000);
        assert!(mapped.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        mapped[4999].store(7, Ordering::Relaxed);
        assert_eq!(mapped[4999].load(Ordering::Relaxed), 7);
        assert!(Mapped::<AtomicU64>::new(usize::MAX / 2).is_none());
    }
}
