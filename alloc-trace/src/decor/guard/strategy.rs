//! The guard as a strategy.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use alloc_core::{AllocError, SizedBlocks, Strategy, move_block};

use super::frame::{Guarded, outer};
use super::{Fault, Guard};

/// The alignment that [`SizedBlocks::reallocate`] promises.
const PLAIN_ALIGN: usize = 16;

impl<S: Strategy> Guard<S> {
    fn guarded(
        &self,
        layout: Layout,
        allocate: impl Fn(&S, Layout) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        let (whole, front) = outer(layout).ok_or(AllocError)?;
        let block = match allocate(&self.inner, whole) {
            Ok(block) => block,
            Err(AllocError) => {
                // What is held back may be what is missing.
                self.drain();
                allocate(&self.inner, whole)?
            }
        };
        // SAFETY: a fresh block of that very layout.
        let guarded = unsafe { Guarded::create(block, layout, front) };
        self.live.fetch_add(layout.size(), Ordering::Relaxed);
        self.live_blocks.fetch_add(1, Ordering::Relaxed);
        Ok(guarded.user)
    }

    /// A block on pages of its own, where it is this one's turn.
    #[inline]
    fn sampled(&self, layout: Layout) -> Option<NonNull<u8>> {
        if self.every == 0 {
            return None;
        }
        let tick = self.tick.fetch_add(1, Ordering::Relaxed);
        if tick.is_multiple_of(self.every.into()) { self.slots.allocate(layout) } else { None }
    }
}

// SAFETY: every block handed out is part of a live block of the inner strategy, or of a slot's pages, aligned as asked and
// behind at least 32 bytes of ours; blocks overlap no others because inner blocks do not. Blocks with faults are kept from
// reuse. Nothing unwinds; memory of the guard's own comes from the system.
unsafe impl<S: Strategy> Strategy for Guard<S> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.sampled(layout) {
            Some(block) => Ok(block),
            None => self.guarded(layout, S::allocate),
        }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.sampled(layout) {
            Some(block) => Ok(block),
            None => self.guarded(layout, S::allocate_zeroed),
        }
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller promises a live block.
        unsafe { self.give_back(block, Some(layout.size())) };
    }
}

// SAFETY: the size told is that of the request, all of which is the holder's; the methods take all blocks alike.
unsafe impl<S: SizedBlocks> SizedBlocks for Guard<S> {
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller promises a live block.
        unsafe { self.give_back(block, None) };
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        if self.slots.contains(block.addr().get()) {
            return match self.slots.size(block) {
                Ok(size) => size,
                Err(misuse) => {
                    self.fault(Fault::Misuse(misuse), block.addr().get());
                    0
                }
            };
        }
        self.live(block).map_or(0, |guarded| guarded.size)
    }

    /// Always moves.
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller promises a live block.
        let old = unsafe { self.usable_size(block) };
        let old = Layout::from_size_align(old, PLAIN_ALIGN).map_err(|_| AllocError)?;
        let new = Layout::from_size_align(new_size, PLAIN_ALIGN).map_err(|_| AllocError)?;
        // SAFETY: a live block of this guard's; the layout has its size, and alignments are not compared.
        unsafe { move_block(self, block, old, new) }
    }
}

alloc_core::impl_allocator_api2!([S: Strategy] Guard<S>);
