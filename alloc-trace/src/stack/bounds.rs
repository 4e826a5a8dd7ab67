//! How far a stack may be read.
//!
//! `pthread_getattr_np` would say, but it allocates and holds a lock of the thread's while it does, so that calling it
//! from an allocation can deadlock. The kernel's own list is read instead, once for each thread.

use core::ffi::CStr;

use super::maps::{Range, Scanner};
use crate::errno::KeepErrno;

const MAPS: &CStr = c"/proc/self/maps";

/// The part of the mapping around `sp` that belongs to the thread's stack, or the rest of `sp`'s page where the kernel
/// does not tell.
#[cold]
pub(crate) fn find(sp: usize) -> Range {
    let found = mapping_of(sp).unwrap_or(Range { low: sp & !0xfff, high: (sp | 0xfff) + 1 });
    // Below the thread's control block, which glibc puts at the end of the stacks that it makes: what comes after it may
    // be another mapping that the kernel shows as one with the stack.
    match thread_pointer() {
        end if sp < end && end < found.high => Range { high: end, ..found },
        _ => found,
    }
}

fn mapping_of(address: usize) -> Option<Range> {
    let errno = KeepErrno::new();
    // SAFETY: a path that ends with a zero byte.
    let fd = unsafe { libc::open(MAPS.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return None;
    }
    let mut scanner = Scanner::default();
    let mut buffer = [0_u8; 1024];
    let mut found = None;
    while found.is_none() {
        // SAFETY: the pointer and length are those of the buffer.
        let read = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(read) {
            Ok(0) => break,
            Ok(read) => {
                let text = buffer.get(..read).unwrap_or(&[]);
                found =
                    text.iter().filter_map(|&byte| scanner.feed(byte)).find(|range| range.contains(address));
            }
            Err(_) if errno.now() == libc::EINTR => {}
            Err(_) => break,
        }
    }
    crate::out::close(fd);
    found
}

#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the psABI puts the thread pointer's own value at offset 0.
    unsafe {
        core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags));
    }
    pointer
}

#[cfg(not(target_arch = "x86_64"))]
fn thread_pointer() -> usize {
    0
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn here() -> usize {
        let local = 0_u8;
        (&raw const local).addr()
    }

    #[test]
    fn holds_the_stack_pointer_on_every_thread() {
        let check = || {
            let sp = here();
            let range = find(sp);
            assert!(range.contains(sp), "{sp:#x} not in {range:x?}");
            assert!(range.high - range.low >= 16 << 10, "{range:x?}");
        };
        check();
        std::thread::spawn(check).join().unwrap();
    }
}
