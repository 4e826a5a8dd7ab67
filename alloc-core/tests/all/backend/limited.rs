//! The cap.

use super::*;

#[test]
fn holds_its_cap_exactly() {
    let mut memory = buffer(4096);
    let limited = Limited::new(Region::new(&mut memory), 1000);
    let first = limited.allocate_span(500, 1).unwrap();
    assert_eq!((limited.used(), limited.limit()), (512, 1000));
    // 496 would make 1008: what counts is the granules.
    assert!(limited.allocate_span(496, 1).is_err());
    let second = limited.allocate_span(480, 1).unwrap();
    assert!(limited.allocate_span(1, 1).is_err());
    assert!(unsafe { limited.grow_span(second, 481) }.is_err());
    unsafe { limited.release_span(second) };
    let grown = unsafe { limited.grow_span(first, 992) }.unwrap();
    assert_eq!(limited.used(), 992);
    unsafe { limited.release_span(grown) };
    assert_eq!(limited.used(), 0);
    // A refusal further down does not count as use.
    let limited = Limited::new(Failing::new(limited, Schedule::From(1)), 1000);
    assert!(limited.allocate_span(16, 1).is_err());
    assert_eq!(limited.used(), 0);
}

#[test]
fn counts_what_a_backend_gives_beyond_its_granule() {
    let generous = Probe { surplus: 64, ..Probe::default() };
    let limited = Limited::new(&generous, 100);
    let span = limited.allocate_span(16, 16).unwrap();
    assert_eq!((span.size, limited.used()), (80, 80));
    assert!(limited.allocate_span(16, 16).is_err());
    assert_eq!(limited.used(), 80);
    assert_eq!(generous.held.borrow().len(), 1, "the refused span was kept");
    unsafe { limited.release_span(span) };
    assert_eq!(limited.used(), 0);
}

#[test]
fn resizing_counts_what_is_held_afterwards() {
    let probe = Probe::default();
    let limited = Limited::new(&probe, 1000);
    let span = limited.allocate_span(160, 16).unwrap();
    let span = unsafe { limited.move_span(span, 800) }.unwrap();
    assert_eq!(limited.used(), 800);
    assert!(unsafe { limited.move_span(span, 1001) }.is_err());
    assert_eq!(limited.used(), 800);
    let span = unsafe { limited.shrink_span(span, 500) }.unwrap();
    assert_eq!((span.size, limited.used()), (512, 512));
    // A move may make a span smaller, too.
    let span = unsafe { limited.move_span(span, 100) }.unwrap();
    assert_eq!((span.size, limited.used()), (112, 112));
    unsafe { limited.release_span(span) };
    assert_eq!(limited.used(), 0);
}
