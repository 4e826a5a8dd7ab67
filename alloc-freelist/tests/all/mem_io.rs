//! `mem_io`: growth by `sbrk`, mappings, logs, flags and smashed blocks.

use core::mem::MaybeUninit;
use std::io::Read;
use std::os::fd::AsRawFd;

use alloc_core::backend::PagesBackend;
use alloc_core::os::Break;
use alloc_core::os::fake::FakeOs;
use alloc_core::os::unix::Os;
use alloc_core::{BlockState, Inspect, SizedBlocks, Strategy};
use alloc_freelist::Sbrk;
use alloc_freelist::mem_io::{Flags, MMAP_THRESHOLD, MemIo};
use alloc_testkit::{Limits, Options, Subject, conformance, drive};

use crate::support::{blocks, layout, take};

type Fake<'a> = MemIo<&'a FakeOs, &'a FakeOs>;

fn fake() -> FakeOs {
    FakeOs::new(4096).with_break(16 << 20)
}

fn over(os: &FakeOs) -> Fake<'_> {
    MemIo::from_parts(Sbrk::new(os), PagesBackend::new(os))
}

conformance! {
    over_a_break: over(&fake()), sized, limits = Limits::UNLIMITED.serving(MMAP_THRESHOLD);
    over_pages_early: MemIo::<_, _, 4096>::from_parts(Sbrk::new(&fake()), PagesBackend::new(Os)), sized,
        limits = Limits::UNLIMITED.serving(1 << 20);
    shared: MemIo::<_, _, 4096>::from_parts(Sbrk::new(fake()), PagesBackend::new(Os)), sized, sync,
        limits = Limits::UNLIMITED.serving(1 << 20);
}

#[test]
fn the_heap_grows_in_steps_of_pages() {
    let os = fake();
    let heap = over(&os);
    take(&heap, 100);
    let committed = || heap.stats().committed.get().expect("the figure is known");
    assert_eq!(committed(), 4096);
    for _ in 0..100 {
        take(&heap, 200);
        assert_eq!(committed() % 4096, 0);
        heap.check().expect("a whole heap");
    }
    assert!(committed() <= 9 * 4096, "{}", committed());
    let zones = blocks_of_break(&heap);
    assert_eq!(zones, 1, "the break was nobody else's: one part");
}

/// Parts of the heap, by its own log.
fn blocks_of_break(heap: &Fake<'_>) -> usize {
    let mut text = String::new();
    heap.log_state(&mut text).expect("a string takes all text");
    let parts = text.lines().find_map(|line| line.strip_suffix(" parts")?.rsplit(' ').next()?.parse().ok());
    parts.expect("the log tells the number of parts")
}

#[test]
fn others_move_the_break() {
    let os = fake();
    let heap = over(&os);
    let mut live = Vec::new();
    for round in 0..40_u8 {
        for size in [24, 900, 3000] {
            let block = take(&heap, size);
            // SAFETY: the block is live and has so many bytes.
            unsafe { block.write_bytes(round, size) };
            live.push((block, size, round));
        }
        if round % 8 == 3 {
            // SAFETY: nothing is given back.
            let theirs = unsafe { os.sbrk(100) }.expect("room at the break");
            // SAFETY: the bytes are ours, who stand for others.
            unsafe { theirs.write_bytes(0xee, 100) };
        }
        heap.check().expect("a whole heap");
    }
    assert!(blocks_of_break(&heap) >= 4, "the heap is in parts");
    for (block, size, round) in live {
        // SAFETY: the block is live and was written.
        let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
        assert!(bytes.iter().all(|&byte| byte == round));
        // SAFETY: the block is live.
        unsafe { heap.free(block) };
    }
    heap.check().expect("a whole heap");
    assert_eq!(heap.stats().live.get(), Some(0));
}

#[test]
fn large_blocks_are_mapped() {
    let os = fake();
    let heap = over(&os);
    let at = take(&heap, MMAP_THRESHOLD);
    let beyond = take(&heap, MMAP_THRESHOLD + 1);
    assert_eq!(heap.flags(at.as_ptr()), Some(Flags::USED));
    assert_eq!(heap.flags(beyond.as_ptr()), Some(Flags::USED.and(Flags::MMAP)));
    assert_eq!(heap.stats().mapped_blocks.get(), Some(1));
    // SAFETY: the block is live.
    unsafe { heap.free(beyond) };
    assert_eq!(heap.flags(beyond.as_ptr()), None);
    assert_eq!(heap.stats().mapped_blocks.get(), Some(0));
    let low = MemIo::<_, _, 1024>::from_parts(Sbrk::new(&os), PagesBackend::new(&os));
    assert_eq!(low.flags(take(&low, 1025).as_ptr()), Some(Flags::USED.and(Flags::MMAP)));
}

#[test]
fn flags_tell_used_from_free() {
    let os = fake();
    let heap = over(&os);
    let (first, second) = (take(&heap, 100), take(&heap, 100));
    assert_eq!(heap.flags(first.as_ptr()), Some(Flags::USED));
    // SAFETY: the block is live.
    unsafe { heap.free(first) };
    assert_eq!(heap.flags(first.as_ptr()), Some(Flags::FREE));
    assert_eq!(heap.flags(second.as_ptr().wrapping_add(16)), None, "no block starts there");
    assert_eq!(heap.flags(core::ptr::from_ref(&os).cast()), None, "it is somewhere else");
    assert_eq!(Flags::USED.and(Flags::MMAP).to_string(), "used|mmap");
}

#[test]
fn a_smashed_block_is_marked_and_the_log_goes_on() {
    let os = fake();
    let heap = over(&os);
    let live: Vec<_> = (0..5).map(|_| take(&heap, 64)).collect();
    let victim = live[2];
    // An overflow from the block before it: 64 bytes and the header.
    // SAFETY: the bytes are the heap's.
    unsafe { live[1].write_bytes(0x41, 64 + 24) };
    assert_eq!(heap.flags(victim.as_ptr()), Some(Flags::USED.and(Flags::CORRUPTED)));
    let corrupted = blocks(&heap, BlockState::Corrupted);
    assert_eq!(corrupted.len(), 1);
    assert_eq!(corrupted[0].address, victim.addr().get());
    assert_eq!(blocks(&heap, BlockState::Used).len(), 4, "the walk goes on behind it");

    let mut text = String::new();
    heap.log_blocks(&mut text).expect("a string takes all text");
    let line = text.lines().find(|line| line.contains("corrupted")).expect("the block is in the log");
    let expected = format!(
        "  {:#x}: {} bytes, used|corrupted, magic 0x41414141, previous {:#x}, next {:#x}",
        victim.addr(),
        corrupted[0].size,
        live[1].addr(),
        live[3].addr()
    );
    assert_eq!(line, expected);
    assert_eq!(text.lines().filter(|line| line.contains("magic 0xdeadbeef")).count(), 5, "{text}");

    // Freeing it is reported and ignored; the heap serves on.
    // SAFETY: none; the heap is to find that out.
    unsafe { heap.free(victim) };
    assert_eq!(heap.errors(), 1);
    for &block in [live[0], live[1], live[3], live[4]].iter() {
        // SAFETY: the block is live.
        unsafe { heap.free(block) };
    }
    assert_eq!(heap.errors(), 1);
    assert_eq!(heap.flags(victim.as_ptr()), Some(Flags::USED.and(Flags::CORRUPTED)));
    take(&heap, 10_000);
    let mut state = String::new();
    heap.log_state(&mut state).expect("a string takes all text");
    assert!(state.contains("  errors: 1\n"), "{state}");
}

#[test]
fn misuse_does_not_stop_the_program() {
    let os = fake();
    let heap = over(&os);
    let block = take(&heap, 50);
    // SAFETY: the block is live, once.
    unsafe { heap.free(block) };
    // SAFETY: none; the heap is to find that out, twice.
    unsafe { heap.free(block) };
    // SAFETY: within the heap.
    let askew = unsafe { block.add(3) };
    // SAFETY: as for the block.
    unsafe { heap.free(askew) };
    assert_eq!(heap.errors(), 2);
    // SAFETY: as above.
    assert!(unsafe { heap.reallocate(block, 10) }.is_err());
    assert_eq!(heap.errors(), 3);
    heap.check().expect("a whole heap");
    assert_eq!(take(&heap, 50), block);
}

#[test]
fn the_state_log_is_exact() {
    let os = fake();
    let heap = over(&os);
    let (first, _second) = (take(&heap, 40), take(&heap, 40));
    // SAFETY: the block is live.
    unsafe { heap.free(first) };
    assert!(heap.allocate(layout(1 << 46, 8)).is_err());
    let mut text = String::new();
    heap.log_state(&mut text).expect("a string takes all text");
    let stats = heap.stats();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "mem_io: state");
    assert!(lines[1].starts_with("  heap: 0x") && lines[1].ends_with(", in 1 parts"), "{text}");
    assert_eq!(
        lines[2],
        format!(
            "  bytes: 40 allocated, {} free, {} in headers and tables, 4096 in total",
            stats.free, stats.metadata
        )
    );
    assert_eq!(lines[3], "  blocks: 1 used, 2 free, 0 of the used ones mapped");
    assert_eq!(lines[4], format!("  largest free block: {} bytes", stats.free_largest));
    assert_eq!(lines[5..], ["  calls: 3 allocations, 1 frees, 0 resizes, 1 refused", "  errors: 0"]);
}

#[test]
fn logs_go_to_a_file_descriptor() {
    let os = fake();
    let heap = over(&os);
    for size in 0..200 {
        take(&heap, size * 10);
    }
    let mut expected = String::new();
    heap.log_state(&mut expected).expect("a string takes all text");
    heap.log_blocks(&mut expected).expect("a string takes all text");
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let text = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        heap.log_state_to_fd(writer.as_raw_fd()).expect("the pipe takes all text");
        heap.log_blocks_to_fd(writer.as_raw_fd()).expect("the pipe takes all text");
        drop(writer);
        reading.join().expect("the reader ends").expect("text")
    });
    assert_eq!(text, expected);
    assert!(heap.log_state_to_fd(-1).is_err());
}

#[test]
fn placement_is_first_fit_whatever_was_freed() {
    let os = fake();
    let heap = over(&os);
    let live: Vec<_> = (0..10).map(|_| take(&heap, 200)).collect();
    for index in [7, 2, 5] {
        // SAFETY: the block is live.
        unsafe { heap.free(live[index]) };
    }
    for index in [2, 5, 7] {
        assert_eq!(take(&heap, 200), live[index]);
    }
}

#[test]
fn a_break_of_our_own_comes_back() {
    let os = fake();
    // SAFETY: a query.
    let at = || unsafe { os.sbrk(0) }.expect("a break").addr().get();
    let before = at();
    // SAFETY: the fake is this heap's alone.
    let heap: Fake<'_> = MemIo::from_parts(unsafe { Sbrk::alone(&os) }, PagesBackend::new(&os));
    let options = Options::new(Limits::UNLIMITED.serving(64 << 10));
    drive(Subject::sized(&heap), &alloc_testkit::ops::generate::sample(3, 300), &options)
        .expect("the contract");
    assert!(at() > before);
    drop(heap);
    assert_eq!(at(), before, "all that was taken was given back");
}

#[test]
fn a_buffer_serves_where_there_is_no_break() {
    // The same policies over memory of the caller's: the seed's allocator on a bare target.
    let mut memory = vec![MaybeUninit::uninit(); 32 << 10];
    let heap = alloc_freelist::FixedFreeList::<alloc_freelist::mem_io::Seed<MMAP_THRESHOLD, false>>::over_in(
        &mut memory,
    );
    let block = take(&heap, 1000);
    assert_eq!(heap.name(), "mem_io");
    // SAFETY: the block is live.
    unsafe { heap.free(block) };
    heap.check().expect("a whole heap");
}
