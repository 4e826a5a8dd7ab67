//! Requests in C's terms, sent to whichever strategy serves the process.
//!
//! A null answer is a failure, with `errno` set to `ENOMEM`. Frees leave `errno` alone.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use alloc_core::{AllocError, Misuse, SizedBlocks, Strategy};

use crate::boot;
use crate::errno;
use crate::front::{self, Front};
use crate::spare::{C_ALIGN, EARLY};

/// Null, with `errno` telling that there is no memory.
#[cold]
#[inline(never)]
pub(crate) fn no_memory() -> *mut u8 {
    errno::set(libc::ENOMEM);
    ptr::null_mut()
}

fn answer(block: Result<NonNull<u8>, AllocError>) -> *mut u8 {
    match block {
        Ok(block) => block.as_ptr(),
        Err(AllocError) => no_memory(),
    }
}

/// C's blocks are distinct, those of no bytes too.
fn layout(size: usize, align: usize) -> Result<Layout, AllocError> {
    Layout::from_size_align(size.max(1), align).map_err(|_| AllocError)
}

/// A block, or an error. Strategies leave `errno` alone, but for the C library itself.
pub(crate) fn try_allocate(size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    let layout = layout(size, align)?;
    let block = match boot::active() {
        Some(served) => served.handle.allocate(layout)?,
        None => EARLY.allocate(layout)?,
    };
    let freed = boot::perturb();
    if freed != 0 {
        // SAFETY: a new block of at least so many bytes.
        unsafe { block.write_bytes(!freed, layout.size()) };
    }
    Ok(block)
}

/// `malloc`, at any power of two.
#[inline(never)]
pub(crate) fn allocate(size: usize, align: usize) -> *mut u8 {
    answer(try_allocate(size, align))
}

/// `malloc` of what does not lie at hand.
#[inline(never)]
pub(crate) fn malloc(size: usize) -> *mut u8 {
    match front::serving() {
        Some(heap) => {
            answer(heap.malloc_beyond_hand(size).or_else(|_| layout(size, C_ALIGN).and_then(front::instead)))
        }
        None => allocate(size, C_ALIGN),
    }
}

/// `calloc`, after the multiplication.
pub(crate) fn allocate_zeroed(size: usize) -> *mut u8 {
    let zeroed = |layout| match (front::serving(), boot::active()) {
        (Some(_), _) => Front.allocate_zeroed(layout),
        (None, Some(served)) => served.handle.allocate_zeroed(layout),
        (None, None) => EARLY.allocate_zeroed(layout),
    };
    answer(layout(size, C_ALIGN).and_then(zeroed))
}

/// `free` of what is not null, and was not put back at hand.
///
/// # Safety
/// The block is live, and the process's strategy's.
#[inline(never)]
pub(crate) unsafe fn free(block: NonNull<u8>) {
    if let Some(heap) = front::serving() {
        // SAFETY: the caller's promise; who serves in front is the process's strategy.
        return unsafe { heap.free_beyond_hand(block) };
    }
    if EARLY.owns(block) {
        // SAFETY: a live block.
        return unsafe { EARLY.free(block) };
    }
    // While there is no strategy, there are no blocks but spare ones.
    let Some(served) = boot::active() else { return };
    let byte = boot::perturb();
    if byte != 0 {
        // SAFETY: a live block.
        let size = unsafe { served.handle.usable_size(block) };
        // SAFETY: so many bytes are the caller's, who gives them up.
        unsafe { block.write_bytes(byte, size) };
    }
    // SAFETY: a live block.
    unsafe { served.handle.free(block) };
}

/// `free_sized` and `free_aligned_sized`: from level 2 on, the size that is named is compared with the block's.
///
/// # Safety
/// As for [`free`], and the block was requested with this size.
pub(crate) unsafe fn free_sized(block: NonNull<u8>, size: usize) {
    if boot::check() >= 2 {
        // SAFETY: a live block.
        let usable = unsafe { usable_size(block) };
        // 0 is what cannot be told.
        if usable != 0 && size > usable {
            let strategy = boot::active().map_or("strata", |served| served.choice.name());
            return boot::on_fault().handle(Misuse::LayoutMismatch, strategy, block.addr().get());
        }
    }
    // SAFETY: the caller's promises are the callee's.
    unsafe { free(block) };
}

/// `realloc` of what is not null, to a size that is not zero.
///
/// # Safety
/// As for [`free`].
#[inline(never)]
pub(crate) unsafe fn reallocate(block: NonNull<u8>, size: usize) -> *mut u8 {
    if layout(size, C_ALIGN).is_err() {
        return no_memory();
    }
    let Some(served) = boot::active() else {
        // SAFETY: while there is no strategy, blocks are spare ones.
        return answer(unsafe { move_spare(block, size) });
    };
    if EARLY.owns(block) {
        // SAFETY: a live block of that region.
        return answer(unsafe { move_spare(block, size) });
    }
    if front::serving().is_some() {
        // SAFETY: a live block.
        return answer(unsafe { Front.reallocate(block, size) });
    }
    // SAFETY: as above.
    answer(unsafe { served.handle.reallocate(block, size) })
}

/// # Safety
/// The block is live, and of the spare region.
unsafe fn move_spare(block: NonNull<u8>, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: promised by the caller; the new block has so many bytes.
    unsafe { EARLY.replace(block, size, try_allocate(size, C_ALIGN)) }
}

/// `malloc_usable_size` of what is not null.
///
/// # Safety
/// As for [`free`].
pub(crate) unsafe fn usable_size(block: NonNull<u8>) -> usize {
    if EARLY.owns(block) {
        // SAFETY: promised by the caller.
        return unsafe { EARLY.size(block) };
    }
    // SAFETY: promised by the caller.
    boot::active().map_or(0, |served| unsafe { served.handle.usable_size(block) })
}
