//! The OS floor: one set of tests for the kernel's pages and for the fake's.

#![cfg(any(all(feature = "libc", target_os = "linux"), feature = "std"))]
#![expect(clippy::undocumented_unsafe_blocks, reason = "each test makes the ranges that it uses")]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "as above")]

use std::ptr::NonNull;

use alloc_core::os::{Advice, Pages};

fn bytes(start: NonNull<u8>, size: usize) -> Vec<u8> {
    unsafe { std::slice::from_raw_parts(start.as_ptr(), size) }.to_vec()
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8 + 1).collect()
}

fn write(start: NonNull<u8>, contents: &[u8]) {
    unsafe { start.as_ptr().copy_from_nonoverlapping(contents.as_ptr(), contents.len()) };
}

fn committed_pages_read_as_zero_and_keep_contents(os: &impl Pages) {
    let page = os.page_size();
    let start = os.reserve(8 * page, 1).unwrap();
    let middle = unsafe { start.add(2 * page) };
    unsafe { os.commit(middle, 4 * page) }.unwrap();
    assert_eq!(bytes(middle, 4 * page), vec![0; 4 * page]);
    write(middle, &pattern(4 * page));
    // A second commit, and one of the neighbours, change nothing.
    unsafe { os.commit(start, 8 * page) }.unwrap();
    assert_eq!(bytes(middle, 4 * page), pattern(4 * page));
    assert_eq!(bytes(start, 2 * page), vec![0; 2 * page]);
    unsafe { os.release(start, 8 * page) }.unwrap();
}

fn decommitted_contents_are_gone(os: &impl Pages) {
    let page = os.page_size();
    let start = os.reserve(4 * page, page).unwrap();
    unsafe { os.commit(start, 4 * page) }.unwrap();
    write(start, &pattern(4 * page));
    let second = unsafe { start.add(page) };
    unsafe { os.decommit(second, 2 * page) }.unwrap();
    unsafe { os.commit(second, 2 * page) }.unwrap();
    let expected = pattern(4 * page);
    assert_eq!(bytes(start, page), expected[..page]);
    assert_eq!(bytes(second, 2 * page), vec![0; 2 * page]);
    assert_eq!(bytes(unsafe { start.add(3 * page) }, page), expected[3 * page..]);
    unsafe { os.release(start, 4 * page) }.unwrap();
}

fn populating_keeps_contents(os: &impl Pages) {
    let page = os.page_size();
    let start = os.map(64 * page, page).unwrap();
    write(start, &pattern(page));
    // Old kernels refuse, which is all that may differ.
    let _ = unsafe { os.populate(start, 64 * page) };
    assert_eq!(bytes(start, page), pattern(page));
    assert_eq!(bytes(unsafe { start.add(page) }, 63 * page), vec![0; 63 * page]);
    unsafe { os.release(start, 64 * page) }.unwrap();
}

fn memory_not_needed_reads_as_zero_and_stays_usable(os: &impl Pages) {
    let page = os.page_size();
    let start = os.map(4 * page, page).unwrap();
    write(start, &pattern(4 * page));
    unsafe { os.advise(start, 3 * page, Advice::DontNeed) }.unwrap();
    assert_eq!(bytes(start, 3 * page), vec![0; 3 * page]);
    assert_eq!(bytes(unsafe { start.add(3 * page) }, page), pattern(4 * page)[3 * page..]);
    write(start, &pattern(page));
    assert_eq!(bytes(start, page), pattern(page));
    unsafe { os.release(start, 4 * page) }.unwrap();
}

fn huge_advice_keeps_contents(os: &impl Pages) {
    let size = 4 << 20;
    let start = os.map(size, 2 << 20).unwrap();
    write(start, &pattern(os.page_size()));
    // Kernels without huge pages refuse.
    let _ = unsafe { os.advise(start, size, Advice::Huge) };
    let _ = unsafe { os.advise(start, size, Advice::NoHuge) };
    assert_eq!(bytes(start, os.page_size()), pattern(os.page_size()));
    unsafe { os.release(start, size) }.unwrap();
}

fn every_alignment_to_a_gibibyte_is_honoured(os: &impl Pages) {
    let page = os.page_size();
    for shift in 0..=30 {
        let align = 1_usize << shift;
        let reserved = os.reserve(3 * page, align).unwrap();
        let mapped = os.map(2 * page, align).unwrap();
        for start in [reserved, mapped] {
            assert_eq!(start.addr().get() % align.max(page), 0, "{start:p} for {align:#x}");
        }
        unsafe { os.commit(reserved, 3 * page) }.unwrap();
        write(reserved, &pattern(3 * page));
        write(mapped, &pattern(2 * page));
        assert_eq!(bytes(reserved, 3 * page), pattern(3 * page));
        unsafe { os.release(reserved, 3 * page) }.unwrap();
        unsafe { os.release(mapped, 2 * page) }.unwrap();
    }
}

fn a_reservation_may_be_released_in_parts(os: &impl Pages) {
    let page = os.page_size();
    let start = os.map(5 * page, page).unwrap();
    write(start, &pattern(5 * page));
    unsafe { os.release(start.add(page), 2 * page) }.unwrap();
    assert_eq!(bytes(start, page), pattern(page));
    assert_eq!(bytes(unsafe { start.add(3 * page) }, 2 * page), pattern(5 * page)[3 * page..]);
    unsafe { os.release(start, page) }.unwrap();
    unsafe { os.release(start.add(4 * page), page) }.unwrap();
    assert_eq!(bytes(unsafe { start.add(3 * page) }, page), pattern(5 * page)[3 * page..4 * page]);
    unsafe { os.release(start.add(3 * page), page) }.unwrap();
}

fn remapping_keeps_contents_and_adds_zeroes(os: &impl Pages) {
    let page = os.page_size();
    let start = os.map(2 * page, page).unwrap();
    write(start, &pattern(2 * page));
    let start = unsafe { os.remap(start, 2 * page, 600 * page, true) }.unwrap();
    assert_eq!(bytes(start, 2 * page), pattern(2 * page));
    assert_eq!(bytes(unsafe { start.add(2 * page) }, 598 * page), vec![0; 598 * page]);
    let shrunk = unsafe { os.remap(start, 600 * page, page, false) }.unwrap();
    assert_eq!(shrunk, start);
    assert_eq!(bytes(start, page), pattern(page));
    // In place or not at all; what was cut off must not come back with its contents.
    let size = if unsafe { os.remap(start, page, 2 * page, false) } == Ok(start) {
        assert_eq!(bytes(unsafe { start.add(page) }, page), vec![0; page]);
        2 * page
    } else {
        page
    };
    assert_eq!(bytes(start, page), pattern(page));
    unsafe { os.release(start, size) }.unwrap();
}

fn impossible_requests_are_refused(os: &impl Pages) {
    let page = os.page_size();
    let most = isize::MAX as usize & !(page - 1);
    assert!(os.reserve(most, page).is_err());
    assert!(os.map(most, page).is_err());
    assert!(os.reserve(page, 1 << 62).is_err());
    assert!(os.map(most, 1 << 62).is_err());
    let start = os.map(page, page).unwrap();
    write(start, &pattern(page));
    assert!(unsafe { os.remap(start, page, most, true) }.is_err());
    assert_eq!(bytes(start, page), pattern(page));
    unsafe { os.release(start, page) }.unwrap();
}

macro_rules! stamp {
    ($module:ident, $os:expr, $after:expr) => {
        mod $module {
            stamp!(@each $os, $after,
                committed_pages_read_as_zero_and_keep_contents,
                decommitted_contents_are_gone,
                populating_keeps_contents,
                memory_not_needed_reads_as_zero_and_stays_usable,
                huge_advice_keeps_contents,
                every_alignment_to_a_gibibyte_is_honoured,
                a_reservation_may_be_released_in_parts,
                remapping_keeps_contents_and_adds_zeroes,
                impossible_requests_are_refused,
            );
        }
    };
    (@each $os:expr, $after:expr, $($test:ident,)*) => {$(
        #[test]
        fn $test() {
            let os = $os;
            super::$test(&os);
            ($after)(&os);
        }
    )*};
}

#[cfg(all(feature = "libc", target_os = "linux"))]
stamp!(kernel, alloc_core::os::unix::Os, |_| ());
#[cfg(feature = "std")]
stamp!(fake_4k, super::fake(4 << 10), alloc_core::os::fake::FakeOs::assert_all_released);
#[cfg(feature = "std")]
stamp!(fake_16k, super::fake(16 << 10).with_room(1 << 20), alloc_core::os::fake::FakeOs::assert_all_released);
#[cfg(feature = "std")]
stamp!(fake_64k, super::fake(64 << 10), alloc_core::os::fake::FakeOs::assert_all_released);

#[cfg(feature = "std")]
fn fake(page: usize) -> alloc_core::os::fake::FakeOs {
    alloc_core::os::fake::FakeOs::new(page)
}

#[cfg(all(feature = "libc", target_os = "linux"))]
mod kernel_only;

#[cfg(feature = "std")]
mod fake_only;
