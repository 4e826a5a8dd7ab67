//! Backends: one set of tests for what all promise, then each one's own.

#![expect(clippy::undocumented_unsafe_blocks, reason = "each test gives back the spans that it got, once")]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Aligned, Backend, Counting, Failing, Limited, Region, Span};
use alloc_core::os::schedule::Schedule;
use probe::Probe;

mod aligned;
mod limited;
#[cfg(feature = "std")]
mod pages;
mod probe;
mod region;

fn buffer(size: usize) -> Vec<MaybeUninit<u8>> {
    // Not zero: a backend over it must not be taken for a zeroed one.
    vec![MaybeUninit::new(0xEE); size]
}

fn fill(span: Span, byte: u8) {
    unsafe { span.start.write_bytes(byte, span.size) };
}

fn at(span: Span, offset: usize) -> NonNull<u8> {
    assert!(offset <= span.size);
    unsafe { span.start.add(offset) }
}

fn is_filled(start: NonNull<u8>, size: usize, byte: u8) -> bool {
    unsafe { std::slice::from_raw_parts(start.as_ptr(), size) }.iter().all(|&found| found == byte)
}

/// Takes and gives back spans in several orders, and checks contents, overlap, alignment and zeroing.
fn keeps_its_promises<B: Backend>(backend: &B, max_align: usize) {
    let granule = backend.granule();
    assert!(granule.is_power_of_two());
    for round in 0..3 {
        let mut held: Vec<(Span, u8)> = Vec::new();
        for (i, size) in [1, granule, granule + 1, 3 * granule, 5000, 17].into_iter().enumerate() {
            let align = (1_usize << (i * 3)).min(max_align);
            let span = backend.allocate_span(size, align).unwrap();
            assert!(
                span.size >= size && span.start.addr().get() % align == 0,
                "{span:x?} for {size} at {align}"
            );
            assert!(!B::ZEROED || is_filled(span.start, span.size, 0), "not zero");
            for (other, _) in &held {
                assert!(span.end() <= other.start.addr().get() || other.end() <= span.start.addr().get());
            }
            fill(span, i as u8 + 1);
            held.push((span, i as u8 + 1));
        }
        // Growing keeps contents, whether it succeeds or not.
        if let Some((span, byte)) = held.pop() {
            let grown = unsafe { backend.grow_span(span, span.size + 1000) }.unwrap_or(span);
            assert_eq!(grown.start, span.start);
            assert!(grown == span || grown.size >= span.size + 1000);
            assert!(is_filled(span.start, span.size, byte));
            let added = unsafe { grown.start.add(span.size) };
            assert!(!B::ZEROED || is_filled(added, grown.size - span.size, 0), "growth is not zero");
            fill(grown, byte);
            held.push((grown, byte));
        }
        // So does moving, which may need another place, and shrinking, which may not; refused, both leave all as it was.
        if let Some((span, byte)) = held.pop() {
            let wanted = 2 * span.size + 1;
            let moved = unsafe { backend.move_span(span, wanted) }.unwrap_or(span);
            assert!(moved == span || moved.size >= wanted);
            assert!(is_filled(moved.start, span.size, byte));
            let added = unsafe { moved.start.add(span.size) };
            assert!(
                !B::ZEROED || is_filled(added, moved.size - span.size, 0),
                "what moving added is not zero"
            );
            fill(moved, byte);
            let shrunk = unsafe { backend.shrink_span(moved, span.size) }.unwrap_or(moved);
            assert_eq!(shrunk.start, moved.start);
            assert!(shrunk.size >= span.size && shrunk.size <= moved.size);
            assert!(is_filled(shrunk.start, shrunk.size, byte));
            held.push((shrunk, byte));
        }
        // The hints keep contents; purging is a loss that the caller asks for.
        let (span, byte) = held[0];
        unsafe { backend.populate(span.start, span.size) };
        unsafe { backend.advise_huge(span.start, span.size) };
        unsafe { backend.advise_no_huge(span.start, span.size) };
        assert!(is_filled(span.start, span.size, byte));
        let purged = unsafe { backend.purge(span.start, span.size) };
        assert!(purged <= span.size);
        assert!(!B::ZEROED || purged < span.size || is_filled(span.start, span.size, 0));
        fill(span, byte);
        if round == 1 {
            held.reverse();
        } else {
            held.rotate_left(2);
        }
        for (span, byte) in held {
            assert!(is_filled(span.start, span.size, byte), "contents of {span:x?} changed");
            unsafe { backend.release_span(span) };
        }
    }
    assert!(backend.allocate_span(isize::MAX as usize, 1).is_err());
    assert!(backend.allocate_span(usize::MAX, 1).is_err());
    assert!(backend.allocate_span(1, 1 << 63).is_err());
}

fn wrapped<B: Backend>(base: impl Fn() -> B, max_align: usize) {
    keeps_its_promises(&base(), max_align);
    let limited = Limited::new(base(), 1 << 24);
    keeps_its_promises(&limited, max_align);
    assert_eq!(limited.used(), 0);
    let counting = Counting::new(base());
    keeps_its_promises(&counting, max_align);
    let counts = counting.counts();
    assert_eq!((counts.bytes, counts.allocations, counts.releases), (0, 18, 18));
    let failing = Failing::new(base(), Schedule::Never);
    keeps_its_promises(&failing, max_align);
    assert_eq!((failing.outstanding(), failing.outstanding_bytes(), failing.refused()), (0, 0, 0));
    keeps_its_promises(&Aligned::new(Counting::new(base())), 1 << 15);
    keeps_its_promises(&Aligned::new(Limited::new(Failing::new(base(), Schedule::Never), 1 << 24)), 1 << 15);
}

#[test]
fn regions_keep_their_promises() {
    wrapped(|| Region::new(Box::leak(buffer(1 << 20).into_boxed_slice())), 1 << 15);
}

#[cfg(feature = "std")]
#[test]
fn the_systems_allocator_keeps_its_promises() {
    use alloc_core::backend::SystemBackend;
    wrapped(|| SystemBackend, SystemBackend::ALIGN);
    assert!(SystemBackend.allocate_span(1, 2 * SystemBackend::ALIGN).is_err());
    let aligned = Aligned::new(Counting::new(SystemBackend));
    let span = aligned.allocate_span(1, 1 << 20).unwrap();
    assert_eq!(span.start.addr().get() % (1 << 20), 0);
    unsafe { aligned.release_span(span) };
    let counts = aligned.inner().counts();
    assert_eq!((counts.allocations, counts.refusals, counts.bytes), (1, 1, 0));
}

#[cfg(all(feature = "libc", target_os = "linux"))]
#[test]
fn kernel_pages_keep_their_promises() {
    use alloc_core::backend::PagesBackend;
    wrapped(|| PagesBackend::new(alloc_core::os::unix::Os), 1 << 15);
    let span = PagesBackend::new(alloc_core::os::unix::Os).allocate_span(1, 1 << 30).unwrap();
    assert_eq!(span.start.addr().get() % (1 << 30), 0);
    unsafe { PagesBackend::new(alloc_core::os::unix::Os).release_span(span) };
}

#[test]
fn counting_knows_the_peak() {
    let mut memory = buffer(4096);
    let counting = Counting::new(Region::new(&mut memory));
    let first = counting.allocate_span(1024, 1).unwrap();
    let second = counting.allocate_span(512, 1).unwrap();
    let second = unsafe { counting.grow_span(second, 1024) }.unwrap();
    unsafe { counting.release_span(first) };
    assert!(counting.allocate_span(1 << 20, 1).is_err());
    assert!(unsafe { counting.grow_span(second, 1 << 20) }.is_err());
    let counts = counting.counts();
    assert_eq!((counts.bytes, counts.bytes_peak), (1024, 2048));
    assert_eq!((counts.allocations, counts.releases, counts.growths, counts.refusals), (2, 1, 1, 2));
    unsafe { counting.release_span(second) };
    assert_eq!((counting.counts().bytes, counting.counts().bytes_peak), (0, 2048));
}

#[test]
fn failing_fails_on_schedule_and_knows_what_is_out() {
    let mut memory = buffer(4096);
    let failing = Failing::new(Region::new(&mut memory), Schedule::Nth(2));
    let first = failing.allocate_span(100, 1).unwrap();
    assert!(failing.allocate_span(100, 1).is_err());
    let first = unsafe { failing.grow_span(first, 200) }.unwrap();
    assert_eq!((failing.requests(), failing.refused()), (3, 1));
    assert_eq!((failing.outstanding(), failing.outstanding_bytes()), (1, 208));
    failing.fail(Schedule::From(1));
    assert!(unsafe { failing.grow_span(first, 300) }.is_err());
    assert!(failing.allocate_span(1, 1).is_err());
    assert_eq!((failing.requests(), failing.refused()), (2, 3));
    failing.fail(Schedule::Never);
    let second = failing.allocate_span(1, 1).unwrap();
    unsafe { failing.release_span(second) };
    unsafe { failing.release_span(first) };
    assert_eq!((failing.outstanding(), failing.outstanding_bytes()), (0, 0));
}

/// Every method of a wrapper reaches the backend under it, those that resize by moving and shrinking where `resizes`.
fn forwards<B: Backend>(probe: &Probe, wrapper: B, overhead: usize, resizes: bool) {
    let span = wrapper.allocate_span(256, 64).unwrap();
    let part = at(span, 32);
    unsafe { wrapper.populate(part, 100) };
    unsafe { wrapper.advise_huge(part, 101) };
    unsafe { wrapper.advise_no_huge(part, 103) };
    assert_eq!(unsafe { wrapper.purge(part, 102) }, 77);
    let mut span = unsafe { wrapper.grow_span(span, 288) }.unwrap();
    if resizes {
        span = unsafe { wrapper.move_span(span, 320) }.unwrap();
        assert_eq!(span.size, 320);
        span = unsafe { wrapper.shrink_span(span, 64) }.unwrap();
        assert_eq!(span.size, 64);
    } else {
        assert!(unsafe { wrapper.move_span(span, 320) }.is_err());
        assert!(unsafe { wrapper.shrink_span(span, 64) }.is_err());
    }
    unsafe { wrapper.release_span(span) };
    let resized: &[_] = if resizes { &["move 320", "shrink 64"] } else { &[] };
    let mut expected = vec![
        format!("allocate {} 64", 256 + overhead),
        "populate 32 100".into(),
        "huge 32 101".into(),
        "no huge 32 103".into(),
        "purge 32 102".into(),
        format!("grow {}", 288 + overhead),
    ];
    expected.extend(resized.iter().map(ToString::to_string));
    expected.push("release".into());
    assert_eq!(probe.take_calls(), expected);
    assert_eq!(wrapper.granule(), 16);
    assert!(probe.held.borrow().is_empty());
}

#[test]
fn every_wrapper_forwards_every_method() {
    let probe = Probe::default();
    forwards(&probe, &probe, 0, true);
    forwards(&probe, Limited::new(&probe, 1 << 20), 0, true);
    forwards(&probe, Counting::new(&probe), 0, true);
    forwards(&probe, Failing::new(&probe, Schedule::Never), 0, true);
    forwards(&probe, Aligned::new(&probe), Aligned::<&Probe>::OVERHEAD, false);

    let counting = Counting::new(&probe);
    forwards(&probe, &counting, 0, true);
    let counts = counting.counts();
    assert_eq!((counts.populated, counts.purged), (100, 77));
    assert_eq!((counts.growths, counts.moves, counts.shrinks), (1, 1, 1));
    assert_eq!((counts.bytes, counts.bytes_peak), (0, 320));
}
