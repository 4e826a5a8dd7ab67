//! What can be seen of each era: what is reused in which order, what is merged when.

use super::{Rig, chunks_of};
use crate::bins::map::{UNSORTED, index};
use crate::class;
use crate::config::Era;
use crate::magazine::Magazine;

const GLIBC: [Era; 2] = [Era::Classic, Era::Modern];

#[test]
fn classic_reuses_small_chunks_last_in_first_out_and_does_not_merge_them() {
    let rig = Rig::new(Era::Classic);
    let [a, b, c] = [64, 64, 64].map(|size| rig.allocate(size));
    assert_eq!((b.address(), c.address()), (a.address() + 64, b.address() + 64), "they are neighbours");
    for chunk in [a, b, c] {
        rig.free(chunk);
    }
    rig.work(|state, _| assert_eq!((state.fastbins.chunks(), state.fastbins.bytes()), (3, 192)));
    assert_eq!([(); 3].map(|()| rig.allocate(64)), [c, b, a]);
}

#[test]
fn classic_keeps_chunks_up_to_128_apart() {
    let rig = Rig::new(Era::Classic);
    let [a, b] = rig.apart([128, 144]);
    rig.free(a);
    rig.free(b);
    rig.work(|state, _| {
        assert_eq!(state.fastbins.chunks(), 1);
        assert_eq!(state.bins.head(UNSORTED), Some(b));
    });
}

#[test]
fn classic_merges_fastbins_when_a_large_request_comes() {
    let rig = Rig::new(Era::Classic);
    let [a, b] = [64, 64].map(|size| rig.allocate(size));
    rig.allocate(32);
    rig.free(b);
    rig.free(a);
    rig.allocate(1008);
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), 2, "not a large one"));
    rig.allocate(1024);
    rig.work(|state, _| {
        assert_eq!(state.fastbins.chunks(), 0);
        assert_eq!(state.bins.small(128), Some(a), "merged, and sorted by the sweep");
    });
}

#[test]
fn classic_merges_fastbins_when_much_is_freed() {
    let rig = Rig::new(Era::Classic);
    let [a, large] = rig.apart([64, 64 << 10]);
    rig.free(a);
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), 1));
    rig.free(large);
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), 0));
}

#[test]
fn classic_merges_fastbins_on_demand() {
    let rig = Rig::new(Era::Classic);
    let [a, b] = [64, 48].map(|size| rig.allocate(size));
    rig.allocate(32);
    rig.free(a);
    rig.free(b);
    assert_eq!(rig.consolidate(), 112);
    assert_eq!(rig.consolidate(), 0);
    rig.work(|state, _| assert_eq!(state.bins.head(UNSORTED), Some(a)));
}

#[test]
fn the_eras_of_glibc_give_unsorted_chunks_one_last_chance_oldest_first() {
    for era in GLIBC {
        let rig = Rig::new(era);
        let chunks = rig.apart([2048, 3072, 4096, 5120]);
        for chunk in chunks {
            rig.free(chunk);
        }
        rig.work(|state, _| {
            assert_eq!(state.bins.head(UNSORTED), Some(chunks[0]));
            assert!(state.bins.map().next(0).is_none(), "nothing is sorted");
        });
        assert_eq!(rig.allocate(4096), chunks[2], "an exact fit is taken as it is met");
        rig.work(|state, _| {
            assert_eq!(state.bins.head(index(2048)), Some(chunks[0]), "those before it had their chance");
            assert_eq!(state.bins.head(index(3072)), Some(chunks[1]));
            assert_eq!(state.bins.head(UNSORTED), Some(chunks[3]), "those after it still wait");
        });
    }
}

#[test]
fn the_eras_of_glibc_cut_runs_of_small_requests_from_the_last_remainder() {
    for era in GLIBC {
        let rig = Rig::new(era);
        let [hole] = rig.apart([4096]);
        rig.free(hole);
        let first = rig.allocate(160);
        assert_eq!(first, hole);
        let mut next = first.address() + 160;
        for size in [160, 176, 208, 160] {
            assert_eq!(rig.allocate(size).address(), next);
            next += size;
            rig.work(|state, _| {
                let remainder = state.last_remainder.unwrap();
                assert_eq!(remainder.address(), next);
                assert_eq!(state.bins.head(UNSORTED), Some(remainder), "it waits in the unsorted bin");
            });
        }
    }
}

#[test]
fn the_last_remainder_of_glibc_is_cut_only_if_it_waits_alone() {
    for era in GLIBC {
        let rig = Rig::new(era);
        let [hole, other, fits] = rig.apart([4096, 2048, 1024]);
        rig.free(hole);
        assert_eq!(rig.allocate(160), hole);
        rig.free(other);
        rig.free(fits);
        // Sorted all three; the smallest that fits is cut, not the remainder.
        assert_eq!(rig.allocate(160), fits);
    }
}

#[test]
fn modern_has_no_fastbins_and_sorts_small_chunks_at_once() {
    let rig = Rig::new(Era::Modern);
    let [small, large] = rig.apart([64, 1024]);
    rig.free(small);
    rig.free(large);
    rig.work(|state, _| {
        assert_eq!(state.fastbins.chunks(), 0);
        assert_eq!(state.bins.small(64), Some(small));
        assert_eq!(state.bins.head(UNSORTED), Some(large));
    });
}

#[test]
fn modern_and_ours_merge_small_chunks_at_once() {
    for era in [Era::Modern, Era::Ours] {
        let rig = Rig::new(era);
        let [a, b, c] = [48, 48, 48].map(|size| rig.allocate(size));
        rig.allocate(32);
        rig.free(a);
        rig.free(c);
        rig.work(|state, _| assert_eq!(state.bins.small(48), Some(a)));
        rig.free(b);
        rig.work(|state, _| {
            assert_eq!((state.bins.small(48), state.bins.small(144)), (None, Some(a)));
        });
    }
}

#[test]
fn ours_has_no_unsorted_bin() {
    let rig = Rig::new(Era::Ours);
    let [a, b] = rig.apart([64, 4096]);
    rig.free(a);
    rig.free(b);
    rig.work(|state, _| {
        assert_eq!(state.bins.head(UNSORTED), None);
        assert_eq!((state.bins.small(64), state.bins.head(index(4096))), (Some(a), Some(b)));
    });
}

#[test]
fn equal_chunks_are_reused_first_in_first_out() {
    for (era, sizes) in [(Era::Modern, [512, 2048]), (Era::Ours, [512, 2048]), (Era::Classic, [512, 2048])] {
        for size in sizes {
            let rig = Rig::new(era);
            let chunks = rig.apart([size; 4]);
            for at in [2, 0, 3, 1] {
                rig.free(chunks[at]);
            }
            // A larger request than any of them, which sorts what is not sorted.
            rig.allocate(8192);
            let expected = [2, 0, 3, 1].map(|at| chunks[at]);
            assert_eq!([(); 4].map(|()| rig.allocate(size)), expected, "{era:?} {size}");
        }
    }
}

#[test]
fn large_requests_get_the_smallest_chunk_that_fits_and_of_these_the_oldest() {
    for era in super::ERAS {
        let rig = Rig::new(era);
        let [huge, tie, other_tie, close] = rig.apart([9216, 3072, 3072, 3088]);
        for chunk in [huge, close, other_tie, tie] {
            rig.free(chunk);
        }
        rig.allocate(16384);
        assert_eq!(rig.allocate(3056), other_tie, "{era:?}");
        assert_eq!(rig.allocate(3056), tie, "{era:?}");
        assert_eq!(rig.allocate(3056), close, "{era:?}");
        assert_eq!(rig.allocate(3056), huge, "{era:?}");
    }
}

#[test]
fn top_serves_only_what_nothing_else_fits() {
    for era in super::ERAS {
        let rig = Rig::new(era);
        let [a, b] = rig.apart([2048, 512]);
        rig.free(a);
        rig.free(b);
        let top = rig.work(|state, _| state.top);
        assert_eq!(rig.allocate(2064), top, "{era:?}: nothing else is as large");
        let top = rig.work(|state, _| state.top);
        for size in [2048, 512] {
            assert!(rig.allocate(size) < top, "{era:?}");
        }
        rig.work(|state, _| assert_eq!(state.top, top));
    }
}

#[test]
fn what_is_freed_before_top_joins_it() {
    for era in super::ERAS {
        let rig = Rig::new(era);
        let top = rig.work(|state, _| state.top);
        let [a, b] = [256, 4096].map(|size| rig.allocate(size));
        rig.free(a);
        rig.free(b);
        rig.work(|state, _| assert_eq!((state.top, a), (top, top), "{era:?}"));
    }
}

#[test]
fn a_rest_too_small_for_a_chunk_stays_with_it() {
    for era in super::ERAS {
        let rig = Rig::new(era);
        let [a] = rig.apart([528]);
        rig.free(a);
        assert_eq!(rig.allocate(512), a);
        // SAFETY: the chunk is in use.
        assert_eq!(unsafe { a.size() }, 528, "{era:?}");
    }
}

#[test]
fn ours_keeps_flushed_magazines_whole_and_gives_the_newest_of_a_class_back() {
    let rig = Rig::new(Era::Ours);
    let class = class::of_request(100);
    let [a, b, other] = [(class, 5), (class, 3), (class + 1, 2)].map(|(class, want)| rig.fill(class, want));
    assert_eq!([a.count, b.count, other.count], [5, 3, 2]);
    for magazine in [a, b, other] {
        rig.keep(magazine);
    }
    rig.work(|state, _| {
        assert_eq!(state.depot.bytes(), 8 * class::chunk_size(class) + 2 * class::chunk_size(class + 1));
    });
    let same = |x: Magazine, y: Magazine| (x.head, x.count, x.class) == (y.head, y.count, y.class);
    assert!(same(rig.fill(class, 1), b), "whole, whatever was asked for");
    assert!(same(rig.fill(class, 100), a));
    assert!(!same(rig.fill(class, 1), other));
}

#[test]
fn ours_keeps_no_magazines_of_chunks_beyond_one_kibibyte() {
    let rig = Rig::new(Era::Ours);
    for (request, kept) in [(class::MAX_SMALL, true), (class::MAX_SMALL + 1, false)] {
        let magazine = rig.fill(class::of_request(request), 1);
        rig.keep(magazine);
        rig.work(|state, _| assert_eq!(state.depot.bytes() > 0, kept));
        rig.consolidate();
    }
}

#[test]
fn ours_takes_the_depot_apart_into_merged_chunks() {
    let rig = Rig::new(Era::Ours);
    let class = class::of_request(100);
    let magazine = rig.fill(class, 16);
    let first = chunks_of(magazine)[0];
    rig.allocate(32);
    let bytes = 16 * class::chunk_size(class);
    rig.keep(magazine);
    assert_eq!(rig.consolidate(), bytes);
    rig.work(|state, _| {
        assert_eq!(state.depot.bytes(), 0);
        assert_eq!(state.bins.head(index(bytes)), Some(first), "sixteen neighbours are one chunk");
    });
}

#[test]
fn ours_fills_a_magazine_with_neighbours_in_rising_order() {
    let rig = Rig::new(Era::Ours);
    let class = class::of_request(64);
    let size = class::chunk_size(class);
    let [hole] = rig.apart([size * 10 + 48]);
    rig.free(hole);
    let top = rig.work(|state, _| state.top);
    let chunks = chunks_of(rig.fill(class, 10));
    for (at, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.address(), hole.address() + at * size);
    }
    assert_eq!(chunks.len(), 10);
    rig.work(|state, _| {
        assert_eq!(state.top, top);
        assert_eq!(state.last_remainder.map(crate::chunk::Chunk::address), Some(hole.address() + 10 * size));
    });
}

#[test]
fn ours_uses_fragments_up_before_top() {
    let rig = Rig::new(Era::Ours);
    let class = class::of_request(200);
    let size = class::chunk_size(class);
    let [exact, other_exact, loose, larger] = rig.apart([size, size, size + 16, 2 * size]);
    for chunk in [larger, loose, other_exact, exact] {
        rig.free(chunk);
    }
    let top = rig.work(|state, _| state.top);
    let chunks = chunks_of(rig.fill(class, 5));
    assert_eq!(chunks[..4], [other_exact, exact, loose, larger]);
    assert_eq!(chunks[4].address(), larger.address() + size);
    rig.work(|state, _| assert_eq!(state.top, top));
    assert_eq!(chunks_of(rig.fill(class, 1)), [top], "now there is nothing else");
}

#[test]
fn ours_begins_no_more_fresh_memory_than_a_page_or_a_block() {
    for request in [24, 200, 1000, 3000, 5000, 60_000] {
        let rig = Rig::new(Era::Ours);
        let class = class::of_request(request);
        let size = class::chunk_size(class);
        for _ in 0..20 {
            let before = rig.work(|state, _| state.top.address());
            let magazine = rig.fill(class, 1024);
            assert!(magazine.count >= 1);
            let bytes = magazine.count * size;
            rig.work(|state, _| assert_eq!(state.top.address(), before + bytes, "all of it from top"));
            assert!(bytes <= size.max(4096) + size, "{request}: {bytes}");
        }
    }
}

#[test]
fn ours_releases_only_magazines_that_nobody_wanted() {
    let rig = Rig::new(Era::Ours);
    let (wanted, unwanted) = (class::of_request(40), class::of_request(1000));
    let magazines = [rig.fill(wanted, 4), rig.fill(unwanted, 2)];
    for magazine in magazines {
        rig.keep(magazine);
    }
    let tick = || {
        // SAFETY: the source is the arena's.
        rig.work(|state, source| unsafe { state.release_stale(source) })
    };
    assert_eq!(tick(), 0, "both came since");
    let again = rig.fill(wanted, 4);
    rig.keep(again);
    assert_eq!(tick(), magazines[1].count * class::chunk_size(unwanted));
    rig.work(|state, _| assert_eq!(state.depot.bytes(), 4 * class::chunk_size(wanted)));
}

#[test]
fn the_eras_of_glibc_stash_what_is_at_hand() {
    let stash = |rig: &Rig<_>, size, want| {
        // SAFETY: the test asks for a chunk size.
        rig.work(|state, source| unsafe { state.stash(source, size, want) })
    };
    let rig = Rig::new(Era::Classic);
    let chunks = rig.apart([64; 3]);
    for chunk in chunks {
        rig.free(chunk);
    }
    let magazine = stash(&rig, 64, 8);
    assert_eq!(magazine.class, class::of_chunk(64).unwrap());
    assert_eq!(chunks_of(magazine), [chunks[2], chunks[1], chunks[0]], "the fastbin");
    for (era, size) in [(Era::Modern, 64), (Era::Modern, 512), (Era::Classic, 512)] {
        let rig = Rig::new(era);
        let chunks = rig.apart([size; 3]);
        for chunk in chunks {
            rig.free(chunk);
        }
        rig.allocate(2048);
        assert_eq!(chunks_of(stash(&rig, size, 2)), chunks[..2], "{era:?} {size}: the small bin");
        let top = rig.work(|state, _| state.top);
        assert_eq!(chunks_of(stash(&rig, size, 8)), [chunks[2]], "{era:?} {size}");
        assert_eq!(chunks_of(stash(&rig, size, 8)), [top], "{era:?} {size}: one from top, and no more");
    }
}

#[test]
fn the_eras_of_glibc_keep_no_magazines() {
    for era in GLIBC {
        let rig = Rig::new(era);
        // SAFETY: the test asks for a chunk size.
        let magazine = rig.work(|state, source| unsafe { state.stash(source, 512, 4) });
        let [chunk] = chunks_of(magazine)[..] else { panic!("one from top") };
        rig.allocate(32);
        rig.keep(magazine);
        rig.work(|state, _| {
            assert_eq!(state.depot.bytes(), 0);
            let bin = if era == Era::Classic { UNSORTED } else { index(512) };
            assert_eq!(state.bins.head(bin), Some(chunk));
        });
    }
}

#[test]
fn only_memory_that_was_never_touched_is_called_clean() {
    for era in super::ERAS {
        let rig = Rig::new(era);
        let fresh = rig.work(|state, source| {
            // SAFETY: a chunk size.
            unsafe { state.allocate(source, 8192) }.unwrap()
        });
        let block = fresh.chunk.block();
        assert!(fresh.clean_from <= block.addr().get() + 16, "{era:?}");
        let rest = block.addr().get() + 8192 - 8 - fresh.clean_from;
        // SAFETY: the rest of the block, which is the test's.
        let bytes = unsafe { core::slice::from_raw_parts_mut(block.as_ptr().add(8192 - 8 - rest), rest) };
        assert!(bytes.iter().all(|&byte| byte == 0), "{era:?}");
        bytes.fill(0xAB);
        rig.free(fresh.chunk);
        let used = rig.work(|state, source| {
            // SAFETY: a chunk size.
            unsafe { state.allocate(source, 8192) }.unwrap()
        });
        assert_eq!(used.chunk, fresh.chunk);
        assert!(used.clean_from >= block.addr().get() + 8192 - 8, "{era:?}: it was written to");
    }
}
