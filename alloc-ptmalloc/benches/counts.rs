//! Functions to count the instructions of: `ci/count-ptmalloc.sh` runs this under callgrind.
//!
//! The hit paths stand alone in functions that are not inlined, named `count_<operation>`, and are called [`CALLS`] times in
//! a state where they hit. The batches allocate [`BATCH`] blocks of one size, and free them, in one call each.

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;

use alloc_core::backend::PagesBackend;
use alloc_core::os::unix::Os;
use alloc_core::{SizedBlocks, Strategy};
use alloc_ptmalloc::{Config, Era, ProcessSlot, Ptmalloc};

/// Kept in step with `ci/count-ptmalloc.sh`.
const CALLS: usize = 100;
/// As above.
const BATCH: usize = 10_000;

// SAFETY: the only one of this program, and a static.
static HEAP: Ptmalloc<PagesBackend<Os>, ProcessSlot> =
    unsafe { Ptmalloc::for_process(Config::new(Era::Ours)) };

#[inline(never)]
#[unsafe(no_mangle)]
fn count_malloc(size: usize) -> Option<NonNull<u8>> {
    HEAP.malloc(size).ok()
}

#[inline(never)]
#[unsafe(no_mangle)]
unsafe fn count_free(block: NonNull<u8>) {
    // SAFETY: the caller's promise is the callee's.
    unsafe { HEAP.free(block) };
}

#[inline(never)]
#[unsafe(no_mangle)]
fn count_alloc_layout(layout: Layout) -> Option<NonNull<u8>> {
    HEAP.allocate(layout).ok()
}

#[inline(never)]
#[unsafe(no_mangle)]
unsafe fn count_dealloc_layout(block: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promises are the callee's.
    unsafe { HEAP.deallocate(block, layout) };
}

/// As a `Vec` asks: the alignment is known, the size is not.
#[inline(never)]
#[unsafe(no_mangle)]
fn count_alloc_bytes(size: usize) -> Option<NonNull<u8>> {
    // SAFETY: a power of two, and far from the limit.
    let layout = unsafe { Layout::from_size_align_unchecked(size, 8) };
    HEAP.allocate(layout).ok()
}

#[inline(never)]
#[unsafe(no_mangle)]
unsafe fn count_dealloc_bytes(block: NonNull<u8>, size: usize) {
    // SAFETY: a block of so many words was allocated: the layout is one.
    let layout = unsafe { Layout::from_size_align_unchecked(size, 8) };
    // SAFETY: the block was allocated with this layout.
    unsafe { HEAP.deallocate(block, layout) };
}

/// As `Box<[u64; 8]>` asks: all is known.
#[inline(never)]
#[unsafe(no_mangle)]
fn count_alloc_const() -> Option<NonNull<u8>> {
    HEAP.allocate(Layout::new::<[u64; 8]>()).ok()
}

#[inline(never)]
#[unsafe(no_mangle)]
unsafe fn count_dealloc_const(block: NonNull<u8>) {
    // SAFETY: the block was allocated with this layout.
    unsafe { HEAP.deallocate(block, Layout::new::<[u64; 8]>()) };
}

#[inline(never)]
#[unsafe(no_mangle)]
fn count_batch_alloc(blocks: &mut [NonNull<u8>], layout: Layout) {
    for block in blocks {
        let Ok(got) = HEAP.allocate(layout) else { return };
        *block = got;
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
fn count_batch_free(blocks: &[NonNull<u8>], layout: Layout) {
    for &block in blocks {
        // SAFETY: each block was allocated with this layout, and is freed once.
        unsafe { HEAP.deallocate(block, layout) };
    }
}

fn main() {
    // Every class that is used below has blocks and room.
    let warm = |layout: Layout| {
        let blocks: Vec<_> = (0..20).map(|_| HEAP.allocate(layout).expect("memory")).collect();
        for block in blocks.into_iter().skip(10) {
            // SAFETY: live, with this layout.
            unsafe { HEAP.deallocate(block, layout) };
        }
    };
    for size in [64, 100, 72] {
        warm(Layout::from_size_align(size, 8).expect("a layout"));
    }
    for _ in 0..CALLS {
        let block = count_malloc(black_box(100)).expect("a hit");
        // SAFETY: live.
        unsafe { count_free(black_box(block)) };
        let layout = Layout::from_size_align(black_box(100), black_box(8)).expect("a layout");
        let block = count_alloc_layout(layout).expect("a hit");
        // SAFETY: live, with this layout.
        unsafe { count_dealloc_layout(black_box(block), layout) };
        let block = count_alloc_bytes(black_box(72)).expect("a hit");
        // SAFETY: as above.
        unsafe { count_dealloc_bytes(black_box(block), black_box(72)) };
        let block = count_alloc_const().expect("a hit");
        // SAFETY: as above.
        unsafe { count_dealloc_const(black_box(block)) };
    }
    let layout = Layout::from_size_align(black_box(48), 8).expect("a layout");
    let mut blocks = vec![NonNull::dangling(); BATCH];
    count_batch_alloc(black_box(&mut blocks), layout);
    count_batch_free(black_box(&blocks), layout);
}
