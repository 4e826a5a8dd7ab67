//! What `mallopt` sets, and what then happens.

use alloc_core::backend::{Failing, PagesBackend};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_ptmalloc::{Config, Era, MMAP_THRESHOLD_MAX, Ptmalloc, TuneError};

use crate::support::{bare, give, take};

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

#[test]
fn the_mapping_threshold_is_obeyed_and_stays() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config::new(era));
        assert_eq!(heap.set_mmap_threshold(MMAP_THRESHOLD_MAX + 1), Err(TuneError::OutOfRange));
        assert_eq!(heap.figures().mmap_threshold, Config::new(era).mmap_threshold, "left as it was");
        heap.set_mmap_threshold(200_000).expect("in range, before the first request");
        let below = take(&heap, 199_999);
        assert_eq!(heap.figures().n_mmaps, 0, "{era:?}");
        let above = take(&heap, 200_000);
        assert_eq!(heap.figures().n_mmaps, 1, "{era:?}");
        give(&heap, above, 200_000);
        give(&heap, below, 199_999);
        assert_eq!(heap.figures().mmap_threshold, 200_000, "{era:?}: no longer follows what is freed");
        // Left alone, it does.
        let other = Ptmalloc::new(Config { mmap_threshold: 1 << 20, ..Config::new(era) });
        let size = 2 << 20;
        let mapped = take(&other, size);
        give(&other, mapped, size);
        assert!(other.figures().mmap_threshold >= size, "{era:?}");
    }
    assert_eq!(Config::new(Era::Ours).mmap_threshold, MMAP_THRESHOLD_MAX, "where it would rise to");
}

#[test]
fn no_more_mappings_than_allowed() {
    let heap = Ptmalloc::new(Config { mmap_threshold: 1 << 20, ..Config::new(Era::Modern) });
    heap.set_mmap_max(2).expect("memory");
    let blocks = [(); 4].map(|()| take(&heap, 2 << 20));
    assert_eq!((heap.figures().n_mmaps, heap.figures().n_mmaps_max), (2, 2));
    for block in blocks {
        give(&heap, block, 2 << 20);
    }
}

fn top(heap: &Ptmalloc) -> usize {
    let mut top = 0;
    heap.arenas(|arena| top += arena.top);
    top
}

#[test]
fn top_is_trimmed_from_the_threshold_on_and_padded() {
    for era in [Era::Classic, Era::Modern] {
        let heap = Ptmalloc::new(Config { tcache_bytes: 0, ..Config::new(era) });
        heap.set_top_pad(0).expect("in range");
        heap.set_trim_threshold(1 << 20).expect("memory");
        let fill = |count: usize| {
            let blocks: Vec<_> = (0..count).map(|_| take(&heap, 100_000)).collect();
            // The last one joins all that was freed before to top.
            blocks.into_iter().for_each(|block| give(&heap, block, 100_000));
        };
        fill(9);
        assert!(top(&heap) >= 900_000, "{era:?}: below the threshold nothing goes");
        fill(30);
        assert!(top(&heap) < 8192, "{era:?}: beyond it all but the pad");
        heap.set_top_pad(300_000).expect("in range");
        fill(30);
        assert!((300_000..320_000).contains(&top(&heap)), "{era:?}: {} with a pad", top(&heap));
        heap.set_trim_threshold(usize::MAX).expect("memory");
        fill(100);
        assert!(top(&heap) >= 10_000_000, "{era:?}: trimming is off");
        assert_eq!(heap.set_top_pad(usize::MAX), Err(TuneError::OutOfRange));
    }
}

#[test]
fn perturbing_begins_and_ends_at_once() {
    let heap = Ptmalloc::new(Config::default());
    let read = |block: core::ptr::NonNull<u8>| {
        // SAFETY: a block of 100 bytes or more.
        let inside = unsafe { block.add(50) };
        // SAFETY: memory of the heap, which the heap filled.
        unsafe { inside.read() }
    };
    for size in [100, 5000] {
        // So that there is a cache with blocks to be given up.
        let blocks = [(); 50].map(|()| take(&heap, size));
        blocks.into_iter().for_each(|block| give(&heap, block, size));
        heap.set_perturb(0x0f).expect("memory");
        assert_eq!((heap.figures().thread_caches, heap.figures().cached_blocks), (0, 0));
        let block = take(&heap, size);
        assert_eq!(read(block), 0xf0);
        // SAFETY: a live block of so many bytes.
        unsafe { block.write_bytes(1, size) };
        give(&heap, block, size);
        assert_eq!(read(block), 0x0f, "what the heap left in a freed block");
        heap.set_perturb(0).expect("memory");
        let block = take(&heap, size);
        give(&heap, block, size);
        assert_eq!(heap.figures().thread_caches, 1, "caches are back");
    }
}

#[test]
fn fastbins_take_what_they_are_set_to() {
    let heap = Ptmalloc::new(bare(Era::Classic));
    let fast = || {
        let mut chunks = 0;
        heap.arenas(|arena| chunks += arena.fast().chunks);
        chunks
    };
    let free = |sizes: [usize; 4]| {
        for (block, size) in sizes.map(|size| (take(&heap, size), size)) {
            take(&heap, 300);
            give(&heap, block, size);
        }
    };
    free([24, 120, 121, 152]);
    assert_eq!(fast(), 2, "up to chunks of 128 bytes");
    assert_eq!(heap.set_mxfast(161), Err(TuneError::OutOfRange));
    assert_eq!(fast(), 2, "left as it was");
    heap.set_mxfast(160).expect("in range");
    assert_eq!(fast(), 0, "consolidated");
    free([24, 120, 152, 153]);
    assert_eq!(fast(), 3, "up to chunks of 160 bytes");
    heap.set_mxfast(0).expect("in range");
    free([24, 120, 152, 153]);
    assert_eq!(fast(), 0, "none");
    heap.check().expect("a whole arena");
}

#[test]
fn arenas_are_limited_from_then_on() {
    let heap = Ptmalloc::new(Config::default());
    assert_eq!(heap.set_arena_max(1 << 16), Err(TuneError::OutOfRange));
    heap.set_arena_max(1).expect("in range");
    let first = take(&heap, 100);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| give(&heap, take(&heap, 100), 100));
        }
    });
    assert_eq!(heap.figures().arenas, 1);
    give(&heap, first, 100);
}

#[test]
fn a_heap_that_cannot_begin_says_so() {
    let backend = Failing::new(PagesBackend::new(Os), Schedule::From(1));
    let heap = Ptmalloc::with_backend(backend, Config::default());
    assert_eq!(heap.set_mmap_max(1), Err(TuneError::OutOfMemory));
    assert_eq!(heap.set_perturb(1), Err(TuneError::OutOfMemory));
    assert!(!TuneError::OutOfMemory.to_string().is_empty());
}
