//! Behind which blocks huge pages are asked for.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Mutex;

use alloc_core::backend::{Backend, PagesBackend, Span};
use alloc_core::os::unix::Os;
use alloc_core::{AllocError, Strategy};
use alloc_ptmalloc::{Config, Era, Ptmalloc};

const MIB: usize = 1 << 20;

/// Pages of the system, and the ranges that huge pages were asked for behind.
struct Advised {
    pages: PagesBackend<Os>,
    ranges: Mutex<Vec<(usize, usize)>>,
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
}

/// Where a block of `bytes` lies that `get` gets from a new heap, and what was asked for.
fn ranges(era: Era, bytes: usize, zeroed: bool) -> (usize, Vec<(usize, usize)>) {
    let backend = Advised { pages: PagesBackend::new(Os), ranges: Mutex::new(Vec::new()) };
    let heap = Ptmalloc::with_backend(&backend, Config::new(era));
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
    let [(start, size)] = asked[..] else { panic!("{asked:?}") };
    assert!(start % (2 * MIB) == 0 && size % (2 * MIB) == 0, "{asked:?}");
    assert!(block <= start && start + size <= block + 7 * MIB, "inside the block");
    assert!(size >= 4 * MIB, "all that fit: {size}");
}

#[test]
fn a_mapping_has_one_kind_of_pages() {
    let (block, asked) = ranges(Era::Ours, 16 * MIB, false);
    let [(start, size)] = asked[..] else { panic!("{asked:?}") };
    assert!(start < block && start + size >= block + 16 * MIB, "the whole of it: {asked:?}");
}

#[test]
fn others_get_none() {
    for (era, bytes, zeroed) in [
        (Era::Ours, 7 * MIB, true),
        (Era::Ours, 16 * MIB, true),
        (Era::Ours, 3 * MIB, false),
        (Era::Modern, 7 * MIB, false),
        (Era::Classic, 16 * MIB, false),
    ] {
        assert_eq!(ranges(era, bytes, zeroed).1, [], "{era:?}, {bytes} bytes, zeroed: {zeroed}");
    }
}
