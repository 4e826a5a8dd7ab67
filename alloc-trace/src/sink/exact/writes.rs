//! That events write to no memory which threads share.

extern crate std;
use super::*;
use core::ops::Range;
use std::vec::Vec;

/// All memory that may be written to but for `mine`, in whole pages. The kernel shows mappings side by side as one.
fn writable(mine: &[Range<usize>]) -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let number = |text| usize::from_str_radix(text, 16).unwrap();
    let mut ranges: Vec<Range<usize>> = maps
        .lines()
        .filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (low, high) = range.split_once('-')?;
            rest.starts_with("rw").then_some(number(low)..number(high))
        })
        .collect();
    for mine in mine {
        let (low, high) = (mine.start & !0xfff, (mine.end | 0xfff) + 1);
        ranges = ranges
            .into_iter()
            .flat_map(|range| [range.start..range.end.min(low), range.start.max(high)..range.end])
            .filter(|range| !range.is_empty())
            .collect();
    }
    ranges
}

#[inline(never)]
fn events(thread: &Thread, count: usize) {
    let place = |index: usize| Place { address: 0x7f00_0000_0000 + index % 64 * 64, size: 48, align: 16 };
    for index in 0..count {
        EXACT.record(thread, Event::Alloc(place(index)));
        EXACT.record(thread, Event::Free(place(index)));
    }
}

/// With hot stacks, in parts of the address space that are the thread's own, events write to the thread's own record and stack
/// alone: in a child process all other memory is taken from under them.
#[test]
fn events_write_to_no_memory_that_threads_share() {
    // SAFETY: the child calls nothing that another thread's lock could stop, and ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let answer = std::panic::catch_unwind(|| {
            // SAFETY: a path that ends with a zero byte.
            let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY) };
            EXACT.start(fd).unwrap();
            let thread = thread::enter().unwrap();
            let record: &Thread = &thread;
            let (stack, record_at) = ((&raw const fd).addr(), (&raw const *record).addr());
            // The thread's storage lies around its pointer, above its stack; the main thread's elsewhere.
            let mine = [
                stack - (64 << 10)..stack + (16 << 10),
                thread_pointer() - 4096..thread_pointer() + 4096,
                record_at..record_at + size_of::<Thread>(),
            ];
            let tables = stack::tables().map(|tables| (&raw const *tables).addr()).unwrap();
            // From one place, so that the stacks are the same.
            for is_protected in [false, true] {
                let others = if is_protected { writable(&mine) } else { Vec::new() };
                for shared in [(&raw const OWNERS).addr(), (&raw const EXACT).addr(), tables] {
                    assert!(!is_protected || others.iter().any(|range| range.contains(&shared)));
                }
                for range in &others {
                    let start = core::ptr::with_exposed_provenance_mut(range.start);
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "not memory of a heap: the test's own process"
                    )]
                    // SAFETY: whole mappings. From here on the child writes to none of them.
                    unsafe {
                        libc::mprotect(start, range.len(), libc::PROT_READ)
                    };
                }
                events(record, 1000);
                core::mem::forget(others);
            }
            // SAFETY: ends the process, whose memory is as it may be.
            unsafe { libc::_exit(7) };
        });
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(answer.is_err())) };
    }
    let mut status = 0;
    // SAFETY: a child, and a place for its state.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
}

fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the psABI puts the thread pointer's own value at offset 0.
    unsafe {
        core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack));
    };
    pointer
}
