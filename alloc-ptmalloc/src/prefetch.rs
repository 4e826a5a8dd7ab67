//! Asking the processor for a line of memory ahead of its use.

use core::ptr::NonNull;

/// Bytes of a line of memory in the processor's caches.
pub(crate) const LINE: usize = 64;

/// Begins to fetch the line that lies `ahead` bytes behind `place`. No more than a hint: the address may be anything.
#[inline]
pub(crate) fn prefetch(place: NonNull<u8>, ahead: usize) {
    let line = place.as_ptr().wrapping_add(ahead);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can see, and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = line;
}

/// Begins to fetch the line at `place` to be written: where another processor wrote it last, that one lets go of it at once, not a
/// second time when the write comes. The address may be anything, null too.
#[inline]
pub(crate) fn prefetch_to_write(place: *mut u8) {
    // One instruction, which processors of 64 bits that do not know it pass over.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch changes nothing that the program can see, and faults at no address.
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}
