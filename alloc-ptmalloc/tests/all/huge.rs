//! Behind which blocks huge pages are asked for, and which have their pages at once.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Mutex;

use alloc_core::backend::{Backend, PagesBackend, Span};
use alloc_core::os::unix::Os;
use alloc_core::{AllocError, Strategy};
use alloc_ptmalloc::{Config, Era, HugePages, Ptmalloc};

const MIB: usize = 1 << 20;

/// Pages of the system, and the ranges that huge pages were asked for behind, that shall have none, and that were populated.
struct Advised {
    pages: PagesBackend<Os>,
    ranges: Mutex<Vec<(usize, usize)>>,
    spared: Mutex<Vec<(usize, usize)>>,
    populated: Mutex<Vec<(usize, usize)>>,
}

impl Advised {
    fn new() -> Self {
        Self {
            pages: PagesBackend::new(Os),
            ranges: Mutex::default(),
            spared: Mutex::default(),
            populated: Mutex::default(),
        }
    }
}

// SAFETY: every method that gives memory is that of pages of the system.
unsafe impl Backend for Advised {
    const ZEROED: bool = true;

    fn granule(&self) -> usize {
        self.pages.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.pages.allocate_span(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.pages.release_span(span) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        self.ranges.lock().expect("no panic").push((start.addr().get(), size));
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        self.populated.lock().expect("no panic").push((start.addr().get(), size));
    }

    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        self.spared.lock().expect("no panic").push((start.addr().get(), size));
    }
}

/// Where a block of `bytes` lies that `get` gets from a new heap, and what was asked for.
fn ranges(era: Era, bytes: usize, zeroed: bool) -> (usize, Vec<(usize, usize)>) {
    ranges_of(large(era), bytes, zeroed)
}

fn large(era: Era) -> Config {
    Config { huge_pages: HugePages::Large, ..Config::new(era) }
}

/// As [`ranges`], as the user wants it.
fn ranges_of(config: Config, bytes: usize, zeroed: bool) -> (usize, Vec<(usize, usize)>) {
    let backend = Advised::new();
    let heap = Ptmalloc::with_backend(&backend, config);
    let layout = Layout::from_size_align(bytes, 8).expect("a layout");
    let block = if zeroed { heap.allocate_zeroed(layout) } else { heap.allocate(layout) }.expect("memory");
    // SAFETY: a live block of this heap, of this layout.
    unsafe { heap.deallocate(block, layout) };
    drop(heap);
    (block.addr().get(), backend.ranges.into_inner().expect("no panic"))
}

#[test]
fn large_requests_get_them_where_they_fit_in() {
    let (block, asked) = ranges(Era::Ours, 7 * MIB, false);
    // The arena has become a large one with it.
    let [_, (start, size)] = asked[..] else { panic!("{asked:?}") };
    assert!(start % (2 * MIB) == 0 && size % (2 * MIB) == 0, "{asked:?}");
    assert!(block <= start && start + size <= block + 7 * MIB, "inside the block");
    assert!(size >= 4 * MIB, "all that fit: {size}");
}

#[test]
fn a_mapping_has_one_kind_of_pages() {
    let (block, asked) = ranges(Era::Ours, 40 * MIB, false);
    let [(start, size)] = asked[..] else { panic!("{asked:?}") };
    assert!(start < block && start + size >= block + 40 * MIB, "the whole of it: {asked:?}");
}

#[test]
fn others_get_none() {
    for (bytes, zeroed) in [(40 * MIB, true), (3 * MIB, false)] {
        assert_eq!(ranges(Era::Ours, bytes, zeroed).1, [], "{bytes} bytes, zeroed: {zeroed}");
    }
    let asked = ranges(Era::Ours, 7 * MIB, true).1;
    assert_eq!(asked.len(), 1, "the arena, not the block: {asked:?}");
}

/// Fills an arena with small blocks, then grows one from 40 MiB to 80. What was asked for, and what shall have none.
fn after_much(config: Config) -> [Vec<(usize, usize)>; 2] {
    let backend = Advised::new();
    let heap = Ptmalloc::with_backend(&backend, config);
    let layout = |bytes| Layout::from_size_align(bytes, 8).expect("a layout");
    for _ in 0..20 * MIB / 1024 {
        heap.allocate(layout(1000)).expect("memory");
    }
    let block = heap.allocate(layout(40 * MIB)).expect("memory");
    // SAFETY: a live block of this heap, of this layout, which gets larger.
    unsafe { heap.grow(block, layout(40 * MIB), layout(80 * MIB)) }.expect("memory");
    drop(heap);
    [backend.ranges, backend.spared].map(|ranges| ranges.into_inner().expect("no panic"))
}

#[test]
fn who_wants_none_gets_none() {
    for era in [Era::Ours, Era::Modern, Era::Classic] {
        let [asked, spared] = after_much(Config::new(era));
        assert_eq!(asked, [], "{era:?}");
        assert_eq!(spared.len(), 1, "the heap, which the system might give some: {spared:?}");
    }
    let [asked, _] = after_much(large(Era::Ours));
    assert_eq!(asked.len(), 3, "the heap, the block, and the block when it grew: {asked:?}");
}

#[test]
fn who_wants_them_always_gets_them_from_the_start() {
    for era in [Era::Ours, Era::Modern, Era::Classic] {
        let config = Config { huge_pages: HugePages::Always, ..Config::new(era) };
        let (block, asked) = ranges_of(config, 100, false);
        let [(start, size)] = asked[..] else { panic!("{asked:?}") };
        assert!(start < block && size >= 32 * MIB, "the whole heap: {asked:?}");
        let (block, asked) = ranges_of(config, 40 * MIB, true);
        assert!(asked.iter().any(|&(start, size)| start < block && size >= 40 * MIB), "{asked:?}");
        assert_eq!(after_much(config)[1], [], "no heap is kept from them");
    }
}

#[test]
fn the_eras_of_glibc_have_the_choice_too() {
    let config = large(Era::Classic);
    assert_eq!(ranges_of(config, 100, false).1, []);
    assert_eq!(ranges_of(config, 16 * MIB, false).1.len(), 1);
    assert_eq!(after_much(config)[0].len(), 3);
}

#[test]
fn zeroed_blocks_have_their_pages_at_once_if_nobody_touched_them() {
    for (era, bytes, populated) in [
        (Era::Ours, 65 << 10, true),
        (Era::Ours, MIB, true),
        // Cleared by hand; too large to be sure that all of it is wanted.
        (Era::Ours, 60 << 10, false),
        (Era::Ours, MIB + 1, false),
        (Era::Ours, 20 * MIB, false),
        (Era::Modern, 100 << 10, false),
    ] {
        let backend = Advised::new();
        let heap = Ptmalloc::with_backend(&backend, Config::new(era));
        let layout = Layout::from_size_align(bytes, 8).expect("a layout");
        let block = heap.allocate_zeroed(layout).expect("memory");
        let start = block.addr().get();
        let ranges = core::mem::take(&mut *backend.populated.lock().expect("no panic"));
        assert_eq!(ranges.len(), usize::from(populated), "{era:?}, {bytes} bytes: {ranges:?}");
        for (from, size) in ranges {
            assert!(
                from >= start && from + size == start + bytes && size >= bytes - 4096,
                "what was not touched"
            );
        }
        // SAFETY: a live block of this heap, of this layout.
        unsafe { block.write_bytes(7, bytes) };
        // SAFETY: as above.
        unsafe { heap.deallocate(block, layout) };
        let block = heap.allocate_zeroed(layout).expect("memory");
        // SAFETY: as above.
        let content = unsafe { core::slice::from_raw_parts(block.as_ptr(), bytes) };
        assert!(content.iter().all(|&byte| byte == 0), "{era:?}, {bytes} bytes");
        assert_eq!(*backend.populated.lock().expect("no panic"), [], "it was there");
    }
}
