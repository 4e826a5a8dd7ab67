//! Two heaps in one program, each with its own arenas, thread caches and habits, and the end of one of them:
//! `cargo run -p alloc-ptmalloc --example two_heaps`.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::{Limited, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::{Inspect, Ownership, Strategy};
use alloc_ptmalloc::{Config, Era, Ptmalloc};

/// Of two equal neighbours that were freed: whether a request for both together gets their place.
fn merges(heap: &dyn Strategy) -> bool {
    let take = |size| heap.allocate(Layout::from_size_align(size, 8).expect("a layout")).expect("memory");
    let give = |block: NonNull<u8>, size| {
        // SAFETY: each block is given back once, with its size.
        unsafe { heap.deallocate(block, Layout::from_size_align(size, 8).expect("a layout")) };
    };
    let (first, second, fence) = (take(40), take(40), take(40));
    give(first, 40);
    give(second, 40);
    let both = take(88);
    let merged = both == first;
    give(both, 88);
    give(fence, 40);
    merged
}

fn main() {
    // Without thread caches, so that the arenas show what they do.
    let bare = |era| Config { tcache_bytes: 0, ..Config::new(era) };
    let classic = Ptmalloc::new(bare(Era::Classic));
    let ours = Ptmalloc::new(bare(Era::Ours));
    assert!(!merges(&classic), "fastbins keep small chunks as they are");
    assert!(merges(&ours), "what is freed is merged at once");

    let layout = Layout::new::<[u64; 100]>();
    let block = classic.allocate(layout).expect("memory");
    assert_eq!((classic.owns(block), ours.owns(block)), (Ownership::Mine, Ownership::NotMine));
    // SAFETY: live, from this heap.
    unsafe { classic.deallocate(block, layout) };

    // A heap with a limit: what it refuses, it can serve later, and whatever it holds goes when it is dropped.
    let limited = Ptmalloc::with_backend(Limited::new(PagesBackend::new(Os), 4 << 20), Config::default());
    let mib = Layout::from_size_align(1 << 20, 8).expect("a layout");
    let held: Vec<_> = core::iter::from_fn(|| limited.allocate(mib).ok()).take(100).collect();
    assert!(!held.is_empty() && held.len() < 4, "{} MiB of 4", held.len());
    for block in &held {
        // SAFETY: live, from this heap.
        unsafe { limited.deallocate(*block, mib) };
    }
    assert!(limited.allocate(mib).is_ok());
    limited.check().expect("whole arenas");
    println!("two habits side by side; {} blocks of 1 MiB fitted in the third heap's 4 MiB", held.len());
}
