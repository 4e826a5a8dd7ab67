//! A backend that refuses: nothing is lost, and what is kept apart is used before a request is refused.

use std::vec::Vec;

use alloc_core::OnMisuse;
use alloc_core::backend::{Failing, PagesBackend};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;

use super::{ERAS, Rig};
use crate::chunk::Chunk;
use crate::class;
use crate::config::{Config, Era};

type Source = Failing<PagesBackend<Os>>;

/// An arena that gets one heap and no other.
fn one_heap(era: Era) -> Rig<Source> {
    let rig = Rig::with(
        Failing::new(PagesBackend::new(Os), Schedule::Never),
        Config { on_misuse: OnMisuse::Ignore, ..Config::new(era) },
    );
    rig.source.backend.fail(Schedule::From(1));
    rig
}

fn take_all(rig: &Rig<Source>, size: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    // SAFETY: a chunk size.
    while let Some(found) = rig.work_unchecked(|state, source| unsafe { state.allocate(source, size) }) {
        chunks.push(found.chunk);
        assert!(chunks.len() < 1 << 20);
    }
    rig.work(|_, _| ());
    chunks
}

#[test]
fn all_of_a_heap_is_had_again_and_again() {
    for era in ERAS {
        let rig = one_heap(era);
        let sizes = [1 << 20, 300_000, 20 << 20, 70_016, 1 << 20].map(|size| size / 16 * 16);
        let counts = sizes.map(|size| {
            let chunks = take_all(&rig, size);
            for &chunk in chunks.iter().step_by(2).chain(chunks.iter().skip(1).step_by(2)) {
                rig.free(chunk);
            }
            chunks.len()
        });
        assert!(counts[0] >= 60 && counts[2] == 3, "{era:?}: {counts:?}");
        assert_eq!(counts[0], counts[4], "{era:?}");
    }
}

#[test]
fn the_depot_is_taken_apart_before_a_request_is_refused() {
    let rig = one_heap(Era::Ours);
    let class = class::of_request(1000);
    let mut magazines = 0;
    let mut held = Vec::new();
    loop {
        let magazine = rig.work_unchecked(|state, source| {
            // SAFETY: a class.
            unsafe { state.fill(source, class, 64) }
        });
        if magazine.count == 0 {
            break;
        }
        magazines += 1;
        held.push(magazine);
        assert!(magazines < 1 << 20);
    }
    for magazine in held {
        // SAFETY: the magazine is the test's.
        rig.work_unchecked(|state, source| unsafe { state.keep(source, magazine) });
    }
    assert!(rig.work(|state, _| state.depot.bytes()) > 60 << 20);
    let chunk = rig.allocate(50 << 20);
    rig.work(|state, _| assert_eq!(state.depot.bytes(), 0));
    rig.free(chunk);
    assert!(rig.fill(class, 8).count > 0);
}

#[test]
fn a_full_depot_is_used_before_the_arena_grows() {
    let rig = Rig::new(Era::Ours);
    let (class, other) = (class::of_request(1000), class::of_request(2000));
    let mut held = Vec::new();
    for _ in 0..1000 {
        // SAFETY: a class.
        held.push(rig.work_unchecked(|state, source| unsafe { state.fill(source, class, 4) }));
    }
    for magazine in held {
        // SAFETY: the magazine is the test's.
        rig.work_unchecked(|state, source| unsafe { state.keep(source, magazine) });
    }
    let grown = rig.work(|state, _| state.system_mem);
    let mut bytes = 0;
    while bytes < grown / 2 {
        bytes += rig.fill(other, 4).count * class::chunk_size(other);
    }
    rig.work(|state, _| assert!(state.system_mem <= grown, "what lay in the depot was used instead"));
}

#[test]
fn classic_uses_fastbins_before_it_grows() {
    let rig = one_heap(Era::Classic);
    let chunks = take_all(&rig, 128);
    for &chunk in &chunks {
        // SAFETY: the chunk is in use.
        rig.work_unchecked(|state, source| unsafe { state.free(source, chunk) });
    }
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), chunks.len()));
    rig.allocate(1008);
    rig.work(|state, _| assert_eq!(state.fastbins.chunks(), 0));
}

#[test]
fn fewer_blocks_are_better_than_none() {
    let rig = one_heap(Era::Ours);
    let class = class::of_request(1000);
    let size = class::chunk_size(class);
    let taken = take_all(&rig, size);
    let (first, last) = (taken[10], taken[500]);
    rig.free(first);
    rig.free(last);
    assert_eq!(super::chunks_of(rig.fill(class, 64)), [first, last]);
    assert_eq!(rig.fill(class, 64).count, 0);
}
