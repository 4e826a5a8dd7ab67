//! Arenas as strategies.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{AllocError, Strategy, move_block};

use crate::bump::Bump;
use crate::config::Config;
use crate::typed::Fast;

// SAFETY: blocks are cut from the free extent and never overlap (`bumping`); they lie in the buffer or in chunks, which
// the arena does not move, and stay until it is rewound (unsafe), reset or dropped (exclusive). Nothing here unwinds.
unsafe impl<B: Backend, C: Config> Strategy for Bump<B, C> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.take(layout)
    }

    /// Fresh pages are not cleared again: a request that the open memory has no room for is cleared only as far as that
    /// memory reaches.
    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.arena.window().place::<C>(layout) {
            Some(block) => {
                // SAFETY: a new block of so many bytes.
                unsafe { block.write_bytes(0, layout.size()) };
                Ok(block)
            }
            None => self.take_zeroed_slow(layout),
        }
    }

    /// Memory comes back when the block is the last one.
    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller promises a live block that the layout fits.
        unsafe { self.arena.window().take_back::<C>(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        match unsafe { self.arena.window().grow::<C>(block, old, new) } {
            Some(grown) => Ok(grown),
            // SAFETY: as above.
            None => unsafe { self.grow_slow(block, old, new) },
        }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        Ok(unsafe { self.arena.window().shrink::<C>(block, old, new) }.unwrap_or(block))
    }
}

impl<B: Backend, C: Config> Fast for Bump<B, C> {
    #[inline(always)]
    fn fast<T>(&self) -> Option<NonNull<T>> {
        self.arena.window().place_value::<C, T>()
    }
}

impl<B: Backend, C: Config> Bump<B, C> {
    /// # Safety
    /// As for [`Strategy::grow`].
    #[cold]
    #[inline(never)]
    unsafe fn grow_slow(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        match unsafe { self.arena.regrow(&self.backend, block, old, new) } {
            Some(grown) => Ok(grown),
            // SAFETY: a live block of ours that `old` fits.
            None => unsafe { move_block(self, block, old, new) },
        }
    }
}

alloc_core::impl_allocator_api2!([B: Backend, C: Config] Bump<B, C>);
