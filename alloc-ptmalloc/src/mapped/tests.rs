//! Mapped blocks: their table, their cache, their thresholds.

use core::num::NonZero;
use core::ops::ControlFlow;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use alloc_core::AllocError;
use alloc_core::OnMisuse;
use alloc_core::backend::{Counting, Counts, Failing, PagesBackend};
use alloc_core::os::fake::FakeOs;
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_testkit::fault::{Disaligning, Poisoning};
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::size;

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;

/// Mapped blocks over a backend. Whatever is left at the end goes back to it.
struct Rig<B: Backend>(Box<Source<B>>);

impl<B: Backend> Rig<B> {
    fn with(backend: B, config: Config) -> Self {
        Self(Box::new(Source::new(backend, config, 1)))
    }

    fn allocate(&self, request: usize, align: usize) -> Option<(NonNull<u8>, bool)> {
        self.0.mapped.allocate(&self.0, request, align)
    }

    fn free(&self, block: NonNull<u8>) -> bool {
        // SAFETY: the tests give back what they hold, or what is nobody's.
        unsafe { self.0.mapped.free(&self.0, block) }
    }

    fn resize(&self, block: NonNull<u8>, request: usize) -> Option<NonNull<u8>> {
        // SAFETY: the tests resize what they hold, or what is nobody's.
        unsafe { self.0.mapped.resize(&self.0, block, request) }
    }

    fn usable(&self, block: NonNull<u8>) -> Option<usize> {
        self.0.mapped.usable_size(block)
    }

    fn thresholds(&self) -> (usize, usize) {
        (Tunables::get(&self.0.tunables.mmap_threshold), Tunables::get(&self.0.tunables.trim_threshold))
    }

    fn cached(&self) -> usize {
        self.0.mapped.inner.lock().cache.iter().map(|span| span.size).sum()
    }

    fn tick(&self, now_ms: u64) {
        self.0.mapped.tick(&self.0, now_ms);
    }
}

impl<B: Backend> Drop for Rig<B> {
    fn drop(&mut self) {
        // SAFETY: the tests are done with all blocks.
        unsafe { self.0.mapped.release_all(&self.0) };
    }
}

type Counted = Counting<PagesBackend<Os>>;

fn counted(config: Config) -> Rig<Counted> {
    Rig::with(Counting::new(PagesBackend::new(Os)), config)
}

fn counts(rig: &Rig<Counted>) -> Counts {
    rig.0.backend.counts()
}

/// An era's defaults, with a threshold that the sizes of these tests lie above.
fn config(era: Era) -> Config {
    Config { mmap_threshold: Config::new(era).mmap_threshold.min(512 << 10), ..Config::new(era) }
}

/// Keeps dead mappings, whatever their size: the threshold stays, and the delay does not pass by itself.
fn keeping() -> Config {
    Config { dynamic_threshold: false, purge_delay: u32::MAX, ..config(Era::Ours) }
}

fn fill(block: NonNull<u8>, size: usize, byte: u8) {
    // SAFETY: the tests fill blocks that they hold, as far as they may.
    unsafe { block.write_bytes(byte, size) };
}

fn holds(block: NonNull<u8>, from: usize, to: usize, byte: u8) -> bool {
    // SAFETY: as for `fill`.
    let start = unsafe { block.add(from) };
    // SAFETY: as above.
    let bytes = unsafe { core::slice::from_raw_parts(start.as_ptr(), to - from) };
    // SAFETY: any eight bytes are a number.
    let (head, words, tail) = unsafe { bytes.align_to::<u64>() };
    let word = u64::from_ne_bytes([byte; 8]);
    head.iter().chain(tail).all(|&found| found == byte) && words.iter().all(|&found| found == word)
}

fn nobodys(address: usize) -> NonNull<u8> {
    NonNull::without_provenance(NonZero::new(address).unwrap())
}

#[test]
fn a_block_reads_like_any_chunk_with_the_flag_m() {
    let rig = counted(config(Era::Ours));
    for request in [1, 100, 4072, 4073, MIB, MIB + 8, 10 * MIB + 1] {
        let (block, zeroed) = rig.allocate(request, 16).unwrap();
        let usable = rig.usable(block).unwrap();
        assert!(zeroed && usable >= request && usable < request + PAGE + 16, "{usable} for {request}");
        assert!(holds(block, 0, usable, 0));
        fill(block, usable, 0xff);
        // SAFETY: the block's chunk, whose header nobody wrote over.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: a chunk is there.
        let word = unsafe { chunk.size_word() };
        assert_eq!((word & 15, size::usable(word & !15)), (MAPPED, usable));
        assert!(rig.free(block) && !rig.free(block));
        assert_eq!(rig.usable(block), None);
    }
}

#[test]
fn every_alignment_to_a_gibibyte_is_served() {
    let rig = counted(config(Era::Ours));
    let mut held = Vec::new();
    for shift in 0..=30 {
        for request in [1, 5000, MIB] {
            let (block, zeroed) = rig.allocate(request, 1 << shift).unwrap();
            assert_eq!(block.addr().get() % (1 << shift).max(16), 0);
            assert!(zeroed && rig.usable(block).unwrap() >= request);
            assert!(holds(block, 0, request, 0));
            fill(block, request, shift as u8 + 1);
            held.push((block, request, shift));
        }
    }
    // Resizing keeps alignments, or refuses.
    for (block, request, shift) in held {
        assert!(holds(block, 0, request, shift as u8 + 1));
        for larger in [request + 1, 2 * request + PAGE, request + 3 * MIB] {
            if let Some(moved) = rig.resize(block, larger) {
                assert_eq!(moved.addr().get() % (1 << shift).max(16), 0, "2^{shift}");
                assert!(holds(moved, 0, request, shift as u8 + 1));
                assert!(rig.free(moved));
                break;
            }
            assert!(1 << shift > PAGE, "2^{shift} moves");
        }
    }
    assert!(rig.allocate(1, 1 << 62).is_none() && rig.allocate(usize::MAX - 100, 16).is_none());
    assert!(rig.allocate(size::MAX_REQUEST, 1 << 30).is_none());
}

#[test]
fn backends_that_align_no_further_than_asked_will_do() {
    let rig = Rig::with(Disaligning::new(PagesBackend::new(Os)), config(Era::Ours));
    for shift in 0..=22 {
        let (block, _) = rig.allocate(10_000, 1 << shift).unwrap();
        assert_eq!(block.addr().get() % (1 << shift).max(16), 0, "2^{shift}");
        fill(block, rig.usable(block).unwrap(), 1);
        assert!(rig.free(block));
    }
    let rig = Rig::with(Poisoning::new(PagesBackend::new(Os)), config(Era::Ours));
    for _ in 0..3 {
        let (block, zeroed) = rig.allocate(10_000, 16).unwrap();
        assert!(!zeroed, "spans that are not zero are not called so");
        assert!(rig.free(block));
    }
}

#[test]
fn thousands_of_blocks_are_known_and_nothing_else_is() {
    let os = FakeOs::new(64);
    {
        let rig =
            Rig::with(PagesBackend::new(&os), Config { n_mmaps_max: 20_000, ..Config::new(Era::Modern) });
        let mut held: Vec<_> = (0..5000).map(|i| rig.allocate(20 + i % 50, 16).unwrap().0).collect();
        for (i, &block) in held.iter().enumerate() {
            assert!(rig.usable(block).unwrap() >= 20 + i % 50);
            for offset in [1, 8, 16, 32] {
                let near = block.addr().get() + offset;
                assert_eq!(rig.usable(nobodys(near)), None, "an interior pointer is no block");
            }
        }
        let mut seen = 0;
        let walked = rig.0.mapped.for_each(|span, block, usable| {
            assert!(span.contains(block.addr().get()) && span.contains(block.addr().get() + usable - 1));
            seen += 1;
            if seen == 5000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(walked.is_break());
        // In any order, also such that probes run over gaps.
        for round in [3, 2, 1] {
            let mut at = 0;
            held.retain(|&block| {
                at += 1;
                let keep = round > 1 && at % round != 0;
                keep || {
                    assert!(rig.free(block));
                    false
                }
            });
            assert!(held.iter().all(|&block| rig.usable(block).is_some()), "a removal lost others");
        }
        assert!(held.is_empty());
        assert_eq!(rig.0.mapped.counters().n_mmaps, 0);
        assert_eq!(rig.0.mapped.counters().max_n_mmaps, 5000);
    }
    os.assert_all_released();
}

#[test]
fn foreign_pointers_are_refused_without_a_look() {
    let rig = counted(config(Era::Ours));
    // Nothing can be read at these addresses, before and after there is a table.
    let nowhere = [1, 16, 4096, 1 << 46, usize::MAX & !15].map(nobodys);
    for _ in 0..2 {
        for block in nowhere {
            assert!(!rig.free(block) && rig.resize(block, 10).is_none() && rig.usable(block).is_none());
            assert!(!rig.0.mapped.holds(block.addr().get()));
        }
        let (block, _) = rig.allocate(MIB, 16).unwrap();
        assert!(rig.0.mapped.holds(block.addr().get()) && rig.0.mapped.holds(block.addr().get() + MIB - 1));
        assert!(!rig.0.mapped.holds(block.addr().get() - 1));
    }
    assert_eq!(rig.0.mapped.counters().n_mmaps, 2);
}

#[test]
fn growing_a_hundred_mebibytes_copies_nothing() {
    let rig = counted(config(Era::Ours));
    let (mut block, _) = rig.allocate(MIB, 16).unwrap();
    let mut size = MIB;
    fill(block, size, 7);
    while size < 100 * MIB {
        let before = size;
        size = size * 3 / 2;
        block = rig.resize(block, size).unwrap();
        assert!(holds(block, 0, 64, 7) && holds(block, before - 64, before, 7));
        assert!(holds(block, before, (before + PAGE).min(size), 0), "new bytes are zero");
        fill(block, size, 7);
    }
    // One mapping from the first to the last: remapped, never a second one to copy to. The other one is the table.
    let counts = counts(&rig);
    assert_eq!((counts.allocations, counts.releases), (2, 0));
    assert!(counts.moves >= 10);
    assert_eq!(rig.0.mapped.counters().n_mmaps, 1);
    assert!(rig.free(block));
}

#[test]
fn growing_in_small_steps_asks_the_kernel_now_and_then() {
    let rig = counted(config(Era::Ours));
    let (mut block, _) = rig.allocate(MIB, 16).unwrap();
    for step in 1..=256 {
        block = rig.resize(block, MIB + step * PAGE).unwrap();
        assert!(rig.usable(block).unwrap() >= MIB + step * PAGE);
    }
    assert!(counts(&rig).moves <= 8, "{:?}", counts(&rig));
}

#[test]
fn shrinking_gives_the_end_back() {
    let rig = counted(config(Era::Ours));
    let (block, _) = rig.allocate(8 * MIB, 16).unwrap();
    fill(block, 8 * MIB, 3);
    let held = counts(&rig).bytes;
    // A little less is kept.
    assert_eq!(rig.resize(block, 8 * MIB - 5000), Some(block));
    assert_eq!(counts(&rig).bytes, held);
    assert_eq!(rig.resize(block, 3 * MIB), Some(block));
    assert_eq!(held - counts(&rig).bytes, 5 * MIB);
    assert!(holds(block, 0, 3 * MIB, 3));
    assert_eq!(rig.0.mapped.counters().mmapped_mem, 3 * MIB + PAGE);
    // What was cut off and comes again is zero.
    let block = rig.resize(block, 8 * MIB).unwrap();
    assert!(holds(block, 0, 3 * MIB, 3) && holds(block, 3 * MIB + PAGE, 8 * MIB, 0));
}

#[test]
fn dead_mappings_are_used_again_where_they_fit() {
    let rig = counted(keeping());
    let blocks = [4 * MIB, 2 * MIB, 3 * MIB].map(|request| rig.allocate(request, 16).unwrap().0);
    for block in blocks {
        fill(block, MIB, 9);
        assert!(rig.free(block));
    }
    assert_eq!(counts(&rig).releases, 0);
    assert_eq!(rig.cached(), 9 * MIB + 3 * PAGE);
    // Too large by more than a quarter, or too small: none of them.
    let (fresh, zeroed) = rig.allocate(MIB, 16).unwrap();
    assert!(zeroed && !blocks.contains(&fresh));
    // The best of those that fit, and it is not zero.
    let (again, zeroed) = rig.allocate(2 * MIB + MIB / 2, 16).unwrap();
    assert_eq!((again, zeroed), (blocks[2], false));
    assert!(holds(again, 0, MIB, 9));
    let (again, _) = rig.allocate(4 * MIB, 16).unwrap();
    assert_eq!(again, blocks[0]);
    assert!(rig.usable(again).unwrap() >= 4 * MIB);
    assert_eq!(rig.cached(), 2 * MIB + PAGE);
}

#[test]
fn dead_mappings_go_after_the_delay_oldest_first() {
    let rig = counted(Config { purge_delay: 1_000_000, ..keeping() });
    let blocks = [MIB, 2 * MIB].map(|request| rig.allocate(request, 16).unwrap().0);
    for block in blocks {
        rig.free(block);
    }
    let now = clock::now_ms();
    rig.tick(now + 900_000);
    assert_eq!(counts(&rig).releases, 0);
    rig.tick(now + 1_000_000);
    assert_eq!((counts(&rig).releases, rig.cached()), (2, 0));
    let mut cache = Cache::new();
    let span = |n: usize| Span { start: nobodys(n * MIB), size: MIB };
    for n in 1..=3 {
        assert_eq!(cache.put(span(n), n as u64 * 10, 0), None);
    }
    assert_eq!(cache.expired(19, 10), None);
    assert_eq!((cache.expired(20, 10), cache.expired(20, 10)), (Some(span(1)), None));
    assert_eq!((cache.expired(100, 10), cache.expired(100, 10)), (Some(span(2)), Some(span(3))));
    assert_eq!((cache.expired(100, 10), cache.iter().count()), (None, 0));
}

#[test]
fn the_cache_is_bounded_in_number_and_in_bytes() {
    let rig = counted(keeping());
    let blocks: Vec<_> = (0..40).map(|_| rig.allocate(600 << 10, 16).unwrap().0).collect();
    for block in blocks {
        rig.free(block);
    }
    assert_eq!((counts(&rig).releases, rig.cached() / (600 << 10)), (24, 16));
    rig.0.mapped.release_cache(&rig.0);
    let blocks: Vec<_> = (0..10).map(|_| rig.allocate(10 * MIB, 16).unwrap().0).collect();
    for block in blocks {
        rig.free(block);
        let limit = (32 * MIB).max(rig.0.mapped.counters().mmapped_mem / 8);
        assert!(rig.cached() <= limit, "{}", rig.cached());
    }
    assert_eq!(rig.cached() / (10 * MIB), 3);
    // What is larger than all that may be kept displaces nothing.
    let (block, _) = rig.allocate(33 * MIB, 16).unwrap();
    rig.free(block);
    assert_eq!(rig.cached() / (10 * MIB), 3);
    assert_eq!(rig.0.mapped.release_cache(&rig.0), 3 * (10 * MIB + PAGE));
}

#[test]
fn nothing_is_kept_in_the_eras_of_glibc_nor_without_delay() {
    for config in [
        Config { dynamic_threshold: false, ..Config::new(Era::Classic) },
        Config { dynamic_threshold: false, ..Config::new(Era::Modern) },
        Config { purge_delay: 0, ..keeping() },
    ] {
        let rig = counted(config);
        let (block, _) = rig.allocate(MIB, 16).unwrap();
        rig.free(block);
        assert_eq!((counts(&rig).releases, rig.cached()), (1, 0));
    }
}

#[test]
fn thresholds_follow_what_is_freed_as_in_glibc() {
    for era in [Era::Classic, Era::Modern, Era::Ours] {
        let rig = counted(config(era));
        let start = rig.thresholds();
        let round_trip = |request| {
            let (block, _) = rig.allocate(request, 16).unwrap();
            rig.free(block);
            rig.thresholds()
        };
        // A smaller mapping changes nothing.
        assert_eq!(round_trip(PAGE), start);
        // The size of the whole mapping, and twice that.
        assert_eq!(round_trip(MIB), (MIB + PAGE, 2 * (MIB + PAGE)));
        assert_eq!(round_trip(MIB / 2), (MIB + PAGE, 2 * (MIB + PAGE)), "it never falls");
        assert_eq!(round_trip(32 * MIB - 100), (32 * MIB, 64 * MIB));
        assert_eq!(round_trip(32 * MIB), (32 * MIB, 64 * MIB), "beyond the most, it stays");
        assert_eq!(rig.cached(), 0, "what an arena will serve is not kept");
        // Set by hand, it stays.
        let rig = counted(Config { dynamic_threshold: false, ..config(era) });
        let (block, _) = rig.allocate(MIB, 16).unwrap();
        rig.free(block);
        assert_eq!(rig.thresholds(), start);
    }
}

#[test]
fn the_number_of_mappings_is_limited_and_counted() {
    let rig = counted(Config { n_mmaps_max: 3, ..Config::new(Era::Modern) });
    let blocks: Vec<_> = (0..3).map(|_| rig.allocate(MIB, 16).unwrap().0).collect();
    assert!(rig.allocate(MIB, 16).is_none());
    assert!(rig.free(blocks[0]));
    let (again, _) = rig.allocate(2 * MIB, 16).unwrap();
    let counters = rig.0.mapped.counters();
    assert_eq!((counters.n_mmaps, counters.max_n_mmaps), (3, 3));
    assert_eq!(counters.mmapped_mem, 4 * MIB + 3 * PAGE);
    assert_eq!(counters.max_mmapped_mem, 4 * MIB + 3 * PAGE);
    assert!(rig.free(again));
    rig.0.tunables.n_mmaps_max.store(0, Ordering::Relaxed);
    assert!(rig.allocate(MIB, 16).is_none(), "0 turns mappings off");
}

#[test]
fn a_full_table_that_cannot_grow_still_serves() {
    let rig = Rig::with(Failing::new(PagesBackend::new(Os), Schedule::Never), Config::new(Era::Modern));
    let mut held = Vec::new();
    let table = |rig: &Rig<_>| rig.0.mapped.inner.lock().table.span().unwrap().size;
    held.push(rig.allocate(100, 16).unwrap().0);
    let first = table(&rig);
    // Every second request of the backend from here on is the table's, once it is three quarters full.
    while table(&rig) == first && held.len() < 63 {
        let full = held.len() >= 48;
        rig.0.backend.fail(if full { Schedule::Nth(1) } else { Schedule::Never });
        held.push(rig.allocate(100, 16).expect("a slot").0);
    }
    assert_eq!((held.len(), table(&rig)), (63, first));
    rig.0.backend.fail(Schedule::Nth(1));
    assert!(rig.allocate(100, 16).is_none(), "one slot stays empty");
    rig.0.backend.fail(Schedule::Never);
    held.push(rig.allocate(100, 16).unwrap().0);
    assert!(table(&rig) > first);
    for block in held {
        assert!(rig.free(block));
    }
}

#[test]
fn what_dead_mappings_hold_is_given_up_for_new_ones() {
    let rig = Rig::with(Failing::new(PagesBackend::new(Os), Schedule::Never), keeping());
    let (block, _) = rig.allocate(4 * MIB, 16).unwrap();
    rig.free(block);
    rig.0.backend.fail(Schedule::Nth(1));
    assert!(rig.allocate(16 * MIB, 16).is_some());
    assert_eq!((rig.cached(), rig.0.backend.requests()), (0, 2));
}

/// A fixed script of everything that asks the backend.
fn script(rig: &Rig<&Failing<PagesBackend<Os>>>) {
    let mut held: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
    for round in 0..90_usize {
        let request = [700 << 10, 5000, 100, 2 * MIB, 600 << 10][round % 5];
        if let Some((block, zeroed)) = rig.allocate(request, 16 << (round % 12)) {
            assert!(!zeroed || holds(block, 0, request, 0));
            let size = request.min(PAGE);
            fill(block, size, round as u8 + 1);
            held.push((block, size, round as u8 + 1));
        }
        if round % 4 == 1 && !held.is_empty() {
            let (block, size, byte) = held.swap_remove(round % held.len());
            assert!(holds(block, 0, size, byte) && rig.free(block));
        }
        if let Some(last) = held.last_mut() {
            let request = if round % 2 == 0 { 4 * MIB } else { PAGE };
            if let Some(moved) = rig.resize(last.0, request) {
                last.0 = moved;
            }
            assert!(holds(last.0, 0, last.1, last.2));
        }
    }
    for (block, size, byte) in held {
        assert!(holds(block, 0, size, byte) && rig.free(block));
    }
    assert_eq!(rig.0.mapped.counters().n_mmaps, 0);
    assert_eq!(rig.0.mapped.counters().mmapped_mem, 0);
}

#[test]
fn every_call_of_the_backend_may_fail() {
    let run = |schedule| {
        let backend = Failing::new(PagesBackend::new(Os), schedule);
        let rig = Rig::with(&backend, keeping());
        script(&rig);
        let calls = backend.requests();
        backend.fail(Schedule::Never);
        script(&rig);
        drop(rig);
        assert_eq!((backend.outstanding(), backend.outstanding_bytes()), (0, 0), "{schedule:?}");
        calls
    };
    let calls = run(Schedule::Never);
    assert!(calls > 100, "{calls}");
    for k in 1..=calls {
        run(Schedule::Nth(k));
        run(Schedule::From(k));
    }
}

#[test]
fn threads_map_and_unmap_at_once() {
    let rig = Rig::with(PagesBackend::new(Os), Config { on_misuse: OnMisuse::Abort, ..keeping() });
    let source = &*rig.0;
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                let mut held = Vec::new();
                for round in 0..300_usize {
                    let request = (1 + (round * 7 + usize::from(thread)) % 5) * (300 << 10);
                    let (block, zeroed) = source.mapped.allocate(source, request, 16).unwrap();
                    assert!(!zeroed || holds(block, 0, PAGE, 0));
                    fill(block, PAGE, thread + 1);
                    held.push(block);
                    if round % 3 == 2 {
                        let block = held.swap_remove(round % held.len());
                        // SAFETY: the block is this thread's.
                        let block = unsafe { source.mapped.resize(source, block, 2 * MIB) }.unwrap();
                        assert!(holds(block, 0, PAGE, thread + 1));
                        held.push(block);
                    }
                    if held.len() > 6 {
                        let block = held.swap_remove(round % held.len());
                        assert!(holds(block, 0, PAGE, thread + 1));
                        // SAFETY: as above.
                        assert!(unsafe { source.mapped.free(source, block) });
                    }
                }
                for block in held {
                    // SAFETY: as above.
                    assert!(unsafe { source.mapped.free(source, block) });
                }
            });
        }
    });
    assert_eq!(source.mapped.counters().n_mmaps, 0);
}

/// A backend of numbers alone: what the table needs.
struct Numbers;

// SAFETY: spans are memory of the system's allocator.
unsafe impl Backend for Numbers {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        16
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        alloc_core::backend::SystemBackend.allocate_span(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { alloc_core::backend::SystemBackend.release_span(span) };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against an ordinary map, with addresses that collide.
    #[test]
    fn the_table_is_a_map(steps in proptest::collection::vec((0..4_u8, 1..200_usize), 1..600)) {
        let mut table = Table::new();
        let mut model = BTreeMap::new();
        for (step, number) in steps {
            let block = nobodys(number << 34);
            if step < 2 && !model.contains_key(&block) {
                let entry = Entry { block, span: Span { start: block, size: number }, request: number, align: 16 };
                prop_assert!(table.reserve(&Numbers));
                table.insert(entry);
                model.insert(block, entry);
            } else if step == 2 {
                prop_assert_eq!(table.remove(block), model.remove(&block));
            } else if let Some(entry) = table.lift(block) {
                table.insert(entry);
            }
            prop_assert_eq!(table.get(block), model.get(&block).copied());
        }
        let mut found: Vec<_> = table.iter().map(|entry| entry.block).collect();
        found.sort_unstable();
        prop_assert_eq!(found, model.into_keys().collect::<Vec<_>>());
        table.release(&Numbers);
    }
}
