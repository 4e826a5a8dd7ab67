//! Chunks that a program wrote over, and chunks freed twice: found, left out, and the arena goes on.

use super::{ERAS, Rig, chunks_of};
use crate::chunk::{Chunk, MAPPED, NOTE, PREV_IN_USE};
use crate::class;
use crate::config::Era;

/// Free chunks of `size`, each between chunks in use, in the bin of their size.
fn sorted(rig: &Rig<impl alloc_core::backend::Backend>, size: usize) -> [Chunk; 4] {
    let chunks = rig.apart([size; 4]);
    for chunk in chunks {
        rig.free(chunk);
    }
    // Larger than any of them: sorts what is not sorted, and comes from top.
    rig.allocate(16384);
    chunks
}

/// Allocates a hundred chunks of `size`, none twice and none of `except`.
fn goes_on(rig: &Rig<impl alloc_core::backend::Backend>, size: usize, except: Chunk) {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        // SAFETY: a chunk size.
        let found = rig.work_unchecked(|state, source| unsafe { state.allocate(source, size) });
        let chunk = found.expect("memory").chunk;
        assert!(chunk != except && seen.insert(chunk.address()));
    }
}

#[test]
fn a_chunk_with_smashed_links_is_left_out() {
    for era in ERAS {
        for size in [512, 2048] {
            for (which, word) in [(0, 16), (0, 24), (1, 16), (1, 24), (3, 24)] {
                for garbage in [0, 0x4141_4141_4141_4141, 8, usize::MAX] {
                    let rig = Rig::new(era);
                    let chunks = sorted(&rig, size);
                    // SAFETY: the chunk lies in the arena.
                    unsafe { chunks[which].word(word).write(garbage) };
                    goes_on(&rig, size, chunks[which]);
                }
            }
        }
    }
}

#[test]
fn a_magazine_is_filled_up_to_a_chunk_that_is_broken_and_never_with_it() {
    let class = class::of_chunk(512).unwrap();
    for (word, garbage) in [(8, 0), (8, 528), (16, 8), (16, usize::MAX), (512, 528)] {
        for which in 1..4 {
            let rig = Rig::new(Era::Ours);
            let chunks = sorted(&rig, 512);
            // SAFETY: the chunk, and the word after it, lie in the arena.
            unsafe { chunks[which].word(word).write(garbage) };
            let mut seen = std::collections::BTreeSet::new();
            for round in 0..8 {
                // SAFETY: a class.
                let magazine = rig.work_unchecked(|state, source| unsafe { state.fill(source, class, 8) });
                let filled = chunks_of(magazine);
                assert!(
                    !filled.is_empty() && !filled.contains(&chunks[which]),
                    "{word} {garbage:#x} {which}"
                );
                assert!(filled.iter().all(|&chunk| seen.insert(chunk)));
                // A tail that does not lead to the head makes the whole list suspect.
                let whole = which < 3 || word != 16;
                assert!(
                    !whole || round > 0 || filled.starts_with(&chunks[..which]),
                    "{word} {garbage:#x} {which}"
                );
            }
        }
    }
}

#[test]
fn a_free_chunk_with_a_smashed_size_is_left_out() {
    for era in ERAS {
        for size in [512, 2048] {
            for garbage in [0, 16, size + 64, 1 << 30, usize::MAX] {
                let rig = Rig::new(era);
                let chunks = sorted(&rig, size);
                // SAFETY: the chunk lies in the arena.
                unsafe { chunks[0].set_head(garbage) };
                goes_on(&rig, size, chunks[0]);
            }
        }
    }
}

#[test]
fn a_free_chunk_with_a_smashed_foot_is_left_out() {
    for era in ERAS {
        for size in [512, 2048] {
            let rig = Rig::new(era);
            let chunks = sorted(&rig, size);
            // SAFETY: the word after the chunk.
            unsafe { chunks[0].word(size).write(size + 16) };
            goes_on(&rig, size, chunks[0]);
        }
    }
}

/// What freeing `chunk` changes, if nothing.
fn is_refused(rig: &Rig<impl alloc_core::backend::Backend>, chunk: Chunk) {
    let before = rig.work_unchecked(|state, _| (state.top, state.bins.map().clone(), state.last_remainder));
    // SAFETY: that it is not a chunk in use is what is tested.
    rig.work_unchecked(|state, source| unsafe { state.free(source, chunk) });
    let after = rig.work_unchecked(|state, _| (state.top, state.bins.map().clone(), state.last_remainder));
    assert_eq!(before, after);
}

#[test]
fn a_chunk_in_use_with_a_smashed_header_is_not_freed() {
    for era in ERAS {
        let rig = Rig::new(era);
        let [chunk, _] = rig.apart([512, 512]);
        for garbage in [0, 16, 1 << 30, usize::MAX, 512 | MAPPED, 512 | NOTE, 512 | 4, 0x4141_4141] {
            // SAFETY: the chunk is the test's.
            unsafe { chunk.set_head(garbage | PREV_IN_USE) };
            is_refused(&rig, chunk);
        }
        // SAFETY: as above.
        unsafe { chunk.set_head(512 | PREV_IN_USE) };
        rig.free(chunk);
    }
}

#[test]
fn a_chunk_before_a_smashed_header_is_not_freed() {
    for era in ERAS {
        let rig = Rig::new(era);
        let chunk = rig.allocate(512);
        let next = rig.allocate(512);
        // SAFETY: the chunk is the test's.
        unsafe { next.set_head(0) };
        is_refused(&rig, chunk);
        // SAFETY: as above.
        unsafe { next.set_head(512 | PREV_IN_USE) };
        rig.free(chunk);
    }
}

#[test]
fn a_chunk_after_a_foot_that_lies_is_not_freed() {
    for era in ERAS {
        let rig = Rig::new(era);
        let [before, chunk] = [512, 512].map(|size| rig.allocate(size));
        rig.allocate(32);
        rig.free(before);
        for garbage in [0, 16, 496, 528, usize::MAX] {
            // SAFETY: the foot lies in the arena.
            unsafe { chunk.word(0).write(garbage) };
            is_refused(&rig, chunk);
        }
        // SAFETY: as above.
        unsafe { chunk.word(0).write(512) };
        rig.free(chunk);
    }
}

#[test]
fn a_double_free_is_found_however_the_chunk_was_merged() {
    for era in ERAS {
        let rig = Rig::new(era);
        // Alone, with the one before, with the one after, with both.
        let [a, b, c, d] = [512, 528, 544, 560].map(|size| rig.allocate(size));
        rig.allocate(32);
        for chunk in [a, c, b, d] {
            rig.free(chunk);
            is_refused(&rig, chunk);
        }
        for chunk in [a, b, c, d] {
            is_refused(&rig, chunk);
        }
        rig.work(|_, _| ());
        // Into top.
        let [e, f] = [512, 512].map(|size| rig.allocate_from_top(size));
        for chunk in [e, f] {
            rig.free(chunk);
            is_refused(&rig, chunk);
        }
        is_refused(&rig, e);
        rig.work(|_, _| ());
    }
}

#[test]
fn classic_finds_the_newest_chunk_of_a_fastbin_freed_again() {
    let rig = Rig::new(Era::Classic);
    let chunk = rig.allocate(64);
    rig.free(chunk);
    rig.free(chunk);
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), 1));
}

#[test]
fn a_neighbour_whose_links_are_smashed_is_not_merged_with() {
    for era in ERAS {
        let rig = Rig::new(era);
        let [before, chunk, after] = [512, 2048, 528].map(|size| rig.allocate(size));
        rig.allocate(32);
        rig.free(before);
        rig.free(after);
        for broken in [before, after] {
            // SAFETY: the chunk lies in the arena.
            unsafe { broken.word(16).write(0x4141_4141_4141_4141) };
        }
        // SAFETY: the chunk is in use.
        rig.work_unchecked(|state, source| unsafe { state.free(source, chunk) });
        // SAFETY: all are chunks of the arena.
        unsafe {
            assert!(
                !chunk.in_use() && before.in_use() && after.in_use(),
                "{era:?}: they count as in use from now on"
            );
            assert_eq!(chunk.size(), 2048);
        }
        goes_on(&rig, 512, before);
        goes_on(&rig, 528, after);
    }
}
