//! Mappings as spans, over the fake OS.

use super::*;
use alloc_core::backend::PagesBackend;
use alloc_core::os::fake::{Call, FakeOs};

#[test]
fn fake_pages_keep_their_promises() {
    for page in [4 << 10, 16 << 10, 64 << 10] {
        let os = FakeOs::new(page).with_room(2 * page);
        wrapped(|| PagesBackend::new(&os), 1 << 15);
        os.assert_all_released();
    }
}

#[test]
fn hints_reach_whole_pages() {
    let os = FakeOs::new(4096);
    let backend = PagesBackend::new(&os);
    let span = backend.allocate_span(10 * 4096, 1).unwrap();
    fill(span, 5);
    // Populating and huge pages reach out to the pages touched, purging keeps to those that are whole.
    unsafe { backend.populate(at(span, 4000), 200) };
    assert_eq!(os.populated(), 2 * 4096);
    unsafe { backend.advise_huge(at(span, 4096), 4097) };
    assert_eq!(os.huge(), 2 * 4096);
    assert_eq!(unsafe { backend.purge(at(span, 4000), 200) }, 0);
    assert!(is_filled(span.start, span.size, 5));
    assert_eq!(unsafe { backend.purge(at(span, 4000), 8300) }, 2 * 4096);
    assert!(is_filled(at(span, 4096), 2 * 4096, 0));
    assert!(is_filled(span.start, 4096, 5));
    os.fail(Schedule::From(1));
    unsafe { backend.populate(span.start, 4096) };
    assert_eq!(unsafe { backend.purge(span.start, span.size) }, 0);
    os.fail(Schedule::Never);
    unsafe { backend.release_span(span) };
    os.assert_all_released();
}

#[test]
fn spans_move_and_shrink_with_their_mappings() {
    let os = FakeOs::new(4096);
    let backend = PagesBackend::new(&os);
    let span = backend.allocate_span(2 * 4096, 1).unwrap();
    fill(span, 5);
    assert!(unsafe { backend.grow_span(span, 3 * 4096) }.is_err(), "there is no room behind a mapping");
    let moved = unsafe { backend.move_span(span, 9000) }.unwrap();
    assert_eq!(moved.size, 3 * 4096);
    assert!(is_filled(moved.start, 2 * 4096, 5) && is_filled(at(moved, 2 * 4096), 4096, 0));
    let shrunk = unsafe { backend.shrink_span(moved, 4097) }.unwrap();
    assert_eq!((shrunk.start, shrunk.size, os.held()), (moved.start, 2 * 4096, 2 * 4096));
    // Within the last page there is nothing to give back.
    assert_eq!(unsafe { backend.shrink_span(shrunk, 4100) }, Ok(shrunk));
    os.fail_kind(Call::Remap, Schedule::From(1));
    assert!(unsafe { backend.move_span(shrunk, 1 << 20) }.is_err());
    assert!(unsafe { backend.shrink_span(shrunk, 1) }.is_err());
    assert!(is_filled(shrunk.start, shrunk.size, 5));
    assert!(unsafe { backend.move_span(shrunk, isize::MAX as usize) }.is_err());
    unsafe { backend.release_span(shrunk) };
    os.assert_all_released();
}

#[test]
fn huge_pages_are_asked_for_and_refused() {
    let os = FakeOs::new(4096);
    let backend = PagesBackend::new(&os);
    let span = backend.allocate_span(4 * 4096, 1).unwrap();
    unsafe { backend.advise_huge(span.start, span.size) };
    unsafe { backend.advise_no_huge(at(span, 4096), 1) };
    assert_eq!(os.huge(), 3 * 4096);
    unsafe { backend.release_span(span) };
    os.assert_all_released();
}

#[test]
fn a_span_that_the_kernel_refuses_is_released_later() {
    let os = FakeOs::new(4096);
    let backend = PagesBackend::new(&os);
    let spans: Vec<_> = (1..=4).map(|pages| backend.allocate_span(pages * 4096, 1).unwrap()).collect();
    os.fail_kind(Call::Release, Schedule::From(1));
    for &span in &spans[..3] {
        unsafe { backend.populate(span.start, span.size) };
        unsafe { backend.release_span(span) };
    }
    assert_eq!(os.held(), 10 * 4096);
    // All but the page that each keeps its entry in.
    assert_eq!(os.populated(), 3 * 4096);
    os.fail(Schedule::Never);
    unsafe { backend.release_span(spans[3]) };
    os.assert_all_released();
}

#[test]
fn stuck_spans_make_room_for_new_ones_and_go_with_the_backend() {
    let os = FakeOs::new(4096);
    let backend = PagesBackend::new(&os);
    let span = backend.allocate_span(4096, 1).unwrap();
    os.fail_kind(Call::Release, Schedule::Nth(1));
    unsafe { backend.release_span(span) };
    assert_eq!(os.held(), 4096);
    os.fail_kind(Call::Map, Schedule::Nth(1));
    let span = backend.allocate_span(8192, 1).unwrap();
    assert_eq!((os.held(), os.calls(Call::Map)), (8192, 3));
    os.fail_kind(Call::Release, Schedule::Nth(1));
    unsafe { backend.release_span(span) };
    assert_eq!(os.held(), 8192);
    drop(backend);
    os.assert_all_released();
}

#[test]
fn every_single_failure_is_survived_without_loss() {
    for kth in 1..=24 {
        let os = FakeOs::new(4096).with_room(4096);
        let backend = PagesBackend::new(&os);
        os.fail(Schedule::Nth(kth));
        for size in [1, 5000, 4096, 100_000] {
            let Ok(span) = backend.allocate_span(size, 1) else { continue };
            fill(span, 1);
            unsafe { backend.populate(span.start, span.size) };
            let span = unsafe { backend.grow_span(span, span.size + 1) }.unwrap_or(span);
            unsafe { backend.advise_huge(span.start, span.size) };
            unsafe { backend.purge(span.start, span.size) };
            unsafe { backend.release_span(span) };
        }
        drop(backend);
        os.assert_all_released();
    }
}
