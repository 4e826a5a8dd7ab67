//! What a heap shows of itself: arenas, bins, mappings, thread caches, and the highest figures.

use std::thread;

use std::collections::HashMap;

use alloc_core::{Block, BlockState, Inspect, Step, Strategy, Visit};
use alloc_ptmalloc::{ArenaFigures, Config, Era, Figures, Ptmalloc};

use crate::support::{bare, give, layout, take};

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

fn arenas(heap: &Ptmalloc) -> Vec<ArenaFigures> {
    let mut all = Vec::new();
    heap.arenas(|arena| all.push(arena.clone()));
    all
}

#[test]
fn an_unused_heap_shows_its_settings_and_nothing_else() {
    let config = Config { n_mmaps_max: 7, mmap_threshold: 70_000, ..Config::default() };
    let heap = Ptmalloc::new(config);
    assert!(arenas(&heap).is_empty());
    let expected = Figures {
        n_mmaps_max: 7,
        mmap_threshold: 70_000,
        trim_threshold: config.trim_threshold,
        top_pad: config.top_pad,
        ..Figures::default()
    };
    assert_eq!(heap.figures(), expected);
}

/// Every byte that a walk calls free is in a bin that the figures show, and the other way round.
#[test]
fn bins_hold_what_a_walk_calls_free() {
    for era in ERAS {
        let heap = Ptmalloc::new(bare(era));
        let sizes = [40, 100, 100, 700, 3000, 3000, 50_000, 90_000];
        let blocks: Vec<_> =
            sizes.into_iter().map(|size| (take(&heap, size), take(&heap, 40), size)).collect();
        for &(block, _, size) in &blocks {
            give(&heap, block, size);
        }
        // In the eras of glibc, sorts the unsorted bin.
        let large = take(&heap, 100_000);
        let [arena] = &arenas(&heap)[..] else { panic!("one arena") };
        let stats = heap.stats();
        assert_eq!(Some(arena.free().chunks as u64), stats.free_blocks.get(), "{era:?}");
        // A walk shows what a block has, 8 bytes less than its chunk; of top, the foot of the last block too.
        let free = stats.free.get().expect("known");
        let bytes = arena.free().bytes as u64;
        assert!(
            (bytes - 16 * arena.free().chunks as u64..=bytes).contains(&free),
            "{era:?}: {free} of {bytes}"
        );
        let fast = if era == Era::Classic { 0 } else { arena.fast().chunks };
        assert_eq!(fast, 0, "a large request consolidates");
        let large_bins = arena.large();
        assert_eq!((large_bins.chunks, arena.unsorted.chunks), (4, 0), "{era:?}");
        assert!(large_bins.smallest >= 3008 && large_bins.largest >= 90_016, "{era:?}: {large_bins:?}");
        assert_eq!(arena.small_bins().len(), 62);
        for (bin, figures) in arena.small_bins().iter().enumerate().filter(|(_, bin)| bin.chunks > 0) {
            let size = 32 + bin * 16;
            assert_eq!((figures.smallest, figures.largest), (size, size));
            assert_eq!(figures.bytes, size * figures.chunks);
        }
        assert!(arena.top > 0 && arena.system_mem <= arena.max_system_mem && arena.heaps == 1);
        give(&heap, large, 100_000);
    }
}

/// All blocks that a walk shows.
fn blocks(heap: &Ptmalloc) -> Vec<Block> {
    let mut blocks = Vec::new();
    let _ = heap.walk(&mut |step| {
        if let Step::Block(block) = step {
            blocks.push(block);
        }
        Visit::Continue(())
    });
    blocks
}

#[test]
fn headers_decoded_say_what_a_walk_says() {
    // Only this heap's memory is read, which nobody else uses.
    let peek = |address: usize, into: &mut [u8]| {
        let from = std::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: within the heap, or the last word of top.
        unsafe { into.as_mut_ptr().copy_from(from, into.len()) };
        true
    };
    for era in ERAS {
        let heap = Ptmalloc::new(Config { mmap_threshold: 70_000, ..Config::new(era) });
        let sizes = [40, 100, 700, 3000, 50_000, 90_000];
        let taken: Vec<_> =
            sizes.into_iter().map(|size| (take(&heap, size), take(&heap, 40), size)).collect();
        for &(block, _, size) in taken.iter().filter(|(.., size)| *size < 90_000) {
            give(&heap, block, size);
        }
        let mut states = HashMap::new();
        for block in blocks(&heap) {
            let mut fields = HashMap::new();
            heap.header(block, &peek, &mut |field| {
                assert_eq!(fields.insert(field.name, field.value), None, "{field:?}");
            });
            *states.entry(block.state).or_insert(0) += 1;
            let context = format!("{era:?}: {block:?} {fields:?}");
            if block.state == BlockState::Metadata {
                assert!(fields.is_empty(), "{context}");
                continue;
            }
            let size = fields["size"];
            assert!(size % 16 == 0 && size + 8 >= block.size as u64, "{context}");
            assert_eq!(fields["IS_MMAPPED"], u64::from(block.state == BlockState::Mapped), "{context}");
            assert_eq!(fields.contains_key("arena"), block.state != BlockState::Mapped, "{context}");
            match block.state {
                BlockState::Used | BlockState::Cached => {
                    assert_eq!(fields["next's PREV_INUSE"], 1, "{context}");
                }
                BlockState::Free if fields.contains_key("top") => {
                    assert_eq!(fields["PREV_INUSE"], 1, "{context}");
                }
                BlockState::Free => {
                    assert_eq!(fields["next's PREV_INUSE"], 0, "{context}");
                    assert!(fields["fd"] != 0 && fields["bk"] != 0, "{context}");
                }
                _ => {}
            }
        }
        for state in [BlockState::Used, BlockState::Free, BlockState::Cached, BlockState::Mapped] {
            assert!(states.contains_key(&state), "{era:?}: {states:?}");
        }
        for (block, _, _) in taken.iter().filter(|(.., size)| *size == 90_000) {
            give(&heap, *block, 90_000);
        }
    }
}

#[test]
fn classic_shows_its_fastbins_and_its_unsorted_queue() {
    let heap = Ptmalloc::new(bare(Era::Classic));
    let blocks: Vec<_> = [24, 24, 40, 120, 500, 2000]
        .into_iter()
        .map(|size| (take(&heap, size), take(&heap, 300), size))
        .collect();
    for &(block, _, size) in &blocks {
        give(&heap, block, size);
    }
    let [arena] = &arenas(&heap)[..] else { panic!("one arena") };
    let by_bin: Vec<_> = arena.fastbins.iter().map(|bin| (bin.chunks, bin.bytes)).collect();
    assert_eq!(by_bin[..8], [(2, 64), (1, 48), (0, 0), (0, 0), (0, 0), (0, 0), (1, 128), (0, 0)]);
    assert_eq!((arena.unsorted.chunks, arena.unsorted.bytes), (2, 512 + 2016));
    assert_eq!((arena.unsorted.smallest, arena.unsorted.largest), (512, 2016));
}

#[test]
fn ours_shows_depot_and_thread_caches() {
    let heap = Ptmalloc::new(Config::new(Era::Ours));
    let blocks: Vec<_> = (0..2000).map(|_| take(&heap, 100)).collect();
    for block in blocks {
        give(&heap, block, 100);
    }
    let figures = heap.figures();
    let [arena] = &arenas(&heap)[..] else { panic!("one arena") };
    assert_eq!((figures.arenas, figures.thread_caches, arena.attached_threads), (1, 1, 1));
    assert!(figures.cached_blocks > 0 && figures.cached_bytes == figures.cached_blocks * 112, "{figures:?}");
    // All that was freed is in a magazine, here or there.
    let depot = arena.depot_bytes / 112;
    let stats = heap.stats();
    assert_eq!(stats.cached_blocks.get(), Some((figures.cached_blocks + depot) as u64));
    assert!(arena.depot_magazines > 0 && arena.inbox_bytes == 0);
}

#[test]
fn mappings_are_counted_under_their_names() {
    let heap = Ptmalloc::new(Config {
        mmap_threshold: 1 << 20,
        dynamic_threshold: false,
        ..Config::new(Era::Modern)
    });
    let blocks = [2 << 20, 3 << 20, 5 << 20].map(|size| (take(&heap, size), size));
    let live = heap.figures();
    assert_eq!((live.n_mmaps, live.max_n_mmaps, live.n_mmaps_max), (3, 3, 65536));
    assert!(
        (10 << 20..(10 << 20) + 3 * 8192).contains(&live.mmapped_mem)
            && live.max_mmapped_mem == live.mmapped_mem
    );
    for (block, size) in blocks {
        give(&heap, block, size);
    }
    let dead = heap.figures();
    assert_eq!(
        (dead.n_mmaps, dead.mmapped_mem, dead.max_n_mmaps, dead.max_mmapped_mem),
        (0, 0, 3, live.mmapped_mem)
    );
}

#[test]
fn arenas_come_in_order_with_their_threads() {
    let heap = Ptmalloc::new(Config { arena_max: 3, ..Config::default() });
    let home = take(&heap, 100);
    let (done, wait) = (std::sync::Barrier::new(4), std::sync::Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let block = take(&heap, 100);
                done.wait();
                wait.wait();
                give(&heap, block, 100);
            });
        }
        done.wait();
        let all = arenas(&heap);
        assert_eq!(all.iter().map(|arena| arena.number).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(all.iter().map(|arena| arena.attached_threads).sum::<usize>(), 4);
        assert!(all.iter().all(|arena| arena.attached_threads > 0), "every arena has a thread");
        assert_eq!(heap.figures().thread_caches, 4);
        wait.wait();
    });
    give(&heap, home, 100);
}

/// Whoever looks after the fact still sees how high it went, and no later figure is lower.
#[test]
fn the_highest_figure_is_known_without_having_asked() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config { purge_delay: 0, ..Config::new(era) });
        let peak = || heap.stats().committed_peak.get().expect("known");
        for size in [30_000, 20 << 20] {
            let blocks: Vec<_> = (0..(40 << 20) / size).map(|_| take(&heap, size)).collect();
            for block in blocks {
                give(&heap, block, size);
            }
            heap.trim(0);
        }
        let (committed, highest) = (heap.stats().committed.get().expect("known"), peak());
        assert!(committed < 4 << 20, "{era:?}: {committed} after all was given back");
        assert!((40 << 20..90 << 20).contains(&highest), "{era:?}: {highest}");
        let mut before = highest;
        for turn in 0..200_usize {
            let block = take(&heap, turn * 4001 % 300_000);
            give(&heap, block, turn * 4001 % 300_000);
            let now = peak();
            assert!(now >= before && now >= heap.stats().committed.get().expect("known"));
            before = now;
        }
    }
}

/// Blocks that are shrunk where they are go back to another class than the one that the next of them are cut for.
#[test]
fn what_comes_back_to_other_classes_is_used_again() {
    let heap = Ptmalloc::new(Config::new(Era::Ours));
    // Touched memory at top, which is at hand before the depot is.
    let large = take(&heap, 3 << 20);
    // SAFETY: a live block of so many bytes.
    unsafe { large.write_bytes(1, 3 << 20) };
    give(&heap, large, 3 << 20);
    let mut most = 0;
    for _ in 0..50 {
        let strings: Vec<_> = (0..512).map(|_| take(&heap, 256)).collect();
        for block in strings {
            // SAFETY: a live block of this layout, which gets smaller.
            let block = unsafe { heap.shrink(block, layout(256), layout(200)) }.expect("it gets smaller");
            give(&heap, block, 200);
        }
        let [arena] = &arenas(&heap)[..] else { panic!("one arena") };
        most = most.max(arena.depot_bytes);
        assert!(arena.system_mem < 4 << 20, "{}", arena.system_mem);
    }
    // 50 times 512 blocks of 272 bytes were 7 MB; an eighth of the arena is half a megabyte, and a round is 140 KB.
    assert!(most < 700 << 10, "{most}");
    heap.check().expect("whole arenas");
}
