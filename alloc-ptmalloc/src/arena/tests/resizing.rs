//! Resizing in place, and alignments, against a shadow.

use std::collections::BTreeMap;
use std::vec::Vec;

use alloc_core::backend::{Backend, PagesBackend};
use alloc_core::os::unix::Os;
use proptest::prelude::*;

use super::memory::{Cramped, clean, fill, holds, usable};
use super::{ERAS, Rig};
use crate::chunk::Chunk;
use crate::config::{Config, Era};
use crate::size;

const MIB: usize = 1 << 20;

#[test]
fn the_last_chunk_grows_without_moving_to_the_end_of_its_heap() {
    for era in ERAS {
        let rig = Rig::new(era);
        let chunk = rig.allocate(64);
        let mut size = 64;
        while size < 60 * MIB {
            size = (size + size / 2) & !15;
            if size > 60 * MIB {
                break;
            }
            // SAFETY: the first byte of the test's block.
            unsafe { chunk.block().as_ptr().write(7) };
            assert!(rig.resize(chunk, size), "{era:?}: {size}");
            // SAFETY: the chunk is in use.
            assert_eq!(unsafe { chunk.size() }, size);
        }
        assert!(!rig.resize(chunk, 64 * MIB), "{era:?}");
        // SAFETY: as above.
        assert_eq!(unsafe { chunk.block().as_ptr().read() }, 7);
        rig.free(chunk);
    }
}

#[test]
fn a_chunk_grows_into_the_free_one_after_it() {
    for era in ERAS {
        let rig = Rig::new(era);
        let [first, second] = [1024, 2048].map(|size| rig.allocate(size));
        rig.allocate(32);
        fill(first, 3);
        assert!(!rig.resize(first, 1040), "{era:?}: the next chunk is in use");
        rig.free(second);
        rig.consolidate();
        assert!(!rig.resize(first, 1024 + 2048 + 16), "{era:?}: too much");
        assert!(rig.resize(first, 2048));
        assert!(holds(first, 0, 1016, 3));
        // What is left of the second chunk is free.
        assert_eq!(rig.allocate(1024).address(), first.address() + 2048, "{era:?}");
        // A rest too small for a chunk stays with it.
        let [first, second] = [1024, 2048].map(|size| rig.allocate_from_top(size));
        rig.allocate_from_top(32);
        rig.free(second);
        assert!(rig.resize(first, 1024 + 2048 - 16));
        // SAFETY: the chunk is in use.
        assert_eq!(unsafe { first.size() }, 1024 + 2048);
    }
}

#[test]
fn a_tail_goes_back_when_it_is_worth_it() {
    for era in ERAS {
        let rig = Rig::new(era);
        let chunk = rig.allocate(32 << 10);
        rig.allocate(32);
        fill(chunk, 5);
        for (size, after) in [
            ((32 << 10) - 64, 32 << 10),
            ((32 << 10) - 4080, 32 << 10),
            ((32 << 10) - 4096, (32 << 10) - 4096),
            (1024, 1024),
            (1024 - 112, 1024),
            (1024 - 128, 1024 - 128),
            (96, 96),
            (48, 96),
            (32, 32),
        ] {
            assert!(rig.resize(chunk, size));
            // SAFETY: the chunk is in use.
            assert_eq!(unsafe { chunk.size() }, after, "{era:?}: for {size}");
            assert!(holds(chunk, 0, usable(chunk), 5));
        }
        // All that was cut off is one free chunk again.
        rig.consolidate();
        assert!(rig.resize(chunk, 32 << 10), "{era:?}");
    }
}

#[test]
fn all_alignments_in_a_heap_cost_no_more_than_their_lead() {
    for era in ERAS {
        for shift in 4..=25 {
            let rig = Rig::new(era);
            let align = 1 << shift;
            for size in [32, 1024, 100_000 / 16 * 16] {
                let found = rig.aligned(size, align).expect("memory");
                let block = found.chunk.block().addr().get();
                assert_eq!(block % align, 0);
                clean(found);
                fill(found.chunk, 6);
                // SAFETY: the chunk is in use.
                assert!(unsafe { found.chunk.size() } < size + 32);
            }
        }
    }
}

#[test]
fn aligned_chunks_are_found_again() {
    for era in ERAS {
        let rig = Rig::new(era);
        let mut seen = Vec::new();
        for _ in 0..200 {
            let chunk = rig.aligned(8192, 4096).expect("memory").chunk;
            rig.allocate(48);
            seen.push(chunk.address());
            rig.free(chunk);
        }
        seen.sort_unstable();
        seen.dedup();
        let memory = rig.work(|state, _| state.system_mem);
        assert!(memory < MIB, "{era:?}: {memory} bytes, {} places", seen.len());
    }
}

#[test]
fn what_an_alignment_leaves_untouched_stays_clean() {
    let rig = Rig::new(Era::Ours);
    let found = rig.aligned(4096, MIB).expect("memory");
    assert_eq!(clean(found), usable(found.chunk));
    // Nothing was written beyond it: what follows is clean as well.
    let (next, zero) = rig.dirty(MIB);
    assert_eq!(zero, usable(next));
    assert!(next.address() > found.chunk.address() && next.address() - found.chunk.address() <= 4096);
}

#[test]
fn impossible_alignments_are_refused_without_loss() {
    for era in ERAS {
        let rig = Rig::with(Cramped::<MIB>::new(), Config::new(era));
        rig.allocate(4096);
        let before = rig.work(|state, _| state.top);
        for (size, align) in [(4096, 8 * MIB), (MIB, 4096), (usize::MAX & !15, 64), (32, 1 << 62)] {
            assert!(rig.aligned(size, align).is_none(), "{era:?}: {size} at {align}");
        }
        assert_eq!(rig.work(|state, _| state.top), before);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize),
    Aligned(usize, u32),
    Resize(usize, usize),
    Free(usize),
    Trim(usize),
    Tick(u64),
    Consolidate,
}

fn request() -> impl Strategy<Value = usize> {
    prop_oneof![5 => 0..300_usize, 4 => 300..6000_usize, 3 => 6000..90_000_usize, 1 => 90_000..400_000_usize]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => request().prop_map(Step::Allocate),
        3 => (request(), 4..17_u32).prop_map(|(request, shift)| Step::Aligned(request, shift)),
        8 => (any::<usize>(), request()).prop_map(|(which, request)| Step::Resize(which, request)),
        6 => any::<usize>().prop_map(Step::Free),
        1 => (0..200_000_usize).prop_map(Step::Trim),
        1 => (0..200_u64).prop_map(Step::Tick),
        1 => Just(Step::Consolidate),
    ];
    proptest::collection::vec(step, 1..150)
}

/// What is held: chunks by address, with what they are filled with.
#[derive(Default)]
struct Shadow {
    held: BTreeMap<usize, (Chunk, u8)>,
    byte: u8,
    now: u64,
}

impl Shadow {
    fn take(&mut self, chunk: Chunk, least: usize) {
        let (start, bytes) = (chunk.block().addr().get(), usable(chunk));
        assert!(bytes >= least);
        if let Some((&before, &(other, _))) = self.held.range(..start).next_back() {
            assert!(before + usable(other) <= start);
        }
        if let Some((&after, _)) = self.held.range(start + 1..).next() {
            assert!(start + bytes <= after);
        }
        self.byte = self.byte % 250 + 1;
        fill(chunk, self.byte);
        self.held.insert(start, (chunk, self.byte));
    }

    fn give(&mut self, which: usize) -> Option<(Chunk, u8)> {
        let &start = self.held.keys().nth(which % self.held.len().max(1))?;
        let (chunk, byte) = self.held.remove(&start)?;
        assert!(holds(chunk, 0, usable(chunk), byte), "a block was written to by somebody else");
        Some((chunk, byte))
    }

    fn step(&mut self, rig: &Rig<impl Backend>, step: &Step) {
        let chunk_size = |request| size::chunk_size(request).expect("a possible request");
        match *step {
            Step::Allocate(request) => {
                // SAFETY: a chunk size.
                let found = rig.work(|state, source| unsafe { state.allocate(source, chunk_size(request)) });
                let found = found.expect("memory");
                clean(found);
                self.take(found.chunk, request);
            }
            Step::Aligned(request, shift) => {
                let found = rig.aligned(chunk_size(request), 1 << shift).expect("memory");
                assert_eq!(found.chunk.block().addr().get() % (1 << shift), 0);
                clean(found);
                self.take(found.chunk, request);
            }
            Step::Resize(which, request) => {
                let Some((chunk, byte)) = self.give(which) else { return };
                let before = usable(chunk);
                let resized = rig.resize(chunk, chunk_size(request));
                assert!(resized || request > before && usable(chunk) == before);
                assert!(holds(chunk, 0, before.min(usable(chunk)), byte), "resizing lost contents");
                self.take(chunk, if resized { request } else { before });
            }
            Step::Free(which) => {
                if let Some((chunk, _)) = self.give(which) {
                    rig.free(chunk);
                }
            }
            Step::Trim(pad) => {
                rig.trim(pad);
            }
            Step::Tick(passed) => {
                self.now += passed;
                rig.tick(self.now);
            }
            Step::Consolidate => {
                rig.consolidate();
            }
        }
    }

    fn run(mut self, rig: &Rig<impl Backend>, steps: &[Step]) {
        self.now = crate::clock::now_ms();
        for step in steps {
            self.step(rig, step);
        }
        while let Some((chunk, _)) = self.give(3) {
            rig.free(chunk);
        }
        rig.consolidate();
        rig.trim(0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn classic_resizes_as_its_shadow(steps in steps()) {
        Shadow::default().run(&Rig::with(Cramped::<MIB>::new(), Config::new(Era::Classic)), &steps);
    }

    #[test]
    fn modern_resizes_as_its_shadow(steps in steps()) {
        Shadow::default().run(&Rig::with(Cramped::<MIB>::new(), Config::new(Era::Modern)), &steps);
    }

    #[test]
    fn ours_resizes_as_its_shadow(steps in steps()) {
        Shadow::default().run(&Rig::with(Cramped::<MIB>::new(), Config::new(Era::Ours)), &steps);
    }

    #[test]
    fn ours_does_so_without_a_delay(steps in steps()) {
        let config = Config { purge_delay: 0, trim_threshold: 4096, ..Config::new(Era::Ours) };
        Shadow::default().run(&Rig::with(PagesBackend::new(Os), config), &steps);
    }
}
