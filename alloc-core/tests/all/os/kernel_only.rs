//! What only the kernel has: memory that comes and goes, `errno`, limits, the program break.

use super::{bytes, pattern, write};
use crate::support::{errno, in_child, set_errno};
use alloc_core::os::unix::Os;
use alloc_core::os::{Advice, Break, Pages};
use std::ptr::NonNull;

#[test]
fn the_page_size_is_the_kernels() {
    let told = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    assert_eq!(Os.page_size(), usize::try_from(told).unwrap());
    assert_eq!(Os.page_size(), Os.page_size());
}

/// Pages of a range that have memory behind them.
fn resident(start: NonNull<u8>, size: usize) -> usize {
    let mut pages = vec![0_u8; size / Os.page_size()];
    let answer = unsafe { libc::mincore(start.as_ptr().cast(), size, pages.as_mut_ptr()) };
    assert_eq!(answer, 0);
    pages.iter().filter(|&&page| page & 1 == 1).count()
}

#[test]
fn memory_comes_and_goes_when_told() {
    let page = Os.page_size();
    let start = Os.map(32 * page, page).unwrap();
    unsafe { Os.advise(start, 32 * page, Advice::NoHuge) }.ok();
    assert_eq!(resident(start, 32 * page), 0);
    if unsafe { Os.populate(start.add(page), 8 * page) }.is_ok() {
        assert_eq!(resident(start, 32 * page), 8);
    }
    write(start, &pattern(32 * page));
    assert_eq!(resident(start, 32 * page), 32);
    unsafe { Os.advise(start, 16 * page, Advice::DontNeed) }.unwrap();
    assert_eq!(resident(start, 32 * page), 16);
    unsafe { Os.decommit(start, 32 * page) }.unwrap();
    assert_eq!(resident(start, 32 * page), 0);
    unsafe { Os.release(start, 32 * page) }.unwrap();
}

#[test]
fn errno_is_kept_by_success_and_by_failure() {
    let page = Os.page_size();
    let most = isize::MAX as usize & !(page - 1);
    set_errno(77);
    assert!(Os.reserve(most, page).is_err());
    assert!(Os.reserve(page, 1 << 62).is_err());
    assert!(Os.map(most, page).is_err());
    assert_eq!(errno(), 77);
    let start = Os.reserve(4 * page, 1 << 24).unwrap();
    unsafe { Os.commit(start, 2 * page) }.unwrap();
    assert!(unsafe { Os.remap(start, page, most, true) }.is_err());
    // The third page has no access, which populating needs.
    assert!(unsafe { Os.populate(start, 3 * page) }.is_err());
    unsafe { Os.decommit(start, 2 * page) }.unwrap();
    unsafe { Os.release(start, 4 * page) }.unwrap();
    assert_eq!(errno(), 77);
    // Nothing is mapped there any more.
    assert!(unsafe { Os.commit(start, page) }.is_err());
    assert!(unsafe { Os.advise(start, page, Advice::DontNeed) }.is_err());
    assert!(unsafe { Os.decommit(start, page) }.is_err());
    assert!(unsafe { Os.release(NonNull::new(std::ptr::without_provenance_mut(1)).unwrap(), page) }.is_err());
    assert!(unsafe { Os.sbrk(isize::MAX) }.is_err());
    assert_eq!(errno(), 77);
}

#[test]
fn the_break_moves_there_and_back() {
    // In a child: the C library's heap may move the break in any thread of this process.
    in_child(|| {
        let at = unsafe { Os.sbrk(0) };
        let Ok(got) = (unsafe { Os.sbrk(100_000) }) else { return false };
        unsafe { got.write_bytes(0x5A, 100_000) };
        let written = unsafe { got.add(99_999).read() } == 0x5A;
        let after = unsafe { Os.sbrk(-100_000) };
        at == Ok(got)
            && written
            && after.map(NonNull::addr) == Ok(got.addr().checked_add(100_000).unwrap())
            && unsafe { Os.sbrk(0) } == at
    });
}

#[test]
fn service_returns_when_address_space_does() {
    in_child(|| {
        let page = Os.page_size();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
        let before = limit.rlim_cur;
        limit.rlim_cur = 1;
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        set_errno(77);
        let refused = Os.map(page, page).is_err() && Os.reserve(page, 1 << 21).is_err();
        let kept = errno() == 77;
        limit.rlim_cur = before;
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        refused && kept && Os.map(page, page).is_ok()
    });
}

/// Pages of address space that this process has, without allocating.
fn address_space() -> Option<usize> {
    let mut text = [0_u8; 64];
    let file = unsafe { libc::open(c"/proc/self/statm".as_ptr(), libc::O_RDONLY) };
    let length = unsafe { libc::read(file, text.as_mut_ptr().cast(), text.len()) };
    unsafe { libc::close(file) };
    let text = std::str::from_utf8(text.get(..usize::try_from(length).ok()?)?).ok()?;
    text.split(' ').next()?.parse().ok()
}

#[test]
fn aligning_leaves_no_address_space_behind() {
    // In a child: the other threads of this process map memory at the same time.
    in_child(|| {
        let page = Os.page_size();
        let mut all = [NonNull::dangling(); 16];
        let before = address_space();
        for slot in &mut all {
            let Ok(start) = Os.reserve(3 * page, 1 << 28) else { return false };
            *slot = start;
        }
        let during = address_space();
        for start in all {
            if unsafe { Os.release(start, 3 * page) }.is_err() {
                return false;
            }
        }
        before.is_some() && during == before.map(|pages| pages + 16 * 3) && address_space() == before
    });
}

#[test]
fn aligning_takes_no_more_address_space_than_is_asked_for() {
    in_child(|| {
        let page = Os.page_size();
        let Some(pages) = address_space() else { return false };
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
        // Half as much again as is asked for, where asking for more and giving the ends back takes at least twice that.
        let size = 16 << 20;
        limit.rlim_cur = (pages * page + size + size / 2) as libc::rlim_t;
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        for align in [size, 64 << 20, 1 << 30] {
            for _ in 0..3 {
                let Ok(start) = Os.map(size, align) else { return false };
                let fits = start.addr().get() % align == 0;
                unsafe { start.write(1) };
                if !fits || unsafe { Os.release(start, size) }.is_err() {
                    return false;
                }
            }
        }
        true
    });
}

#[test]
fn growing_in_place_never_moves() {
    in_child(|| {
        let page = Os.page_size();
        let Ok(mut above) = Os.map(page, page) else { return false };
        // Kernels put one mapping next to the other; a few may first fill holes.
        for _ in 0..64 {
            let Ok(below) = Os.map(page, page) else { return false };
            if below.addr().get() + page == above.addr().get() {
                unsafe { below.write(42) };
                let refused = unsafe { Os.remap(below, page, 2 * page, false) }.is_err();
                let moved = unsafe { Os.remap(below, page, 2 * page, true) };
                return refused && moved.is_ok_and(|start| start != below && unsafe { start.read() } == 42);
            }
            above = below;
        }
        false
    });
}

#[test]
fn what_is_not_committed_has_no_access() {
    let page = Os.page_size();
    let start = Os.reserve(page, page).unwrap();
    let mut pipe = [0; 2];
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    // The kernel reads the byte for us, and tells what a load would die of.
    let written = unsafe { libc::write(pipe[1], start.as_ptr().cast(), 1) };
    assert_eq!((written, errno()), (-1, libc::EFAULT));
    unsafe { Os.commit(start, page) }.unwrap();
    assert_eq!(unsafe { libc::write(pipe[1], start.as_ptr().cast(), 1) }, 1);
    assert_eq!(bytes(start, 1), [0]);
    unsafe { Os.decommit(start, page) }.unwrap();
    let written = unsafe { libc::write(pipe[1], start.as_ptr().cast(), 1) };
    assert_eq!((written, errno()), (-1, libc::EFAULT));
    unsafe { libc::close(pipe[0]) };
    unsafe { libc::close(pipe[1]) };
    unsafe { Os.release(start, page) }.unwrap();
}
