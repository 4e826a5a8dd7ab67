//! What each era does with a block that was freed, as a program can see it.

use core::ptr::NonNull;

use alloc_core::{Inspect, SizedBlocks, Strategy};
use alloc_ptmalloc::{ArenaFigures, Config, Era, Ptmalloc};

use crate::support::{bare, layout, take};

fn free(heap: &Ptmalloc, block: NonNull<u8>) {
    // SAFETY: the tests free each live block once.
    unsafe { heap.free(block) };
}

/// Of `count` equal blocks freed one after the other, how many the thread cache gives back, newest first.
fn depth(era: Era, count: usize) -> usize {
    let heap = Ptmalloc::new(Config::new(era));
    let blocks: Vec<_> = (0..count).map(|_| take(&heap, 200)).collect();
    let fence = take(&heap, 200);
    for &block in &blocks {
        free(&heap, block);
    }
    let again: Vec<_> = (0..count).map(|_| take(&heap, 200)).collect();
    let lifo = blocks.iter().rev();
    let _ = fence;
    // The cache holds the first ones that were freed, in classic and modern.
    let first = again.iter().zip(blocks[..7.min(count)].iter().rev()).all(|(a, b)| a == b);
    if era == Era::Classic {
        usize::from(first) * 7
    } else {
        again.iter().zip(lifo).take_while(|(a, b)| a == b).count()
    }
}

#[test]
fn classic_caches_seven_and_ours_the_newest() {
    assert_eq!(depth(Era::Classic, 20), 7);
    assert!(depth(Era::Ours, 8) == 8, "what was freed last comes first");
    assert!(depth(Era::Modern, 16) == 16, "sixteen blocks, newest first");
}

/// Two neighbours freed in an arena without caches: merged at once, or held apart as fastbins do.
#[test]
fn small_neighbours_merge_when_their_era_says_so() {
    for (era, merged) in [(Era::Classic, false), (Era::Modern, true), (Era::Ours, true)] {
        let heap = Ptmalloc::new(bare(era));
        let (first, second, _fence) = (take(&heap, 40), take(&heap, 40), take(&heap, 40));
        assert_eq!(second.addr().get() - first.addr().get(), 48, "neighbours");
        free(&heap, first);
        free(&heap, second);
        // Both together are one chunk of 96 bytes, which serves 88.
        let both = take(&heap, 88);
        assert_eq!(both == first, merged, "{era:?}");
    }
}

/// The unsorted bin is a queue: in classic, a chunk that does not fit is put in its bin on the way, and an exact fit is
/// taken at once though an older chunk would do.
#[test]
fn classic_takes_an_exact_fit_from_the_unsorted_bin() {
    let heap = Ptmalloc::new(bare(Era::Classic));
    let blocks: Vec<_> = [2000, 40, 1000, 40].into_iter().map(|size| take(&heap, size)).collect();
    free(&heap, blocks[0]);
    free(&heap, blocks[2]);
    assert_eq!(take(&heap, 1000), blocks[2], "exact, though the older chunk fits as well");
    assert_eq!(take(&heap, 1990), blocks[0]);
}

/// Ours rounds medium sizes up to a grid, so that a freed block serves any request of its class.
#[test]
fn ours_reuses_medium_blocks_exactly() {
    let heap = Ptmalloc::new(Config::new(Era::Ours));
    let block = take(&heap, 20_000);
    let fence = take(&heap, 20_000);
    free(&heap, block);
    assert_eq!(take(&heap, 19_900), block);
    free(&heap, fence);
}

/// Best fit, and the oldest of equal chunks first, in every era.
#[test]
fn large_bins_are_best_fit_with_ties_in_order() {
    for era in ERAS {
        let heap = Ptmalloc::new(bare(era));
        let mut take_fenced = |size| {
            let block = take(&heap, size);
            take(&heap, 40);
            block
        };
        let [large, first, second, larger] = [90_000, 70_016, 70_016, 99_008].map(&mut take_fenced);
        for block in [larger, first, second, large] {
            free(&heap, block);
        }
        // Not in any unsorted bin any more: nothing there serves this.
        let beyond = take(&heap, 120_000);
        assert_eq!(take(&heap, 70_000), first, "{era:?}: the smallest that fits, the older of two");
        assert_eq!(take(&heap, 70_000), second, "{era:?}");
        assert_eq!(take(&heap, 89_000), large, "{era:?}");
        free(&heap, beyond);
    }
}

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

/// The figures of a heap's only arena.
fn arena(heap: &Ptmalloc) -> ArenaFigures {
    let mut found = None;
    heap.arenas(|arena| assert!(found.replace(arena.clone()).is_none(), "one arena"));
    found.expect("a heap in use")
}

/// Blocks of these sizes, each with one behind it that stays.
fn fenced<const N: usize>(heap: &Ptmalloc, sizes: [usize; N]) -> [NonNull<u8>; N] {
    sizes.map(|size| {
        let block = take(heap, size);
        take(heap, 40);
        block
    })
}

#[test]
fn a_large_request_consolidates_the_fastbins() {
    let heap = Ptmalloc::new(bare(Era::Classic));
    let (first, second, _fence) = (take(&heap, 40), take(&heap, 40), take(&heap, 40));
    free(&heap, second);
    free(&heap, first);
    assert_eq!((arena(&heap).fast().chunks, arena(&heap).unsorted.chunks), (2, 0));
    take(&heap, 1000);
    assert_eq!(arena(&heap).fast().chunks, 2, "a small request leaves them, though it does not fit");
    take(&heap, 1024);
    let after = arena(&heap);
    assert_eq!((after.fast().chunks, after.small().chunks), (0, 1), "merged, and sorted by the request");
    assert_eq!(take(&heap, 88), first);
}

#[test]
fn a_free_that_makes_64_kib_consolidates_the_fastbins() {
    let heap = Ptmalloc::new(bare(Era::Classic));
    let [small, below, above] = fenced(&heap, [40, 65_000, 65_536]);
    free(&heap, small);
    free(&heap, below);
    assert_eq!(arena(&heap).fast().chunks, 1, "65,008 bytes are not 64 KiB");
    free(&heap, above);
    assert_eq!(arena(&heap).fast().chunks, 0);
}

/// Small requests that follow each other are cut from one chunk, side by side, and what is left of it is the last remainder.
#[test]
fn small_requests_in_a_row_get_neighbouring_memory() {
    for era in ERAS {
        let heap = Ptmalloc::new(bare(era));
        let [hole] = fenced(&heap, [3000]);
        free(&heap, hole);
        let whole = arena(&heap).unsorted.bytes + arena(&heap).large().bytes;
        let mut expected = hole.addr().get();
        for (size, chunk) in [(200, 208), (136, 144), (300, 320), (150, 160), (24, 32)] {
            assert_eq!(take(&heap, size).addr().get(), expected, "{era:?}: {size} bytes");
            expected += chunk;
        }
        let left = arena(&heap);
        assert_eq!(left.last_remainder, whole - (208 + 144 + 320 + 160 + 32), "{era:?}");
        let unsorted = if era == Era::Ours { 0 } else { 1 };
        assert_eq!(
            (left.unsorted.chunks, left.small().chunks + left.large().chunks),
            (unsorted, 0),
            "{era:?}"
        );
    }
}

/// A request that cannot use it sends it to its bin, in the eras of glibc; and then another chunk becomes the last remainder.
#[test]
fn the_last_remainder_is_used_only_while_it_is_alone() {
    let heap = Ptmalloc::new(bare(Era::Modern));
    let [hole, other] = fenced(&heap, [3000, 5000]);
    free(&heap, hole);
    let first = take(&heap, 200);
    assert_eq!(first, hole);
    free(&heap, other);
    // Both wait in the queue, so neither is cut there: both are sorted, and the smaller one is the better fit.
    let second = take(&heap, 200);
    assert_eq!(second.addr().get(), first.addr().get() + 208);
    assert_eq!(arena(&heap).large().chunks, 1, "the other one was sorted");
}

#[test]
fn the_unsorted_bin_is_a_queue() {
    for era in [Era::Classic, Era::Modern] {
        let heap = Ptmalloc::new(bare(era));
        let blocks = fenced(&heap, [2000, 3000, 2000, 4000]);
        for block in blocks {
            free(&heap, block);
        }
        let before = arena(&heap);
        assert_eq!((before.unsorted.chunks, before.large().chunks), (4, 0), "{era:?}");
        // The first is not what is wanted, and is sorted; the second is, and the search ends there.
        assert_eq!(take(&heap, 3000), blocks[1]);
        let after = arena(&heap);
        assert_eq!(
            (after.unsorted.chunks, after.large().chunks),
            (2, 1),
            "{era:?}: the younger ones still wait"
        );
        // An exact fit in the queue is taken before the older equal chunk in its bin.
        assert_eq!(take(&heap, 2000), blocks[2], "{era:?}");
        assert_eq!(take(&heap, 2000), blocks[0], "{era:?}");
    }
}

#[test]
fn freed_chunks_go_where_their_era_wants_them() {
    for (era, fast, unsorted, small, large) in
        [(Era::Classic, 1, 3, 0, 0), (Era::Modern, 0, 1, 3, 0), (Era::Ours, 0, 0, 3, 1)]
    {
        let heap = Ptmalloc::new(bare(era));
        for block in fenced(&heap, [100, 200, 900, 2000]) {
            free(&heap, block);
        }
        let arena = arena(&heap);
        let found = (arena.fast().chunks, arena.unsorted.chunks, arena.small().chunks, arena.large().chunks);
        assert_eq!(found, (fast, unsorted, small, large), "{era:?}");
    }
}

/// What is freed before top becomes top, and top serves the next request at the same place.
#[test]
fn the_last_block_goes_back_into_top() {
    for era in ERAS {
        let heap = Ptmalloc::new(bare(era));
        take(&heap, 40);
        let last = take(&heap, 5000);
        let before = arena(&heap).top;
        free(&heap, last);
        let after = arena(&heap);
        assert!(after.top > before + 5000, "{era:?}");
        assert_eq!((after.unsorted.chunks, after.large().chunks), (0, 0), "{era:?}");
        assert_eq!(take(&heap, 9000), last, "{era:?}");
    }
}

/// A vector at the end of the heap grows where it is, as far as the heap goes.
#[test]
fn the_last_block_grows_in_place() {
    for era in ERAS {
        for config in [Config::new(era), bare(era)] {
            let heap = Ptmalloc::new(config);
            take(&heap, 40);
            let vector = take(&heap, 100_000);
            let mut size = 100_000;
            while size < 5 << 20 {
                let larger = size + size / 2;
                // SAFETY: the vector is a live block of `size` bytes.
                let grown = unsafe { heap.grow(vector, layout(size), layout(larger)) }.expect("memory");
                assert_eq!(grown, vector, "{era:?}: from {size} to {larger}");
                size = larger;
            }
        }
    }
}

#[test]
fn nothing_above_tcache_max_is_cached() {
    let cached = |config: Config, size| {
        let heap = Ptmalloc::new(config);
        let blocks: Vec<_> = (0..40).map(|_| take(&heap, size)).collect();
        for block in blocks {
            free(&heap, block);
        }
        heap.figures().cached_blocks
    };
    for (era, slots) in [(Era::Classic, 7), (Era::Modern, 16)] {
        let upto = |tcache_max| Config { tcache_max, ..Config::new(era) };
        assert_eq!([24, 104, 105, 1032].map(|size| cached(upto(100), size)), [slots, slots, 0, 0], "{era:?}");
        assert_eq!([24, 1032, 1033].map(|size| cached(upto(1032), size)), [slots, slots, 0], "{era:?}");
        assert_eq!(cached(upto(0), 24), slots, "{era:?}: the smallest chunk holds 24 bytes");
        let large = if era == Era::Modern { slots } else { 0 };
        assert_eq!([5000, 100_000].map(|size| cached(upto(4 << 20), size)), [large; 2], "{era:?}");
        assert_eq!(cached(upto(60_000), 60_100), 0, "{era:?}");
    }
}

/// Large bins of the thread cache: exact sizes only, sixteen to a power of two, the newest of a size first.
#[test]
fn modern_caches_large_blocks_by_exact_size() {
    let config = Config { tcache_max: 4 << 20, mmap_threshold: 16 << 20, ..Config::new(Era::Modern) };
    let heap = Ptmalloc::new(config);
    let blocks = fenced(&heap, [10_000, 12_000, 10_000, 16_000, 9_000, 3 << 20]);
    for block in blocks {
        free(&heap, block);
    }
    assert_eq!(heap.figures().cached_blocks, 6);
    assert_eq!(arena(&heap).unsorted.chunks, 0, "the arena knows nothing of it");
    let other = take(&heap, 11_000);
    assert!(!blocks.contains(&other), "a larger cached block does not serve");
    let sizes = [9_000, 10_000, 16_000, 10_000, 3 << 20, 12_000];
    assert_eq!(sizes.map(|size| take(&heap, size)), [4, 2, 3, 0, 5, 1].map(|at| blocks[at]));
    assert_eq!((heap.figures().cached_blocks, heap.figures().cached_bytes), (0, 0));
    // A bin that is full leaves the rest to the arena; another power of two has its own.
    let many: Vec<_> = (0..20).map(|index| take(&heap, 9_000 + index * 100)).collect();
    let more: Vec<_> = (0..20).map(|index| take(&heap, 20_000 + index * 100)).collect();
    for block in many.into_iter().chain(more) {
        free(&heap, block);
    }
    assert_eq!(heap.figures().cached_blocks, 32);
    // Emptied with the rest of the cache.
    heap.trim(0);
    assert_eq!(heap.figures().cached_blocks, 0);
    assert_eq!(heap.stats().cached_blocks.get(), Some(0));
}
