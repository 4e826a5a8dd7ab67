//! Heaps that come, their fences, and what is known of memory that was never touched.

use std::vec::Vec;

use alloc_core::backend::{Aligned, Backend, Counting, Failing, PagesBackend};
use alloc_core::os::fake::FakeOs;
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_testkit::fault::Poisoning;

use super::memory::{Cramped, Stale, clean, fill, holds, usable};
use super::{ERAS, Rig};
use crate::chunk::Chunk;
use crate::config::{Config, Era, HugePages};
use crate::heap::{self, Heap};
use crate::owner;
use crate::size::MIN_CHUNK;

const MIB: usize = 1 << 20;

/// Pages that have memory behind them, of a range.
fn resident(start: usize, size: usize) -> usize {
    let page = 4096;
    let first = core::ptr::with_exposed_provenance_mut::<libc::c_void>(start & !(page - 1));
    let mut pages = std::vec![0_u8; size.div_ceil(page)];
    // SAFETY: a query about a range of this process, answered in as many bytes.
    let answer = unsafe { libc::mincore(first, pages.len() * page, pages.as_mut_ptr()) };
    assert_eq!(answer, 0);
    pages.iter().filter(|&&page| page & 1 == 1).count()
}

#[test]
fn a_fresh_arena_touches_its_header_alone() {
    let rig = Rig::new(Era::Ours);
    let (base, end, size) = rig.work(|state, _| {
        // SAFETY: the newest heap is live.
        let heap = unsafe { state.heap.as_ref() };
        let base = heap.span().start.addr().get();
        (base, state.top_end(), heap.span().size)
    });
    assert_eq!(size, 64 * MIB);
    assert!(end - base <= 128 << 10, "accounting starts small: {}", end - base);
    assert!(resident(base, size) <= 3, "{} pages are touched", resident(base, size));
    assert!(size_of::<Heap>() <= 128);
}

#[test]
fn heaps_follow_each_other_and_all_of_them_are_used() {
    for era in ERAS {
        let rig = Rig::with(Cramped::<MIB>::new(), Config::new(era));
        let mut chunks = Vec::new();
        while rig.heaps() < 6 {
            chunks.push(rig.dirty(48 << 10).0);
        }
        for chunk in &chunks {
            let address = chunk.address();
            assert!(heap::holds(address) && heap::same(address, address + usable(*chunk)));
        }
        // All but the newest are full: what lay behind the last chunk of each is in use as well.
        let bytes: usize = chunks.iter().map(|&chunk| usable(chunk)).sum();
        assert!(bytes > 5 * MIB * 95 / 100, "{era:?}: {bytes}");
        for chunk in chunks.drain(..) {
            assert!(holds(chunk, 0, usable(chunk), 0xd7), "{era:?}: heaps overlap");
            rig.free(chunk);
        }
        rig.consolidate();
        // Everything is free again, and as much fits in as before, in the same heaps.
        for _ in 0..5 * 20 {
            chunks.push(rig.dirty(48 << 10).0);
        }
        assert_eq!(rig.heaps(), 6, "{era:?}");
    }
}

/// Makes top exactly `left` bytes large, at the end of its heap.
fn squeeze(rig: &Rig<Cramped<MIB>>, left: usize) -> Chunk {
    rig.work(|state, source| {
        // SAFETY: the newest heap is live.
        let room = unsafe { state.heap.as_ref() }.end() - state.top.address();
        // SAFETY: a chunk size, within the heap.
        assert!(unsafe { state.extend_top(source, room - MIN_CHUNK) });
        // SAFETY: as above.
        unsafe { state.carve_top(source, room - left) }.expect("room for it");
        assert_eq!(state.top_room(), left - MIN_CHUNK);
        state.top
    })
}

#[test]
fn a_fence_ends_a_heap_whatever_was_left_of_it() {
    for era in ERAS {
        for left in (32..=160).step_by(16).chain([4096, 65536]) {
            let rig = Rig::with(Cramped::<MIB>::new(), Config::new(era));
            let top = squeeze(&rig, left);
            let next = rig.allocate(64 << 10);
            assert_eq!(rig.heaps(), 2, "{left}");
            // What can be used of the rest is used, and comes back, without the fence.
            let rest = left.saturating_sub(32);
            if rest >= MIN_CHUNK {
                let size = rest & !15;
                let chunk = rig.allocate(size);
                assert_eq!(chunk, top, "{era:?}: {left}");
                fill(chunk, 1);
                rig.free(chunk);
                rig.consolidate();
                assert_eq!(rig.allocate(size), top);
            }
            rig.free(next);
        }
    }
}

#[test]
fn sizes_up_to_a_heap_are_served_and_larger_ones_refused() {
    let rig = Rig::new(Era::Ours);
    for size in [MIB, 20 * MIB, 40 * MIB, Heap::CAPACITY] {
        let chunk = rig.allocate(size);
        // SAFETY: the first and the last byte of the test's block.
        unsafe { chunk.block().as_ptr().add(usable(chunk) - 1).write(1) };
        rig.free(chunk);
    }
    for size in [Heap::CAPACITY + 16, 64 * MIB, 1 << 40, usize::MAX & !15] {
        // SAFETY: however large, a multiple of 16.
        assert!(rig.work(|state, source| unsafe { state.allocate(source, size) }).is_none());
    }
}

#[test]
fn what_was_never_touched_is_clean_to_the_byte() {
    let rig = Rig::new(Era::Ours);
    // A new heap's memory, all of it.
    let (first, zero) = rig.dirty(10_000 & !15);
    assert_eq!(zero, usable(first));
    let (second, zero) = rig.dirty(300_000 / 16 * 16);
    assert_eq!(zero, usable(second));
    // Merged with top, and cut from it again: what was dirty is not called clean, and what was not, is. Top's own size word was
    // written 8 bytes beyond the block.
    rig.free(second);
    let (third, zero) = rig.dirty(600_000 / 16 * 16);
    assert_eq!(third, second);
    let (before, after) = (300_000 / 16 * 16, 600_000 / 16 * 16);
    assert_eq!(zero, after - before - 8);
    let _ = first;
}

#[test]
fn the_clean_mark_is_that_of_the_newest_heap() {
    let rig = Rig::with(Cramped::<MIB>::new(), Config::new(Era::Ours));
    let mut held = Vec::new();
    while rig.heaps() < 4 {
        let (chunk, zero) = rig.dirty(80 << 10);
        assert_eq!(zero, if rig.heaps() > 1 || held.len() < 12 { usable(chunk) } else { 0 });
        held.push(chunk);
    }
    for chunk in held {
        rig.free(chunk);
    }
    rig.consolidate();
    // All heaps were used: only what lies beyond the last chunk of the newest may be clean.
    let mut dirty = 0;
    while rig.heaps() < 5 {
        let (chunk, zero) = rig.dirty(80 << 10);
        dirty += usize::from(zero < usable(chunk));
    }
    assert!(dirty >= 36, "{dirty}");
}

#[test]
fn nothing_is_called_clean_where_spans_are_not_zero() {
    let rig = Rig::with(Poisoning::new(PagesBackend::new(Os)), Config::new(Era::Ours));
    for size in [32, 4096, 100_000 / 16 * 16, 2 * MIB] {
        let (chunk, zero) = rig.dirty(size);
        assert_eq!(zero, 0);
        rig.free(chunk);
    }
    let rig = Rig::with(Stale(PagesBackend::new(Os)), Config::new(Era::Ours));
    let (chunk, zero) = rig.dirty(2 * MIB);
    assert_eq!(zero, 0);
    rig.free(chunk);
    assert!(rig.trim(0) > 0);
    assert_eq!(rig.dirty(2 * MIB).1, 0, "purged memory is not zero there, either");
}

#[test]
fn accounting_follows_what_is_used() {
    for era in ERAS {
        let rig = Rig::new(era);
        let start = rig.work(|state, _| state.system_mem);
        let mut used = 0;
        for _ in 0..100 {
            rig.allocate(100_000 / 16 * 16);
            used += 100_000 / 16 * 16;
            let now = rig.work(|state, _| state.system_mem);
            assert!(now >= used && now <= used + used / 8 + start + (192 << 10), "{era:?}: {now} for {used}");
        }
        rig.work(|state, _| assert_eq!(state.max_system_mem, state.system_mem));
    }
}

#[test]
fn a_refused_heap_changes_nothing() {
    for era in ERAS {
        let rig = Rig::with(Failing::new(Cramped::<MIB>::new(), Schedule::Never), Config::new(era));
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(rig.dirty(60 << 10).0);
        }
        assert_eq!(rig.heaps(), 1);
        rig.source.backend.fail(Schedule::From(1));
        let before = rig.work(|state, _| (state.top, state.system_mem));
        // SAFETY: a chunk size.
        assert!(rig.work(|state, source| unsafe { state.allocate(source, 900 << 10) }).is_none());
        assert_eq!(before, rig.work(|state, _| (state.top, state.system_mem)));
        assert!(rig.source.backend.refused() > 0);
        // With memory back, the same request is served.
        rig.source.backend.fail(Schedule::Never);
        held.push(rig.dirty(900 << 10).0);
        assert_eq!(rig.heaps(), 2);
        for chunk in held {
            assert!(holds(chunk, 0, usable(chunk), 0xd7));
            rig.free(chunk);
        }
    }
}

/// A fixed script over several heaps and mappings: whatever call of the backend fails, all that is held stays whole, and every
/// span comes back in the end.
fn script<B: Backend>(rig: &Rig<B>) {
    let mut held: Vec<(Chunk, u8)> = Vec::new();
    for round in 0..60_usize {
        let byte = round as u8 + 1;
        let size = [48 << 10, 4096, 300_000 / 16 * 16, 96, 90_000 / 16 * 16][round % 5];
        let found = if round % 7 == 3 {
            rig.aligned(size, 1 << (5 + round % 10))
        } else {
            // SAFETY: a chunk size.
            rig.work(|state, source| unsafe { state.allocate(source, size) })
        };
        if let Some(found) = found {
            clean(found);
            fill(found.chunk, byte);
            held.push((found.chunk, byte));
        }
        if round % 3 == 0 && held.len() > 4 {
            let (chunk, byte) = held.remove(round % held.len());
            assert!(holds(chunk, 0, usable(chunk), byte));
            rig.free(chunk);
        }
        if let Some(&(chunk, byte)) = held.last() {
            let before = usable(chunk);
            if rig.resize(chunk, size + (32 << 10)) {
                assert!(holds(chunk, 0, before.min(usable(chunk)), byte));
                fill(chunk, byte);
            }
        }
        if round % 20 == 19 {
            rig.trim(0);
        }
    }
    for (chunk, byte) in held {
        assert!(holds(chunk, 0, usable(chunk), byte));
        rig.free(chunk);
    }
}

#[test]
fn every_call_of_the_backend_may_fail() {
    for era in ERAS {
        let run = |schedule| {
            let backend = Failing::new(Cramped::<MIB>::new(), Schedule::Never);
            let rig = Rig::with(&backend, Config::new(era));
            backend.fail(schedule);
            script(&rig);
            let calls = backend.requests();
            backend.fail(Schedule::Never);
            script(&rig);
            drop(rig);
            assert_eq!((backend.outstanding(), backend.outstanding_bytes()), (0, 0), "{era:?}, {schedule:?}");
            calls
        };
        let calls = run(Schedule::Never);
        assert!(calls > 10, "{calls}");
        for k in 1..=calls {
            run(Schedule::Nth(k));
            run(Schedule::From(k));
        }
    }
}

#[test]
fn an_arena_that_cannot_be_made_leaves_nothing_behind() {
    let backend = Failing::new(PagesBackend::new(Os), Schedule::From(1));
    let config = Config::new(Era::Ours);
    let source = super::Source::new(backend, config, 1);
    assert!(super::create_arena(&source, true).is_none());
    assert_eq!(source.backend.outstanding(), 0);
    // Every size was tried, each half of the one before.
    assert!((8..=10).contains(&source.backend.requests()), "{}", source.backend.requests());
    source.backend.fail(Schedule::Never);
    let arena = super::create_arena(&source, false).expect("memory");
    // SAFETY: the arena is live.
    let (id, base) = unsafe { (arena.as_ref().id, arena.as_ref().state.lock().heap.addr().get()) };
    assert_eq!((owner::arena_of(id), owner::of(base)), (Some(arena), id));
    // SAFETY: nobody uses it.
    unsafe { super::destroy_arena(&source, arena) };
    assert_eq!((owner::arena_of(id).is_none(), owner::of(base)), (true, 0));
    assert_eq!(source.backend.outstanding(), 0);
}

#[test]
fn chunks_of_other_arenas_say_so() {
    let config = Config::new(Era::Ours);
    let rig = Rig::new(Era::Ours);
    // SAFETY: the rig's source outlives the arena.
    let other = super::create_arena(&rig.source, false).expect("memory");
    // SAFETY: the arena is live.
    let state = unsafe { other.as_ref() };
    let mut state = state.state.lock();
    for size in [64, 100_000 / 16 * 16, 50 * MIB, 50 * MIB] {
        // SAFETY: chunk sizes.
        let found = unsafe { state.allocate(&rig.source, size) }.expect("memory");
        // SAFETY: the chunk is there.
        assert_ne!(unsafe { found.chunk.size_word() } & crate::chunk::NON_MAIN_ARENA, 0);
    }
    // SAFETY: the source is the arena's.
    assert_eq!(unsafe { state.check(&rig.source) }, Ok(()));
    drop(state);
    // SAFETY: nobody uses it.
    unsafe { super::destroy_arena(&rig.source, other) };
    let _ = config;
}

#[test]
fn huge_pages_are_asked_for_when_an_arena_is_large_and_only_then() {
    let os = FakeOs::new(4096);
    {
        let config = Config { huge_pages: HugePages::Large, ..Config::new(Era::Ours) };
        let rig = Rig::with(PagesBackend::new(&os), config);
        let fill = |rig: &Rig<_>, mib: usize| {
            for _ in 0..mib {
                rig.allocate(MIB);
            }
        };
        fill(&rig, 3);
        assert_eq!(os.huge(), 0);
        fill(&rig, 3);
        // From the next whole huge page on, to the end of the heap.
        assert!(os.huge() >= 56 * MIB && os.huge() % (2 * MIB) == 0, "{}", os.huge());
        // Of four arenas, each must be larger.
        let before = os.huge();
        let others = [(); 4].map(|()| super::create_arena(&rig.source, false).expect("memory"));
        // SAFETY: nobody else uses it.
        let mut state = unsafe { others[0].as_ref() }.state.lock();
        for mib in 1..=12 {
            // SAFETY: a chunk size.
            unsafe { state.allocate(&rig.source, MIB) }.expect("memory");
            assert_eq!(os.huge() > before, mib >= 10, "{mib} MiB of one of five arenas");
        }
        drop(state);
        for other in others {
            // SAFETY: nobody uses it.
            unsafe { super::destroy_arena(&rig.source, other) };
        }
    }
    os.assert_all_released();
    for era in super::ERAS {
        let rig = Rig::with(PagesBackend::new(&os), Config::new(era));
        rig.allocate(20 * MIB);
        assert_eq!(os.huge(), 0, "{era:?}: only where the user says so");
    }
}

#[test]
fn backends_that_give_odd_spans_will_do() {
    // Granules of 16 bytes, and spans that are no multiple of a page.
    let rig =
        Rig::with(Aligned::new(Counting::new(PagesBackend::new(Os))), Config { ..Config::new(Era::Ours) });
    for size in [4096, 30 * MIB, 40 * MIB] {
        let (chunk, _) = rig.dirty(size);
        rig.free(chunk);
    }
    rig.trim(0);
    rig.dirty(4096);
}
