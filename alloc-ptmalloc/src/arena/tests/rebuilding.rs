//! A depot so full that the bins are rebuilt.

use alloc_core::OnMisuse;
use alloc_core::backend::{Limited, PagesBackend};
use alloc_core::os::unix::Os;

use super::Rig;
use crate::chunk::Chunk;
use crate::class;
use crate::config::{Config, Era};
use crate::magazine::Magazine;

/// Chunks of small classes in an order of their own, one class after the other by turns.
fn take(rig: &Rig<impl alloc_core::backend::Backend>, count: usize) -> Vec<(usize, Chunk)> {
    (0..count)
        .map(|index| {
            let class = class::of_request(24 + index * 37 % 900);
            (class, rig.allocate(class::chunk_size(class)))
        })
        .collect()
}

/// Gives chunks to the depot, in an order in which neighbours do not meet.
fn keep(rig: &Rig<impl alloc_core::backend::Backend>, chunks: &[(usize, Chunk)]) {
    for part in 0..7 {
        for (class, chunk) in chunks.iter().skip(part).step_by(7) {
            rig.work_unchecked(|state, source| {
                let mut magazine = Magazine::empty(*class);
                // SAFETY: the chunk is the test's, which gives it up.
                unsafe { magazine.push(chunk.block(), source.key) };
                // SAFETY: as above; the arena is held.
                unsafe { state.keep(source, magazine) };
            });
        }
    }
}

#[test]
fn what_the_depot_held_is_merged_and_what_lives_stays() {
    // Several heaps: a quarter of a megabyte each.
    let backend = Limited::new(PagesBackend::new(Os), 80 << 20);
    let rig = Rig::with(backend, Config::new(Era::Ours));
    let chunks = take(&rig, 4000);
    let (stay, go): (Vec<_>, Vec<_>) =
        chunks.iter().copied().enumerate().partition(|(index, _)| index % 10 == 3);
    for (index, (_, chunk)) in &stay {
        // SAFETY: a live block of 24 bytes at least.
        unsafe { chunk.block().cast::<usize>().write(*index) };
    }
    let go: Vec<_> = go.into_iter().map(|(_, chunk)| chunk).collect();
    keep(&rig, &go);
    rig.work(|state, source| {
        assert!(state.rebuilding_pays(), "nine in ten blocks are in the depot");
        // SAFETY: the arena is held.
        let bytes = unsafe { state.consolidate(source) };
        assert_eq!(bytes, go.iter().map(|(class, _)| class::chunk_size(*class)).sum::<usize>());
        assert_eq!(state.depot.bytes(), 0);
    });
    for (index, (_, chunk)) in &stay {
        // SAFETY: still live.
        assert_eq!(unsafe { chunk.block().cast::<usize>().read() }, *index);
    }
    for (_, (_, chunk)) in stay {
        rig.free(chunk);
    }
    rig.work(|state, _| {
        // SAFETY: top is a chunk.
        let top = unsafe { state.top.size() };
        // Everything but the arena itself is one chunk again.
        assert!(top + 16384 > state.system_mem, "{top} of {}", state.system_mem);
    });
}

#[test]
fn a_block_that_is_in_the_depot_twice_is_told_and_freed_once() {
    let rig =
        Rig::with(PagesBackend::new(Os), Config { on_misuse: OnMisuse::Ignore, ..Config::new(Era::Ours) });
    let chunks = take(&rig, 600);
    keep(&rig, &chunks[..599]);
    rig.work_unchecked(|state, source| {
        let mut magazine = Magazine::empty(chunks[300].0);
        // Last in its magazine both times, so that its words say the same in either.
        for chunk in [chunks[300].1, chunks[599].1] {
            // SAFETY: none for the first one: the misuse under test.
            unsafe { magazine.push(chunk.block(), source.key) };
        }
        // SAFETY: as above; the arena is held.
        unsafe { state.keep(source, magazine) };
    });
    let bytes: usize = chunks.iter().map(|(class, _)| class::chunk_size(*class)).sum();
    rig.work(|state, source| {
        assert!(state.rebuilding_pays());
        // SAFETY: the arena is held.
        assert_eq!(unsafe { state.consolidate(source) }, bytes);
    });
}
