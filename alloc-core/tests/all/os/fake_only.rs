//! What only the fake has: figures, poison, failures on demand, and conditions that it watches.

use super::{bytes, fake, pattern, write};
use alloc_core::os::fake::{Call, POISON};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::{Advice, Break, Pages};

const PAGE: usize = 4096;

#[test]
fn figures_follow_the_pages() {
    let os = fake(PAGE);
    let start = os.reserve(8 * PAGE, PAGE).unwrap();
    assert_eq!((os.held(), os.committed(), os.populated(), os.huge()), (8 * PAGE, 0, 0, 0));
    unsafe { os.commit(start, 4 * PAGE) }.unwrap();
    unsafe { os.populate(start, 3 * PAGE) }.unwrap();
    unsafe { os.advise(start, 2 * PAGE, Advice::Huge) }.unwrap();
    assert_eq!((os.committed(), os.populated(), os.huge()), (4 * PAGE, 3 * PAGE, 2 * PAGE));
    unsafe { os.advise(start, PAGE, Advice::DontNeed) }.unwrap();
    unsafe { os.advise(start, PAGE, Advice::NoHuge) }.unwrap();
    assert_eq!((os.committed(), os.populated(), os.huge()), (4 * PAGE, 2 * PAGE, PAGE));
    unsafe { os.decommit(start, 4 * PAGE) }.unwrap();
    assert_eq!((os.held(), os.committed(), os.populated(), os.huge()), (8 * PAGE, 0, 0, 0));
    unsafe { os.release(start, 8 * PAGE) }.unwrap();
    assert_eq!(os.held(), 0);
    assert_eq!((os.calls(Call::Advise), os.calls(Call::Populate), os.all_calls()), (3, 1, 8));
}

#[test]
fn what_was_taken_away_is_poisoned() {
    let os = fake(PAGE);
    let start = os.reserve(2 * PAGE, PAGE).unwrap();
    assert_eq!(bytes(start, 2 * PAGE), vec![POISON; 2 * PAGE]);
    unsafe { os.commit(start, 2 * PAGE) }.unwrap();
    unsafe { os.decommit(start, PAGE) }.unwrap();
    assert_eq!(bytes(start, PAGE), vec![POISON; PAGE]);
    unsafe { os.release(start, PAGE) }.unwrap();
    assert_eq!(bytes(start, PAGE), vec![POISON; PAGE]);
    unsafe { os.release(start.add(PAGE), PAGE) }.unwrap();
}

#[test]
fn room_lets_a_mapping_grow_in_place() {
    let os = fake(PAGE).with_room(2 * PAGE);
    let start = os.map(PAGE, PAGE).unwrap();
    write(start, &pattern(PAGE));
    assert_eq!(unsafe { os.remap(start, PAGE, 3 * PAGE, false) }, Ok(start));
    assert!(unsafe { os.remap(start, 3 * PAGE, 4 * PAGE, false) }.is_err());
    assert_eq!(bytes(start, PAGE), pattern(PAGE));
    assert_eq!(bytes(unsafe { start.add(PAGE) }, 2 * PAGE), vec![0; 2 * PAGE]);
    unsafe { os.release(start, 3 * PAGE) }.unwrap();
    os.assert_all_released();
}

#[test]
fn the_break_moves_within_its_region() {
    let os = fake(PAGE).with_break(4 * PAGE);
    let start = unsafe { os.sbrk(0) }.unwrap();
    assert_eq!(unsafe { os.sbrk(PAGE as isize + 10) }, Ok(start));
    write(start, &pattern(PAGE + 10));
    assert_eq!(unsafe { os.sbrk(10) }, Ok(unsafe { start.add(PAGE + 10) }));
    assert_eq!(bytes(start, PAGE + 10), pattern(PAGE + 10));
    assert!(unsafe { os.sbrk(3 * PAGE as isize) }.is_err());
    assert!(unsafe { os.sbrk(-3 * PAGE as isize) }.is_err());
    unsafe { os.sbrk(-(PAGE as isize + 20)) }.unwrap();
    assert_eq!(unsafe { os.sbrk(PAGE as isize) }, Ok(start));
    assert_eq!(bytes(start, PAGE), vec![0; PAGE]);
    assert!(unsafe { fake(PAGE).sbrk(0) }.is_err());
}

#[test]
#[should_panic(expected = "a byte without access was written")]
fn a_break_that_is_given_back_is_looked_at_in_the_end() {
    let os = fake(PAGE).with_break(4 * PAGE);
    let start = unsafe { os.sbrk(PAGE as isize) }.unwrap();
    unsafe { os.sbrk(-(PAGE as isize)) }.unwrap();
    write(start, &pattern(1));
    drop(os);
}

#[test]
fn fails_when_told() {
    let os = fake(PAGE);
    os.fail(Schedule::Nth(2));
    let start = os.map(PAGE, PAGE).unwrap();
    write(start, &pattern(PAGE));
    assert!(unsafe { os.advise(start, PAGE, Advice::DontNeed) }.is_err());
    assert_eq!(bytes(start, PAGE), pattern(PAGE));
    unsafe { os.populate(start, PAGE) }.unwrap();

    os.fail_kind(Call::Release, Schedule::From(1));
    assert!(os.map(PAGE, PAGE).is_ok_and(|second| unsafe { os.release(second, PAGE) }.is_err()));
    assert!(unsafe { os.release(start, PAGE) }.is_err());
    assert_eq!(os.held(), 2 * PAGE);
    os.fail(Schedule::Never);
    unsafe { os.release(start, PAGE) }.unwrap();
    assert_eq!(os.held(), PAGE);
}

macro_rules! stops {
    ($($name:ident, $message:literal, |$os:ident| $work:expr;)*) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $name() {
            let $os = fake(PAGE);
            assert!($work.is_ok());
        }
    )*};
}

stops! {
    stops_a_double_release, "Release: ", |os| {
        let start = os.map(PAGE, PAGE).unwrap();
        unsafe { os.release(start, PAGE) }.unwrap();
        unsafe { os.release(start, PAGE) }
    };
    stops_a_double_release_of_a_part, "page 1 of", |os| {
        let start = os.map(3 * PAGE, PAGE).unwrap();
        unsafe { os.release(start.add(PAGE), PAGE) }.unwrap();
        unsafe { os.release(start, 3 * PAGE) }
    };
    stops_a_release_past_the_end, "lies in nothing that is reserved", |os| {
        let start = os.map(PAGE, PAGE).unwrap();
        unsafe { os.release(start, 2 * PAGE) }
    };
    stops_an_unaligned_size, "Map: size 0x1001 is no multiple of the page 0x1000", |os| os.map(PAGE + 1, PAGE);
    stops_an_unaligned_start, "is not on a page of 0x1000", |os| {
        let start = os.map(2 * PAGE, PAGE).unwrap();
        unsafe { os.release(start.add(16), PAGE) }
    };
    stops_size_zero, "Reserve: size 0", |os| os.reserve(0, PAGE);
    stops_a_bad_alignment, "Reserve: alignment 0x3 is no power of two", |os| os.reserve(PAGE, 3);
    stops_a_commit_outside, "Commit: ", |os| {
        let start = os.reserve(PAGE, PAGE).unwrap();
        unsafe { os.commit(start, 2 * PAGE) }
    };
    stops_populating_without_access, "is not committed, but Some(Reserved", |os| {
        let start = os.reserve(PAGE, PAGE).unwrap();
        unsafe { os.populate(start, PAGE) }
    };
    stops_remapping_a_part, "is not the whole of what was mapped", |os| {
        let start = os.map(2 * PAGE, PAGE).unwrap();
        unsafe { os.remap(start, PAGE, 2 * PAGE, true) }
    };
    tells_a_stray_write_at_the_commit, "a byte without access was written", |os| {
        let start = os.reserve(PAGE, PAGE).unwrap();
        unsafe { start.add(100).write(1) };
        unsafe { os.commit(start, PAGE) }
    };
    tells_a_stray_write_at_the_release, "holds 0x01", |os| {
        let start = os.map(2 * PAGE, PAGE).unwrap();
        unsafe { os.decommit(start, PAGE) }.unwrap();
        unsafe { start.write(1) };
        unsafe { os.release(start, 2 * PAGE) }
    };
    tells_a_leak, "never released: 4096 bytes of the 8192 at 0x", |os| {
        let start = os.map(2 * PAGE, PAGE).unwrap();
        unsafe { os.release(start, PAGE) }.unwrap();
        os.assert_all_released();
        Ok::<(), ()>(())
    };
}
