//! The handle of a strategy that knows its blocks' sizes.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::Handle;
use crate::error::AllocError;
use crate::forward_inspect;
use crate::inspect::Inspect;
use crate::sized::SizedBlocks;
use crate::strategy::{Strategy, forward_strategy};

type Free = unsafe extern "C" fn(*const (), *mut u8);
type UsableSize = unsafe extern "C" fn(*const (), *const u8) -> usize;
type Reallocate = unsafe extern "C" fn(*const (), *mut u8, usize) -> *mut u8;

/// A [`Handle`] with the methods of [`SizedBlocks`], from [`Handle::sized`].
#[derive(Clone, Copy, Debug)]
pub struct SizedHandle<'a> {
    handle: Handle<'a>,
    free: Free,
    usable_size: UsableSize,
    reallocate: Reallocate,
}

impl<'a> SizedHandle<'a> {
    pub(super) const fn of(handle: Handle<'a>) -> Option<Self> {
        match (handle.vtable.free, handle.vtable.usable_size, handle.vtable.reallocate) {
            (Some(free), Some(usable_size), Some(reallocate)) => {
                Some(Self { handle, free, usable_size, reallocate })
            }
            _ => None,
        }
    }

    /// The handle without them.
    #[must_use]
    pub const fn handle(self) -> Handle<'a> {
        self.handle
    }
}

// SAFETY: every method is the handle's, so its promises are ours.
unsafe impl Strategy for SizedHandle<'_> {
    forward_strategy!(self => self.handle);
}

// SAFETY: every method calls the table's entry for it, which keeps the promises of the strategy behind the handle.
unsafe impl SizedBlocks for SizedHandle<'_> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the data word belongs to the table that the entry is from; the caller's promises are the callee's.
        unsafe { (self.free)(self.handle.data, block.as_ptr()) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: as for `free`.
        unsafe { (self.usable_size)(self.handle.data, block.as_ptr()) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: as for `free`.
        let block = unsafe { (self.reallocate)(self.handle.data, block.as_ptr(), new_size) };
        NonNull::new(block).ok_or(AllocError)
    }
}

impl Inspect for SizedHandle<'_> {
    forward_inspect!(self => self.handle);
}
