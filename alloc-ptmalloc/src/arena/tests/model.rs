//! Random verbs against a model: who holds what, and what they wrote there.

use std::collections::BTreeMap;
use std::vec::Vec;

use alloc_core::OnMisuse;
use alloc_core::backend::{Backend, PagesBackend};
use alloc_core::os::unix::Os;
use proptest::prelude::*;

use super::memory::Cramped;
use super::{Rig, chunks_of};
use crate::chunk::Chunk;
use crate::class::{self, CLASSES, TINY};
use crate::config::{CheckLevel, Config, Era};
use crate::magazine::Magazine;
use crate::size::{self, MIN_CHUNK};

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize),
    Free(usize),
    FreeRun(usize, usize),
    Fill(usize, usize),
    Use(usize),
    Keep(usize),
    Consolidate,
    ReleaseStale,
}

fn request() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0..200_usize,
        4 => 200..2000_usize,
        2 => 2000..70_000_usize,
        1 => 70_000..600_000_usize,
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => request().prop_map(Step::Allocate),
        6 => any::<usize>().prop_map(Step::Free),
        1 => (any::<usize>(), 1..12_usize).prop_map(|(from, count)| Step::FreeRun(from, count)),
        5 => ((TINY..CLASSES), (1..40_usize)).prop_map(|(class, want)| Step::Fill(class, want)),
        3 => any::<usize>().prop_map(Step::Use),
        4 => any::<usize>().prop_map(Step::Keep),
        1 => Just(Step::Consolidate),
        1 => Just(Step::ReleaseStale),
    ];
    proptest::collection::vec(step, 1..160)
}

struct Held {
    usable: usize,
    tag: u8,
}

/// What the test holds: blocks by their addresses, and magazines.
#[derive(Default)]
struct Model {
    held: BTreeMap<usize, (Chunk, Held)>,
    magazines: Vec<Magazine>,
    tag: u8,
}

impl Model {
    /// Takes a chunk as a holder does: it overlaps no other, and is written all over.
    fn take(&mut self, chunk: Chunk, least: usize) {
        let start = chunk.block().addr().get();
        // SAFETY: the chunk is in use.
        let usable = size::usable(unsafe { chunk.size() });
        assert!(start % 16 == 0 && usable >= least && usable < least + MIN_CHUNK, "{usable} for {least}");
        if let Some((&before, (_, held))) = self.held.range(..start).next_back() {
            assert!(before + held.usable <= start, "it overlaps the block before");
        }
        if let Some((&after, _)) = self.held.range(start..).next() {
            assert!(start + usable <= after, "it overlaps the block after");
        }
        self.tag = self.tag.wrapping_add(1);
        // SAFETY: the block is the test's, and so large.
        unsafe { chunk.block().as_ptr().write_bytes(self.tag, usable) };
        self.held.insert(start, (chunk, Held { usable, tag: self.tag }));
    }

    /// Gives up the `which`th chunk, which still holds what was written.
    fn give(&mut self, which: usize) -> Option<Chunk> {
        let &start = self.held.keys().nth(which % self.held.len().max(1))?;
        let (chunk, held) = self.held.remove(&start)?;
        // SAFETY: the block is the test's, and so large.
        let bytes = unsafe { core::slice::from_raw_parts(chunk.block().as_ptr(), held.usable) };
        assert!(bytes.iter().all(|&byte| byte == held.tag), "a block was written to by somebody else");
        Some(chunk)
    }

    fn magazine(&mut self, which: usize) -> Option<Magazine> {
        let count = self.magazines.len();
        (count > 0).then(|| self.magazines.swap_remove(which % count))
    }

    fn step(&mut self, rig: &Rig<impl Backend>, step: &Step) {
        match *step {
            Step::Allocate(request) => {
                let size = size::chunk_size(request).unwrap();
                // SAFETY: a chunk size.
                let found = rig.work(|state, source| unsafe { state.allocate(source, size) }).unwrap();
                let end = found.chunk.block().addr().get() + size::usable(size);
                for address in (found.clean_from..end).step_by(64) {
                    // SAFETY: the byte lies in the block.
                    let byte = unsafe { found.chunk.block().as_ptr().with_addr(address).read() };
                    assert_eq!(byte, 0, "what is called clean is");
                }
                self.take(found.chunk, size::usable(size));
            }
            Step::Free(which) => {
                if let Some(chunk) = self.give(which) {
                    rig.free(chunk);
                }
            }
            Step::FreeRun(from, count) => {
                // Neighbours, mostly.
                let from = from % self.held.len().max(1);
                for _ in 0..count.min(self.held.len().saturating_sub(from)) {
                    if let Some(chunk) = self.give(from) {
                        rig.free(chunk);
                    }
                }
            }
            Step::Fill(class, want) => {
                let ours = rig.source.config.era == Era::Ours;
                let magazine = if ours {
                    rig.fill(class, want)
                } else {
                    // SAFETY: the size of a class.
                    rig.work(|state, source| unsafe {
                        state.stash(source, class::chunk_size(class.max(2)), want)
                    })
                };
                assert!(magazine.count > 0 && (ours || magazine.count <= want));
                self.magazines.push(magazine);
            }
            Step::Use(which) => {
                if let Some(magazine) = self.magazine(which) {
                    for chunk in chunks_of(magazine) {
                        self.take(chunk, size::usable(class::chunk_size(magazine.class)));
                    }
                }
            }
            Step::Keep(which) => {
                if let Some(magazine) = self.magazine(which) {
                    rig.keep(magazine);
                }
            }
            Step::Consolidate => {
                rig.consolidate();
            }
            Step::ReleaseStale => {
                // SAFETY: the source is the arena's.
                rig.work(|state, source| unsafe { state.release_stale(source) });
            }
        }
    }

    /// Gives everything back. Nothing is in use then: one heap is all top.
    fn finish(mut self, rig: &Rig<impl Backend>, first: Chunk) {
        while let Some(magazine) = self.magazine(0) {
            rig.keep(magazine);
        }
        while let Some(chunk) = self.give(7) {
            rig.free(chunk);
        }
        rig.consolidate();
        rig.work(|state, _| {
            assert_eq!((state.depot.bytes(), state.fastbins.bytes()), (0, 0));
            // SAFETY: heaps live as long as their arena.
            let newest = unsafe { state.heap.as_ref() };
            assert_eq!(state.top, newest.first(), "the newest heap is all top");
            let mut next = newest.previous();
            assert!(next.is_some() || state.top == first && state.bins.map().next(0).is_none());
            while let Some(heap) = next {
                // SAFETY: as above.
                let heap = unsafe { heap.as_ref() };
                // SAFETY: a heap begins with a chunk.
                let (free, end) = unsafe { (!heap.first().in_use(), heap.first().next()) };
                assert!(free && Some(end) == heap.fence(), "any other heap is one free chunk");
                next = heap.previous();
            }
        });
    }
}

fn run(era: Era, check: CheckLevel, steps: &[Step]) {
    run_on(PagesBackend::new(Os), era, check, steps);
}

fn run_on(backend: impl Backend, era: Era, check: CheckLevel, steps: &[Step]) {
    let config = Config { check, on_misuse: OnMisuse::Abort, ..Config::new(era) };
    let rig = Rig::with(backend, config);
    let first = rig.work(|state, _| state.top);
    let mut model = Model::default();
    for step in steps {
        model.step(&rig, step);
    }
    model.finish(&rig, first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn classic_holds_what_its_holders_hold(steps in steps()) {
        run(Era::Classic, CheckLevel::Default, &steps);
    }

    #[test]
    fn classic_does_so_with_masked_links(steps in steps()) {
        run(Era::Classic, CheckLevel::Hardened, &steps);
    }

    #[test]
    fn modern_holds_what_its_holders_hold(steps in steps()) {
        run(Era::Modern, CheckLevel::Default, &steps);
    }

    #[test]
    fn ours_holds_what_its_holders_hold(steps in steps()) {
        run(Era::Ours, CheckLevel::Default, &steps);
    }

    #[test]
    fn many_small_heaps_hold_as_much_as_a_large_one(steps in steps()) {
        for era in super::ERAS {
            run_on(Cramped::<{ 1 << 20 }>::new(), era, CheckLevel::Default, &steps);
        }
    }
}
