//! The fixed buffer.

use super::*;

#[test]
fn hands_out_all_of_an_uneven_buffer() {
    let mut memory = buffer(1000);
    let region = Region::new(&mut memory[1..]);
    assert!(region.size() >= 999 - 30 && region.size() % 16 == 0);
    let all = region.allocate_span(region.size(), 16).unwrap();
    assert!(region.allocate_span(1, 1).is_err());
    fill(all, 3);
    unsafe { region.release_span(all) };
    assert_eq!(region.remaining(), region.size());
    for tiny in 0..32 {
        let mut memory = buffer(tiny);
        let region = Region::new(&mut memory);
        assert_eq!(region.allocate_span(16, 1).is_ok(), region.size() >= 16);
    }
}

#[test]
fn all_comes_back_in_every_order() {
    let mut memory = buffer(4096);
    let region = Region::new(&mut memory);
    // Every order of giving five spans back, with padding between them.
    for code in 0..120_usize {
        let mut spans: Vec<_> = (0..5)
            .map(|i| region.allocate_span(40 + i, if i % 2 == 0 { 128 } else { 16 }).unwrap())
            .collect();
        spans.iter().for_each(|&span| fill(span, 0xCC));
        let mut code = code;
        for left in (1..=5).rev() {
            unsafe { region.release_span(spans.remove(code % left)) };
            code /= left;
        }
        assert_eq!(region.remaining(), region.size(), "something is lost");
    }
}

#[test]
fn the_last_span_grows_in_place() {
    let mut memory = buffer(1024);
    let region = Region::new(&mut memory);
    let first = region.allocate_span(100, 16).unwrap();
    let last = region.allocate_span(100, 16).unwrap();
    fill(last, 9);
    assert_eq!(unsafe { region.grow_span(first, 200) }, Err(AllocError));
    let grown = unsafe { region.grow_span(last, 500) }.unwrap();
    assert!(grown.start == last.start && grown.size == 512 && is_filled(last.start, last.size, 9));
    assert!(unsafe { region.grow_span(grown, 1024) }.is_err());
    assert!(unsafe { region.grow_span(grown, usize::MAX) }.is_err());
    unsafe { region.release_span(grown) };
    unsafe { region.release_span(first) };
    assert_eq!(region.remaining(), region.size());
}

#[test]
fn threads_share_one() {
    let mut memory = buffer(1 << 16);
    let region = Region::new(&mut memory);
    std::thread::scope(|scope| {
        for id in 1..=4_u8 {
            let region = &region;
            scope.spawn(move || {
                for round in 0..2000 {
                    let Ok(span) = region.allocate_span(16 + round % 300, 1 << (round % 7)) else {
                        continue;
                    };
                    fill(span, id);
                    std::thread::yield_now();
                    assert!(is_filled(span.start, span.size, id));
                    unsafe { region.release_span(span) };
                }
            });
        }
    });
    assert_eq!(region.remaining(), region.size());
}
