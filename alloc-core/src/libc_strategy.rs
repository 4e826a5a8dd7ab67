//! The `libc` strategy: the C library's allocator behind the trait.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::arith::size_rounded_to_align;
use crate::error::AllocError;
use crate::inspect::{Inspect, Ownership};
use crate::sized::SizedBlocks;
use crate::stats::Stats;
use crate::strategy::{Strategy, move_block, move_block_zeroed, zero_tail};
use crate::walk::{Step, Visit, Walked};

/// The alignment that `malloc` gives to every block at least as large as it: two words.
const MALLOC_ALIGN: usize = 2 * size_of::<usize>();

/// The C library's allocator: `malloc` for ordinary alignments, `aligned_alloc` with the size rounded up to the alignment
/// beyond them. Whatever library provides those symbols serves it, so that a preloaded allocator is seen through it too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Libc;

/// Whether `malloc` and `realloc` align a block of this layout as it asks. A block smaller than its alignment may get less
/// from allocators with size classes below two words.
#[inline]
const fn malloc_aligns(layout: Layout) -> bool {
    layout.align() <= MALLOC_ALIGN && layout.align() <= layout.size()
}

// SAFETY: C's allocation functions return null or live blocks of the size asked for, aligned as argued at each call, which
// stay live until they are freed. They do not unwind. The type has no state that could move.
unsafe impl Strategy for Libc {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = if malloc_aligns(layout) {
            // SAFETY: `malloc` takes any size.
            unsafe { libc::malloc(layout.size()) }
        } else {
            aligned(layout)
        };
        NonNull::new(block.cast()).ok_or(AllocError)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if malloc_aligns(layout) {
            // SAFETY: `calloc` takes any size.
            return NonNull::new(unsafe { libc::calloc(layout.size(), 1) }.cast()).ok_or(AllocError);
        }
        let block = self.allocate(layout)?;
        // SAFETY: a new block of at least `layout.size()` bytes.
        unsafe { zero_tail(block, 0, layout.size()) };
        Ok(block)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.free(block) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if malloc_aligns(new) {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.reallocate(block, new.size()) }
        } else {
            // SAFETY: the caller promises a live block that `old` fits.
            unsafe { move_block(self, block, old, new) }
        }
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if malloc_aligns(new) {
            // SAFETY: the caller's promises are the callee's.
            let grown = unsafe { self.reallocate(block, new.size()) }?;
            // SAFETY: the block has `new.size()` bytes, of which the caller keeps `old.size()`.
            unsafe { zero_tail(grown, old.size(), new.size()) };
            Ok(grown)
        } else {
            // SAFETY: the caller promises a live block that `old` fits, and a size that does not fall.
            unsafe { move_block_zeroed(self, block, old, new) }
        }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if malloc_aligns(new) {
            // SAFETY: the caller's promises are the callee's.
            unsafe { self.reallocate(block, new.size()) }
        } else {
            // SAFETY: the caller promises a live block that `old` fits.
            unsafe { move_block(self, block, old, new) }
        }
    }
}

/// A block at a multiple of any power of two, or null. C11 wants the size to be a multiple of the alignment; POSIX lets an
/// alignment below a word, and a size of 0, be refused, hence the lower bounds.
fn aligned(layout: Layout) -> *mut libc::c_void {
    let align = layout.align().max(size_of::<usize>());
    match layout.align_to(align) {
        Ok(layout) => {
            let size = size_rounded_to_align(layout).max(align);
            // SAFETY: a power of two, no smaller than a word, and a size that is a multiple of it.
            unsafe { libc::aligned_alloc(align, size) }
        }
        Err(_) => core::ptr::null_mut(),
    }
}

// SAFETY: C promises `malloc_usable_size` bytes of a live block to its holder, and `free` and `realloc` take the blocks of
// `malloc`, `calloc` and `aligned_alloc` alike.
unsafe impl SizedBlocks for Libc {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller promises a live block of the C library's allocator.
        unsafe { libc::free(block.as_ptr().cast()) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller promises a live block of the C library's allocator.
        unsafe { libc::malloc_usable_size(block.as_ptr().cast()) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // At least 1: with 0, `realloc` may free the block and return null, which would read as a failure.
        // SAFETY: the caller promises a live block of the C library's allocator.
        let resized = unsafe { libc::realloc(block.as_ptr().cast(), new_size.max(1)) };
        NonNull::new(resized.cast()).ok_or(AllocError)
    }
}

impl Inspect for Libc {
    fn name(&self) -> &'static str {
        "libc"
    }

    /// The figures of `mallinfo2` where the C library is glibc. Its thread caches count as live there.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn stats(&self) -> Stats {
        use crate::stats::Gauge;
        // SAFETY: `mallinfo2` has no conditions.
        let info = unsafe { libc::mallinfo2() };
        Stats {
            committed: Gauge::of(info.arena + info.hblkhd),
            live: Gauge::of(info.uordblks + info.hblkhd),
            cached: Gauge::of(info.fsmblks),
            cached_blocks: Gauge::of(info.smblks),
            free: Gauge::of(info.fordblks - info.fsmblks),
            free_blocks: Gauge::of(info.ordblks),
            mapped: Gauge::of(info.hblkhd),
            mapped_blocks: Gauge::of(info.hblks),
            metadata: Gauge::of(0),
            ..Stats::UNKNOWN
        }
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn stats(&self) -> Stats {
        Stats::UNKNOWN
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Unsupported
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::Unknown
    }

    /// `malloc_trim`. The answer counts what left the heap at its end; pages given back within it are not told.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn trim(&self, keep: usize) -> usize {
        // SAFETY: `mallinfo2` has no conditions.
        let before = unsafe { libc::mallinfo2() }.arena;
        // SAFETY: `malloc_trim` takes any size.
        unsafe { libc::malloc_trim(keep) };
        // SAFETY: `mallinfo2` has no conditions.
        before.saturating_sub(unsafe { libc::mallinfo2() }.arena)
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn trim(&self, _keep: usize) -> usize {
        0
    }
}
