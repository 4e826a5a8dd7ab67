//! A sound strategy without bounds: every block is the system allocator's, and stands in a table.

use core::alloc::{GlobalAlloc, Layout};
use core::ops::ControlFlow;
use core::ptr::NonNull;
use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloc_core::arith::{align_up, checked_layout};
use alloc_core::{
    AllocError, Block, BlockState, Gauge, Inspect, Ownership, SizedBlocks, Stats, Step, Strategy, Visit,
    Walked, Zone,
};

/// Sizes and alignments are rounded up to this, which makes usable sizes worth asking for.
const GRANULE: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Kept {
    table: Mutex<Table>,
    freed: Freed,
}

/// What becomes of a block that is given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Freed {
    /// It is the system's again.
    #[default]
    Returned,
    /// It counts as committed until somebody trims, as much as a strategy that keeps memory may do.
    UntilTrimmed,
    /// The one defect: it counts as committed for ever.
    Never,
}

#[derive(Debug, Default)]
struct Table {
    /// The layout that each block was taken from the system with, by address.
    blocks: BTreeMap<usize, Layout>,
    live: usize,
    held: usize,
    peak: usize,
}

impl Table {
    fn insert(&mut self, block: NonNull<u8>, layout: Layout) {
        self.live += layout.size();
        self.peak = self.peak.max(self.live + self.held);
        self.blocks.insert(block.addr().get(), layout);
    }

    fn remove(&mut self, block: NonNull<u8>) -> Layout {
        let layout = self.blocks.remove(&block.addr().get()).expect("a live block");
        self.live -= layout.size();
        layout
    }
}

impl Kept {
    pub(crate) fn leaking() -> Self {
        Self { freed: Freed::Never, table: Mutex::default() }
    }

    pub(crate) fn trimming() -> Self {
        Self { freed: Freed::UntilTrimmed, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(
        &self,
        layout: Layout,
        from: unsafe fn(&System, Layout) -> *mut u8,
    ) -> Result<NonNull<u8>, AllocError> {
        let layout = rounded(layout.size(), layout.align())?;
        // SAFETY: the rounded size is not zero.
        let block = NonNull::new(unsafe { from(&System, layout) }).ok_or(AllocError)?;
        self.table().insert(block, layout);
        Ok(block)
    }

    /// # Safety
    /// A live block, and `size` is what it is to hold.
    unsafe fn resize(&self, block: NonNull<u8>, size: usize) -> Result<NonNull<u8>, AllocError> {
        let mut table = self.table();
        let old = table.blocks[&block.addr().get()];
        let new = rounded(size, old.align())?;
        // SAFETY: the block is the system's, with this layout, and the new size is not zero.
        let resized = unsafe { System.realloc(block.as_ptr(), old, new.size()) };
        let resized = NonNull::new(resized).ok_or(AllocError)?;
        table.remove(block);
        table.insert(resized, new);
        Ok(resized)
    }
}

fn rounded(size: usize, align: usize) -> Result<Layout, AllocError> {
    let size = align_up(size.max(1), GRANULE).ok_or(AllocError)?;
    checked_layout(size, align.max(GRANULE)).ok_or(AllocError)
}

impl Drop for Kept {
    fn drop(&mut self) {
        for (address, layout) in core::mem::take(&mut self.table().blocks) {
            // SAFETY: the block is the system's, with this layout, and nobody can use it any more.
            unsafe { System.dealloc(core::ptr::with_exposed_provenance_mut(address), layout) };
        }
    }
}

// SAFETY: blocks are the system allocator's, of at least the size and alignment asked for, and live until they are taken
// out of the table. The table is on the heap of the test, not on this one. Nothing unwinds for callers who keep the
// contract.
unsafe impl Strategy for Kept {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.take(layout, System::alloc)?;
        let _ = block.as_ptr().expose_provenance();
        Ok(block)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.take(layout, System::alloc_zeroed)?;
        let _ = block.as_ptr().expose_provenance();
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.free(block) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, _old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller promises a live block; its alignment in the table is the one of `new`.
        unsafe { self.resize(block, new.size()) }
    }

    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        _old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: as for `grow`.
        unsafe { self.resize(block, new.size()) }
    }
}

// SAFETY: the usable size is what the system was asked for, and the table knows every block.
unsafe impl SizedBlocks for Kept {
    unsafe fn free(&self, block: NonNull<u8>) {
        let mut table = self.table();
        let layout = table.remove(block);
        table.held += if self.freed == Freed::Returned { 0 } else { layout.size() };
        // SAFETY: the block is the system's, with this layout, and its holder gave it up.
        unsafe { System.dealloc(block.as_ptr(), layout) };
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        self.table().blocks[&block.addr().get()].size()
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller promises a live block.
        unsafe { self.resize(block, new_size) }
    }
}

impl Inspect for Kept {
    fn name(&self) -> &'static str {
        "kept"
    }

    fn stats(&self) -> Stats {
        let table = self.table();
        let (live, blocks) = (Gauge::of(table.live), Gauge::of(table.blocks.len()));
        let committed = Gauge::of(table.live + table.held);
        Stats {
            reserved: committed,
            committed,
            committed_peak: Gauge::of(table.peak),
            live,
            live_blocks: blocks,
            cached: Gauge::of(0),
            free: Gauge::of(0),
            metadata: Gauge::of(table.held),
            ..Stats::UNKNOWN
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        for (&address, layout) in &self.table().blocks {
            let size = layout.size();
            let block = Block { address, size, state: BlockState::Used };
            for step in [Step::Zone(Zone { address, size }), Step::Block(block)] {
                if let ControlFlow::Break(()) = visit(step) {
                    return Walked::Stopped;
                }
            }
        }
        Walked::Complete
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        let address = address.addr().get();
        match self.table().blocks.range(..=address).next_back() {
            Some((start, layout)) if address - start < layout.size() => Ownership::Mine,
            _ => Ownership::NotMine,
        }
    }

    fn trim(&self, keep: usize) -> usize {
        let mut table = self.table();
        let given = if self.freed == Freed::UntilTrimmed { table.held.saturating_sub(keep) } else { 0 };
        table.held -= given;
        given
    }
}
