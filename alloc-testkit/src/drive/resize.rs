//! Growing, shrinking and reallocating.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::arith::checked_layout;

use super::{Driver, PLAIN_ALIGN, fitting};
use crate::breach::Breach;
use crate::fill;
use crate::shadow::Tracked;

impl Driver<'_> {
    /// `grow`, or `grow_zeroed`, to `size` bytes. Whether the block grew; it stays as it was when not.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot, `size` is below its size, or they do not make a layout.
    pub fn grow(&mut self, slot: usize, size: usize, zeroed: bool) -> Result<bool, Breach> {
        self.verify(slot)?;
        let tracked = self.shadow.blocks()[slot];
        let new = resized(&tracked, size);
        assert!(size >= tracked.layout.size(), "grow to {size} bytes from {}", tracked.layout.size());
        let old = fitting(&tracked, size);
        let strategy = self.subject.strategy();
        let answer = if zeroed {
            // SAFETY: the shadow holds the block as live, `old` fits it, is no larger than `new`, and as aligned.
            unsafe { strategy.grow_zeroed(tracked.block, old, new) }
        } else {
            // SAFETY: as above.
            unsafe { strategy.grow(tracked.block, old, new) }
        };
        let Some(block) = self.judge(answer, new)? else {
            self.verify(slot)?;
            return Ok(false);
        };
        self.report.grown += 1;
        self.replace(slot, block, new, old.size())?;
        if zeroed {
            // SAFETY: the strategy promises zeros from `old.size()` on; the shadow, that nobody else holds the block.
            unsafe { fill::verify_zero(block, old.size(), size) }?;
        }
        self.fill(slot);
        Ok(true)
    }

    /// `shrink` to `size` bytes. Whether the block shrank; it stays as it was when not.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot, or `size` is above its size.
    pub fn shrink(&mut self, slot: usize, size: usize) -> Result<bool, Breach> {
        self.verify(slot)?;
        let tracked = self.shadow.blocks()[slot];
        let new = resized(&tracked, size);
        assert!(size <= tracked.layout.size(), "shrink to {size} bytes from {}", tracked.layout.size());
        let old = fitting(&tracked, usize::MAX);
        // SAFETY: the shadow holds the block as live, `old` fits it, is no smaller than `new`, and as aligned.
        let answer = unsafe { self.subject.strategy().shrink(tracked.block, old, new) };
        let Some(block) = self.judge(answer, new)? else {
            self.verify(slot)?;
            return Ok(false);
        };
        self.report.shrunk += 1;
        self.replace(slot, block, new, size)?;
        self.fill(slot);
        Ok(true)
    }

    /// `reallocate` to `size` bytes, or `grow` or `shrink` on a strategy without it. Whether the block was resized; it
    /// stays as it was when not. The block's alignment is [`PLAIN_ALIGN`] from then on.
    ///
    /// # Errors
    /// What the strategy did wrong.
    ///
    /// # Panics
    /// When no block is in the slot, or `size` does not make a layout.
    pub fn reallocate(&mut self, slot: usize, size: usize) -> Result<bool, Breach> {
        let before = self.shadow.blocks()[slot].layout.size();
        let Some(sized) = self.subject.sized_blocks() else {
            return if size < before { self.shrink(slot, size) } else { self.grow(slot, size, false) };
        };
        self.verify(slot)?;
        let tracked = self.shadow.blocks()[slot];
        let new = checked_layout(size, PLAIN_ALIGN).unwrap_or_else(|| panic!("{size} bytes make no layout"));
        // SAFETY: the shadow holds the block as live.
        let answer = unsafe { sized.reallocate(tracked.block, size) };
        let Some(block) = self.judge(answer, new)? else {
            self.verify(slot)?;
            return Ok(false);
        };
        if size < before {
            self.report.shrunk += 1;
        } else {
            self.report.grown += 1;
        }
        self.replace(slot, block, new, before.min(size))?;
        self.fill(slot);
        Ok(true)
    }

    /// Puts a resized block into its slot and verifies the `kept` bytes at its start, which hold the old pattern.
    fn replace(
        &mut self,
        slot: usize,
        block: NonNull<u8>,
        layout: Layout,
        kept: usize,
    ) -> Result<(), Breach> {
        let old = self.shadow.blocks()[slot];
        let new = self.tracked(block, layout);
        self.shadow.resize(slot, new)?;
        self.report.moved += u64::from(block != old.block);
        self.verify_contents(&Tracked { block, ..old }, kept)
    }
}

fn resized(tracked: &Tracked, size: usize) -> Layout {
    checked_layout(size, tracked.layout.align())
        .unwrap_or_else(|| panic!("{size} bytes aligned to {} make no layout", tracked.layout.align()))
}
