//! What each era does with a block that was freed, as a program can see it.

use alloc_core::SizedBlocks;
use alloc_ptmalloc::{Config, Era, Ptmalloc};

use crate::support::{bare, take};

fn free(heap: &Ptmalloc, block: core::ptr::NonNull<u8>) {
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
    for era in [Era::Classic, Era::Modern, Era::Ours] {
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
