//! What the callers of a library's heap take without asking it. A process of its own: whether they may is settled before the
//! heap is used, and there is one such heap.

#![cfg(not(alloc_loom))]

use std::ptr::NonNull;

use alloc_core::SizedBlocks;
use alloc_core::backend::PagesBackend;
use alloc_core::os::unix::Os;
use alloc_ptmalloc::{Config, Era, LibrarySlot, Ptmalloc};

type Heap = Ptmalloc<PagesBackend<Os>, LibrarySlot>;

unsafe fn nothing_is_elsewhere(_block: NonNull<u8>) -> bool {
    false
}

// SAFETY: the only one of this process, and a static.
static HEAP: Heap = unsafe { Heap::for_library(Config::new(Era::Ours), nothing_is_elsewhere) };

fn no_free(block: NonNull<u8>) {
    panic!("there was room for {block:?}");
}

/// A block that is freed, by way of the heap: it lies at hand then. Blocks of more than a kilobyte do after a few of the size.
fn freed(size: usize) -> NonNull<u8> {
    for _ in 0..if size > 1032 { 3 } else { 0 } {
        let block = HEAP.malloc(size).unwrap();
        // SAFETY: just allocated.
        unsafe { HEAP.free(block) };
        assert_eq!(LibrarySlot::take(size), None, "{size}");
    }
    let block = HEAP.malloc(size).unwrap();
    // SAFETY: just allocated.
    unsafe { HEAP.free(block) };
    block
}

#[test]
fn blocks_at_hand_are_taken_put_back_and_exchanged() {
    assert_eq!(LibrarySlot::take(40), None, "before the heap serves");
    LibrarySlot::serve_at_hand();
    assert_eq!(LibrarySlot::take(40), None, "before the thread has a cache");

    for size in [0, 24, 40, 1032, 1033, 3000, 8000] {
        let block = freed(size);
        assert_eq!(LibrarySlot::take(size), Some(block), "{size}");
        // SAFETY: a live block, put back once.
        assert!(unsafe { LibrarySlot::put(block) }, "{size}");
        // SAFETY: it is put back already, which is to be seen.
        assert!(!unsafe { LibrarySlot::put(block) }, "{size}: twice");
        assert_eq!(LibrarySlot::take(size), Some(block), "{size}, again");
        // SAFETY: live.
        unsafe { HEAP.free(block) };
    }
    assert_eq!(LibrarySlot::take(100_000), None, "what no magazine holds");
    assert_eq!(LibrarySlot::take(usize::MAX), None);

    let block = LibrarySlot::take(40).unwrap();
    // SAFETY: 40 bytes of ours.
    unsafe { block.write_bytes(7, 40) };
    for stays in [40, 33, 1] {
        // SAFETY: live, here and below.
        assert_eq!(unsafe { LibrarySlot::resize(block, stays, no_free) }, Some(block), "{stays}");
    }
    // SAFETY: as above.
    let refused = unsafe { LibrarySlot::resize(block, 700, no_free) };
    assert_eq!(refused, None, "no block of that size lies at hand");
    let larger = freed(700);
    // SAFETY: as above.
    let moved = unsafe { LibrarySlot::resize(block, 700, no_free) }.unwrap();
    assert_eq!(moved, larger);
    // SAFETY: 40 bytes came along.
    assert_eq!(unsafe { moved.cast::<[u8; 40]>().read() }, [7; 40]);
    assert_eq!(LibrarySlot::take(40), Some(block), "the old one lies at hand");
    let medium = HEAP.malloc(3000).unwrap();
    // SAFETY: as above.
    let asked = unsafe { LibrarySlot::resize(medium, 2990, no_free) };
    assert_eq!(asked, None, "how much of a larger chunk its holder may use is for the heap to say");
    for block in [medium, moved, block] {
        // SAFETY: live, each freed once.
        unsafe { HEAP.free(block) };
    }
    HEAP.check().unwrap();
}
