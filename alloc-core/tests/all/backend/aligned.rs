//! Alignment beyond what a backend can.

use super::*;

#[test]
fn asks_for_more_only_where_it_must() {
    let probe = Probe { max_align: 16, ..Probe::default() };
    let aligned = Aligned::new(&probe);
    let plain = aligned.allocate_span(1000, 8).unwrap();
    assert_eq!(probe.take_calls(), ["allocate 1024 16"]);
    assert_eq!(plain.size, 1008);
    let far = aligned.allocate_span(1000, 4096).unwrap();
    assert_eq!(probe.take_calls(), ["allocate 1024 4096", "allocate 5104 16"]);
    assert!(far.start.addr().get() % 4096 == 0 && far.size >= 1000);
    fill(plain, 1);
    fill(far, 2);
    unsafe { aligned.release_span(plain) };
    unsafe { aligned.release_span(far) };
    // `Probe` checks that it gets back exactly what it gave.
    assert!(probe.held.borrow().is_empty());
}

#[test]
fn growing_by_nothing_asks_for_no_less() {
    // Eight bytes behind the trailer are of no use, and yet a part of what has to grow.
    let probe = Probe { surplus: 8, ..Probe::default() };
    let aligned = Aligned::new(&probe);
    let span = aligned.allocate_span(1008, 16).unwrap();
    assert_eq!(span.size, 1008);
    let same = unsafe { aligned.grow_span(span, 1008) }.unwrap();
    unsafe { aligned.release_span(same) };
    assert!(probe.held.borrow().is_empty());
}

#[test]
fn grows_what_lies_around() {
    let mut memory = buffer(1 << 16);
    let aligned = Aligned::new(Counting::new(Region::new(&mut memory)));
    let hole = aligned.allocate_span(16, 1).unwrap();
    let span = aligned.allocate_span(100, 1024).unwrap();
    fill(span, 7);
    let grown = unsafe { aligned.grow_span(span, 5000) }.unwrap();
    assert!(grown.start == span.start && grown.size >= 5000 && is_filled(span.start, span.size, 7));
    fill(grown, 8);
    let same = unsafe { aligned.grow_span(grown, grown.size) }.unwrap();
    assert!(same.size >= grown.size && is_filled(grown.start, grown.size, 8));
    assert!(unsafe { aligned.grow_span(same, usize::MAX) }.is_err());
    unsafe { aligned.release_span(same) };
    unsafe { aligned.release_span(hole) };
    assert_eq!(aligned.inner().counts().bytes, 0);
    assert_eq!(aligned.inner().inner().remaining(), aligned.inner().inner().size());
}
