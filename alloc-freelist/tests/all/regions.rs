//! Memory from several places, alignment without waste, trimming and resetting.

use core::mem::MaybeUninit;

use alloc_core::backend::{Counting, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::{Inspect, Ownership, Strategy};
use alloc_freelist::{
    FixedFreeList, FreeList, Nothing, PagesFreeList, Policy, StaticBytes, coalesce, fit, header,
};

use crate::support::{give, layout, take};

fn buffer(bytes: usize) -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); bytes]
}

#[test]
fn regions_are_added_while_in_use() {
    let (mut first, mut second) = (buffer(8 << 10), buffer(64 << 10));
    let heap = FixedFreeList::over(&mut first);
    let block = take(&heap, 4000);
    assert!(heap.allocate(layout(30_000, 16)).is_err());
    heap.add(&mut second).expect("64 KiB make a zone");
    let large = take(&heap, 30_000);
    heap.check().expect("a whole heap");
    assert_eq!(heap.owns(block), Ownership::Mine);
    give(&heap, block, 4000);
    give(&heap, large, 30_000);
    heap.check().expect("a whole heap");
    assert_eq!(heap.stats().live.get(), Some(0));
}

#[test]
fn a_region_that_is_too_small_is_refused() {
    let mut tiny = buffer(100);
    let heap = FixedFreeList::<Policy>::new_in(Nothing::new());
    assert!(heap.add(&mut tiny).is_err());
    assert!(heap.allocate(layout(1, 1)).is_err());
}

/// What alignment leaves over before and after a block is free: all of it is handed out.
#[test]
fn alignment_wastes_nothing() {
    let mut memory = buffer(256 << 10);
    let heap = FixedFreeList::over(&mut memory);
    let free = || heap.stats().free.get().expect("the figure is known");
    let before = free();
    let mut blocks = Vec::new();
    for shift in 5..14 {
        let block = heap.allocate(layout(48, 1 << shift)).expect("memory suffices");
        assert!(block.addr().get() % (1 << shift) == 0);
        blocks.push((block, layout(48, 1 << shift)));
        heap.check().expect("a whole heap");
    }
    assert_eq!(free(), before - 48 * blocks.len() as u64, "a block costs its size, whatever its alignment");
    for (block, layout) in blocks {
        // SAFETY: the block is live, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
    assert_eq!((free(), heap.stats().free_blocks.get()), (before, Some(1)));
}

#[test]
fn a_block_costs_no_header() {
    let mut memory = buffer(64 << 10);
    let heap = FixedFreeList::over(&mut memory);
    let addresses: Vec<usize> = (0..100).map(|_| take(&heap, 32).addr().get()).collect();
    assert!(addresses.windows(2).all(|pair| pair[1] == pair[0] + 32), "{addresses:x?}");
}

#[test]
fn trimming_gives_pages_back_and_keeps_blocks() {
    let source = Counting::new(PagesBackend::new(Os));
    let heap = FreeList::<_, Policy<fit::First, header::None, coalesce::Deferred>>::new_in(&source);
    let block = take(&heap, 100);
    // SAFETY: the block is live and has so many bytes.
    unsafe { block.write_bytes(0x5a, 100) };
    let large = take(&heap, 600_000);
    give(&heap, large, 600_000);
    let held = source.counts().bytes;
    let trimmed = heap.trim(0);
    let counts = source.counts();
    assert!(trimmed >= 600_000, "{trimmed}");
    assert_eq!(counts.purged + (held - counts.bytes), trimmed, "what the source got back, in pages or whole");
    heap.check().expect("a whole heap");
    let again = take(&heap, 600_000);
    // SAFETY: the block is live and has so many bytes.
    unsafe { again.write_bytes(1, 600_000) };
    // SAFETY: as above.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), 100) };
    assert!(bytes.iter().all(|&byte| byte == 0x5a));
    give(&heap, again, 600_000);
    give(&heap, block, 100);
    heap.trim(0);
    assert_eq!(source.counts().bytes, 0, "an empty zone goes back whole");
    assert!(heap.allocate(layout(10, 1)).is_ok());
}

#[test]
fn trimming_keeps_what_it_is_told_to() {
    let heap = PagesFreeList::new();
    let block = take(&heap, 100);
    const STEP: usize = <Policy as alloc_freelist::Config>::GROW;
    assert_eq!(heap.trim(STEP), 0, "less is free than is to be kept");
    let given = heap.trim(64 << 10);
    // A bit for 16 bytes, and less than 64 KiB of other tables.
    assert!(
        (STEP - STEP / 128 - (128 << 10)..=STEP - STEP / 128 - (64 << 10)).contains(&given),
        "all of the zone but tables, a block and 64 KiB: {given}"
    );
    give(&heap, block, 100);
}

#[test]
fn a_reset_gives_everything_back() {
    let mut heap = PagesFreeList::<Policy<fit::Good, header::None, coalesce::Deferred>>::with_policy();
    for round in 0..5 {
        for index in 0..500 {
            let size = 1 + index * 31 % 3000;
            let block = take(&heap, size);
            if index % 5 == round {
                give(&heap, block, size);
            }
        }
        take(&heap, 3 << 20);
        let committed = heap.stats().committed.get();
        heap.reset();
        heap.check().expect("a whole heap");
        let stats = heap.stats();
        assert_eq!(
            (stats.live.get(), stats.live_blocks.get(), stats.cached.get()),
            (Some(0), Some(0), Some(0))
        );
        assert!(stats.committed.get() <= committed, "the wide block went back");
        assert_eq!(stats.mapped_blocks.get(), Some(0));
    }
}

#[test]
fn a_static_array_serves_one_heap_at_a_time() {
    static BYTES: StaticBytes<32768> = StaticBytes::new();
    let heap = FreeList::<_, Policy>::new_in(&BYTES);
    let block = take(&heap, 20_000);
    assert_eq!(heap.owns(block), Ownership::Mine);
    let other = FreeList::<_, Policy>::new_in(&BYTES);
    assert!(other.allocate(layout(10, 1)).is_err());
    give(&heap, block, 20_000);
    drop(heap);
    assert!(other.allocate(layout(10, 1)).is_ok());
}

#[test]
fn exhaustion_is_an_error_and_the_heap_stays_whole() {
    // Smaller ones have no room in their quick lists for blocks of this size.
    let mut memory = buffer(1 << 20);
    let heap = FixedFreeList::<Policy<fit::Good, header::None, coalesce::Deferred>>::over_in(&mut memory);
    for _ in 0..3 {
        let mut blocks = Vec::new();
        while let Ok(block) = heap.allocate(layout(100, 8)) {
            blocks.push(block);
        }
        assert!(blocks.len() > 9200, "{} blocks of 112 bytes in 1 MiB", blocks.len());
        assert_eq!(heap.stats().cached.get(), Some(0), "nothing is kept where a request is refused");
        heap.check().expect("a whole heap");
        // The last ones lie apart from each other.
        for index in 0..blocks.len() {
            let block = blocks[index * 5003 % blocks.len()];
            // SAFETY: the block is live, with this layout, and its turn comes once: 5003 is a prime number.
            unsafe { heap.deallocate(block, layout(100, 8)) };
        }
        assert!(heap.stats().cached_blocks.get() > Some(0), "the last ones wait");
        // Quick lists are merged rather than that a request is refused.
        let whole = take(&heap, 1_030_000);
        assert_eq!(heap.stats().cached.get(), Some(0));
        heap.check().expect("a whole heap");
        give(&heap, whole, 1_030_000);
    }
}

#[test]
fn two_views_of_one_memory_share_a_heap() {
    let mut memory = vec![0_u64; 128 << 10];
    let bytes = core::ptr::NonNull::slice_from_raw_parts(
        core::ptr::NonNull::new(memory.as_mut_ptr()).expect("not null").cast::<u8>(),
        1 << 20,
    );
    type Shared<'m> =
        alloc_freelist::SharedFreeList<'m, Policy<fit::First, header::Sized, coalesce::Deferred>>;
    // SAFETY: the memory is the heap's alone, for as long as both values are used.
    assert!(unsafe { Shared::attach(bytes) }.is_err(), "nothing is there yet");
    // SAFETY: as above.
    let first = unsafe { Shared::create(bytes) }.expect("1 MiB suffices");
    // SAFETY: as above, and a heap was created there.
    let second = unsafe { Shared::attach(bytes) }.expect("a heap is there");
    // SAFETY: as above.
    let other = unsafe { alloc_freelist::SharedFreeList::<Policy>::attach(bytes) };
    assert!(other.is_err(), "of other policies");
    let block = take(&first, 100);
    assert_eq!(second.at(first.offset_of(block)), Some(block));
    give(&second, block, 100);
    assert_eq!((first.stats().live.get(), first.stats().cached_blocks.get()), (Some(0), Some(1)));
    assert_eq!(take(&first, 100), block, "what one gave back to a quick list serves the other");
    give(&first, block, 100);
    // Quick lists are merged rather than that a request is refused.
    let more = first.stats().free_largest.get().expect("the figure is known") as usize + 60;
    let whole = take(&second, more);
    assert_eq!(first.stats().cached.get(), Some(0));
    give(&first, whole, more);
    first.check().expect("a whole heap");
}

/// As another process sees it: nothing in the memory says where it lies, not even what waits in quick lists.
#[test]
fn a_shared_heap_works_at_another_address() {
    type Shared<'m> = alloc_freelist::SharedFreeList<'m, Policy<fit::Good, header::None, coalesce::Classed>>;
    const BYTES: usize = 8 << 20;
    let mut places = [vec![0_u128; BYTES / 16], vec![0_u128; BYTES / 16]];
    let bytes = |place: &mut Vec<u128>| {
        core::ptr::NonNull::slice_from_raw_parts(core::ptr::NonNull::from(&mut place[..]).cast::<u8>(), BYTES)
    };
    // SAFETY: the memory is the heap's alone, for as long as the value is used.
    let here = unsafe { Shared::create(bytes(&mut places[0])) }.expect("8 MiB suffice");
    // From then on, blocks are as large as their class, and go to quick lists.
    give(&here, take(&here, 600), 600);
    let sizes = [40, 100, 100, 700, 100];
    let blocks: Vec<_> = sizes.iter().map(|&size| take(&here, size)).collect();
    for (&block, size) in blocks.iter().zip(sizes).skip(1) {
        give(&here, block, size);
    }
    let (offset, waiting) = (here.offset_of(blocks[0]), here.stats().cached_blocks.get());
    let last = here.offset_of(blocks[4]);
    assert_eq!(waiting, Some(4));
    let copy = places[0].clone();
    places[1].copy_from_slice(&copy);
    places[0].fill(u128::MAX);
    // SAFETY: as above; a heap was created in these bytes.
    let there = unsafe { Shared::attach(bytes(&mut places[1])) }.expect("a heap is there");
    there.check().expect("a whole heap");
    assert_eq!(there.stats().cached_blocks.get(), waiting);
    assert_eq!(there.offset_of(take(&there, 100)), last, "the block freed last comes first");
    give(&there, there.at(offset).expect("in the memory"), 40);
    give(&there, there.at(last).expect("in the memory"), 100);
    assert_eq!(there.stats().live.get(), Some(0));
    let whole = take(&there, 8_000_000);
    there.check().expect("a whole heap");
    give(&there, whole, 8_000_000);
}

/// Ignores misuse.
struct Patient;

impl alloc_freelist::Config for Patient {
    type Fit = fit::Good;
    type Header = header::Checked;
    type Coalesce = coalesce::Immediate;
    const ON_MISUSE: alloc_core::OnMisuse = alloc_core::OnMisuse::Ignore;
}

#[test]
fn smashed_links_are_mended_where_misuse_is_ignored() {
    let mut memory = buffer(64 << 10);
    let heap = FixedFreeList::<Patient>::over_in(&mut memory);
    let live: Vec<_> = (0..40).map(|_| take(&heap, 200)).collect();
    for block in live.iter().step_by(2) {
        give(&heap, *block, 200);
    }
    for block in live.iter().step_by(4) {
        // SAFETY: within the heap; that the block is free is the fault that is tested.
        unsafe { block.write_bytes(0xa5, 200) };
    }
    for block in live.iter().skip(1).step_by(2) {
        give(&heap, *block, 200);
    }
    heap.check().expect("a whole heap");
    assert_eq!(heap.stats().free_blocks.get(), Some(1));
}

/// A freed span raises the threshold: what comes and goes is served from one zone, whose pages go back in the end.
#[test]
fn large_blocks_take_turns_in_a_zone() {
    const MIB: usize = 1 << 20;
    let (zones, wide) = (Counting::new(PagesBackend::new(Os)), Counting::new(PagesBackend::new(Os)));
    let heap = FreeList::<_, Policy, _>::from_parts(&zones, &wide, alloc_freelist::Unlocked::new());
    let small = take(&heap, 100);
    give(&heap, take(&heap, 4 * MIB), 4 * MIB);
    assert_eq!(
        (wide.counts().allocations, wide.counts().bytes),
        (1, 0),
        "the first one has a span of its own"
    );
    let mut spans = None;
    for size in [MIB / 2, MIB, 3 * MIB, 2 * MIB, MIB / 4].repeat(20) {
        let (first, second) = (take(&heap, size), take(&heap, size / 2));
        assert!(heap.stats().mapped_blocks.get() == Some(0) && heap.check().is_ok());
        assert_eq!(zones.counts().allocations, *spans.get_or_insert(zones.counts().allocations));
        give(&heap, second, size / 2);
        give(&heap, first, size);
    }
    assert_eq!(wide.counts().allocations, 1, "no further spans");
    // More than twice the threshold is freed and not used again.
    let held: Vec<_> = (0..12).map(|_| take(&heap, MIB)).collect();
    let purged = zones.counts().purged;
    held.into_iter().for_each(|block| give(&heap, block, MIB));
    assert!(zones.counts().purged >= purged + 4 * MIB, "{:?}", zones.counts());
    give(&heap, take(&heap, 40 * MIB), 40 * MIB);
    assert_eq!(wide.counts().bytes, 0);
    give(&heap, take(&heap, 5 * MIB), 5 * MIB);
    assert_eq!(wide.counts().allocations, 3, "40 MiB are more than may raise the threshold");
    give(&heap, small, 100);
    heap.check().expect("a whole heap");
}

/// Blocks of 256 KiB and more have spans of their own, whatever was freed before.
struct Steady;

impl alloc_freelist::Config for Steady {
    type Fit = fit::Good;
    type Header = header::None;
    type Coalesce = coalesce::Immediate;
    const WIDE_MOST: usize = 0;
}

/// What grows with a span of its own is moved by its pages: no second span, no copy, and the others' links stay whole.
#[test]
fn wide_blocks_grow_by_moving_their_pages() {
    const MIB: usize = 1 << 20;
    let (zones, wide) = (Counting::new(PagesBackend::new(Os)), Counting::new(PagesBackend::new(Os)));
    let heap = FreeList::<_, Steady, _>::from_parts(&zones, &wide, alloc_freelist::Unlocked::new());
    for middle in [0, 1, 2] {
        let mut blocks: Vec<_> = (0..3).map(|_| (take(&heap, MIB), MIB)).collect();
        // SAFETY: the block is live and has so many bytes.
        unsafe { blocks[middle].0.write_bytes(0x5a, MIB) };
        let spans = wide.counts().allocations;
        for size in [2 * MIB, 4 * MIB, 30 * MIB] {
            let (block, old) = blocks[middle];
            // SAFETY: the block is live, with this layout, and becomes larger.
            let grown = unsafe { heap.grow(block, layout(old, 16), layout(size, 16)) };
            blocks[middle] = (grown.expect("memory suffices"), size);
            heap.check().expect("a whole heap");
            assert_eq!(wide.counts().allocations, spans, "the same span, larger");
        }
        // SAFETY: the block is live, and keeps what was written before it grew.
        let bytes = unsafe { core::slice::from_raw_parts(blocks[middle].0.as_ptr(), MIB) };
        assert!(bytes.iter().all(|&byte| byte == 0x5a));
        for (block, size) in blocks {
            give(&heap, block, size);
        }
        heap.check().expect("a whole heap");
        assert_eq!(wide.counts().bytes, 0);
    }
}

/// Pages that move keep alignments up to a page's. Beyond that, a block is copied where it cannot grow.
#[test]
fn wide_blocks_keep_their_alignment_when_they_grow() {
    let heap = PagesFreeList::<Steady>::with_policy();
    for shift in [12, 16, 20] {
        let mut held = Vec::new();
        for round in 0..8 {
            let of = |size| layout(size, 1 << shift);
            let block = heap.allocate(of(300_000)).expect("memory suffices");
            // SAFETY: the block is live and has so many bytes.
            unsafe { block.write_bytes(round, 300_000) };
            // SAFETY: the block is live, with this layout, and becomes larger.
            let grown = unsafe { heap.grow(block, of(300_000), of(900_000)) }.expect("memory suffices");
            assert_eq!(grown.addr().get() % (1 << shift), 0);
            // SAFETY: the block is live, and keeps what was written before it grew.
            let bytes = unsafe { core::slice::from_raw_parts(grown.as_ptr(), 300_000) };
            assert!(bytes.iter().all(|&byte| byte == round));
            held.push((grown, of(900_000)));
        }
        heap.check().expect("a whole heap");
        for (block, layout) in held {
            // SAFETY: the block is live, with this layout.
            unsafe { heap.deallocate(block, layout) };
        }
    }
}
