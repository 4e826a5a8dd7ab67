//! What several tests use.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::{Block, BlockState, Inspect, Step, Strategy, Visit, Walked};

/// A layout that is known to be one.
pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

/// A block of 16-byte alignment.
pub(crate) fn take(heap: &dyn Strategy, size: usize) -> NonNull<u8> {
    heap.allocate(layout(size, 16)).expect("memory suffices")
}

/// Gives back what [`take`] took.
pub(crate) fn give(heap: &dyn Strategy, block: NonNull<u8>, size: usize) {
    // SAFETY: tests pass live blocks from `take`, with their size.
    unsafe { heap.deallocate(block, layout(size, 16)) };
}

/// All blocks of a walk in a state, by address.
pub(crate) fn blocks(heap: &dyn Inspect, state: BlockState) -> Vec<Block> {
    let mut found = Vec::new();
    let walked = heap.walk(&mut |step| {
        if let Step::Block(block) = step
            && block.state == state
        {
            found.push(block);
        }
        Visit::Continue(())
    });
    assert_eq!(walked, Walked::Complete);
    found.sort_by_key(|block| block.address);
    found
}
