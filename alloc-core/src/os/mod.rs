//! The ground floor: pages of the operating system.
//!
//! [`Pages`] is the whole of what the project asks of a kernel for memory. `unix` answers it with the mmap family,
//! `fake` in memory for tests. Sizes and addresses are bytes; *page-aligned* means a multiple of
//! [`page_size`](Pages::page_size), which is read at run time.

#[cfg(feature = "std")]
pub mod fake;
pub mod schedule;
// Linux alone: elsewhere MADV_DONTNEED need not zero, and there is no mremap, no MADV_POPULATE_WRITE and no room without
// reservation of swap, so that most of `Pages` would be a different promise under the same name.
#[cfg(all(feature = "libc", target_os = "linux"))]
pub mod unix;

use core::ptr::NonNull;

use crate::error::AllocError;

/// What the kernel should expect of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// Back it with huge pages where possible.
    Huge,
    /// Never back it with huge pages.
    NoHuge,
    /// Its contents are not needed: give the memory back now. The range stays accessible and reads as zero.
    DontNeed,
}

/// Address space and memory from an operating system.
///
/// # Safety
///
/// Implementors promise that what [`reserve`](Self::reserve) and [`map`](Self::map) return belongs to the caller alone
/// until it is released, that committed pages read as zero until they are written, and that no method unwinds or
/// allocates from a heap built on it.
pub unsafe trait Pages {
    /// Bytes in a page, a power of two. The same at every call.
    fn page_size(&self) -> usize;

    /// Takes `size` bytes of address space at a multiple of `align`, without access and without memory behind it.
    ///
    /// `size` is a non-zero page multiple; `align` is a power of two, and one below the page size means the page size.
    ///
    /// # Errors
    /// [`AllocError`] when there is no such room.
    fn reserve(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError>;

    /// As [`reserve`](Self::reserve), readable and writable at once. Memory comes with the first touch.
    ///
    /// # Errors
    /// [`AllocError`] when there is no such room.
    fn map(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError>;

    /// Makes a range readable and writable. Bytes not committed before read as zero.
    ///
    /// # Safety
    /// `start` and `size` are page-aligned and the range lies in one that was reserved and not released.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel refuses; the range is then as it was.
    unsafe fn commit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError>;

    /// Takes access and memory from a range; its contents are lost.
    ///
    /// # Safety
    /// As for [`commit`](Self::commit), and nothing uses the range's contents any more.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel refuses; access to the range may then remain.
    unsafe fn decommit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError>;

    /// Puts memory behind a committed range at once, instead of page by page at first touch. Contents stay.
    ///
    /// # Safety
    /// `start` and `size` are page-aligned and the range is committed.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel cannot (old kernels, no memory); pages then come with the first touch.
    unsafe fn populate(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError>;

    /// Tells the kernel what to expect of a range.
    ///
    /// # Safety
    /// `start` and `size` are page-aligned and the range is committed. With [`Advice::DontNeed`], nothing uses its
    /// contents any more.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel refuses; the range is then as it was.
    unsafe fn advise(&self, start: NonNull<u8>, size: usize, advice: Advice) -> Result<(), AllocError>;

    /// Gives a range back for good. Parts of a reservation may be released one by one.
    ///
    /// # Safety
    /// `start` and `size` are page-aligned, the range lies in one that was reserved or mapped and not released, and
    /// nothing uses it any more.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel refuses (splitting a mapping may exceed the limit on their number); the range is
    /// then still the caller's.
    unsafe fn release(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError>;

    /// Resizes a mapping, keeping contents up to the smaller size; new bytes read as zero. With `may_move` it may come
    /// back at another (page-aligned) address.
    ///
    /// # Safety
    /// `start` and both sizes are page-aligned and non-zero, `start..start + old_size` is committed and came whole from
    /// one call of [`map`](Self::map) or `remap`, and nothing uses what is cut off or, when it moves, the old address.
    ///
    /// # Errors
    /// [`AllocError`] when it cannot be done; the mapping is then as it was.
    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, AllocError>;
}

/// The program break: the one growing heap of a Unix process.
///
/// # Safety
///
/// Implementors promise that after `sbrk(n)` with `n > 0` the `n` bytes from the returned address are readable,
/// writable and the caller's.
pub unsafe trait Break {
    /// Moves the break by `delta` bytes and returns where it was before. `delta` 0 tells where it is.
    ///
    /// # Safety
    /// With a negative `delta`, nothing uses the bytes given back, and the break was not moved by others since the
    /// caller got them.
    ///
    /// # Errors
    /// [`AllocError`] when the kernel refuses; the break is then where it was.
    unsafe fn sbrk(&self, delta: isize) -> Result<NonNull<u8>, AllocError>;
}

// SAFETY: every method forwards to the same method of `P` with the same arguments, so `P`'s promises are ours.
unsafe impl<P: Pages + ?Sized> Pages for &P {
    #[inline]
    fn page_size(&self) -> usize {
        (**self).page_size()
    }

    #[inline]
    fn reserve(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        (**self).reserve(size, align)
    }

    #[inline]
    fn map(&self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        (**self).map(size, align)
    }

    #[inline]
    unsafe fn commit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).commit(start, size) }
    }

    #[inline]
    unsafe fn decommit(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).decommit(start, size) }
    }

    #[inline]
    unsafe fn populate(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).populate(start, size) }
    }

    #[inline]
    unsafe fn advise(&self, start: NonNull<u8>, size: usize, advice: Advice) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).advise(start, size, advice) }
    }

    #[inline]
    unsafe fn release(&self, start: NonNull<u8>, size: usize) -> Result<(), AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).release(start, size) }
    }

    #[inline]
    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).remap(start, old_size, new_size, may_move) }
    }
}

// SAFETY: the method forwards to that of `B` with the same argument, so `B`'s promises are ours.
unsafe impl<B: Break + ?Sized> Break for &B {
    #[inline]
    unsafe fn sbrk(&self, delta: isize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { (**self).sbrk(delta) }
    }
}
