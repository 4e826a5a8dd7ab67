//! A write that no signal follows: where the reader of a pipe is gone, or a file may not grow, the system tells by an error
//! and by a signal, which would end the program for what the tracer did.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

use crate::errno::KeepErrno;

/// `write`, with `SIGPIPE` and `SIGXFSZ` held back from the calling thread, and taken back where the write raised one. Answers
/// as `write` does, with the error number where that is negative.
pub(crate) fn write(fd: c_int, bytes: &[u8]) -> Result<usize, c_int> {
    let errno = KeepErrno::new();
    let ours = set();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: a set that was filled, and a place for the mask that was.
    let masked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const ours, before.as_mut_ptr()) } == 0;
    let waiting = pending();
    // SAFETY: the pointer and length are those of one slice.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    let answer = usize::try_from(written).map_err(|_| errno.now());
    let raised = match answer {
        Err(libc::EPIPE) => libc::SIGPIPE,
        Err(libc::EFBIG) => libc::SIGXFSZ,
        _ => 0,
    };
    if masked {
        // One that waited before is the program's.
        if raised != 0 && !waiting.is_some_and(|waiting| has(&waiting, raised)) {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: a set and a time; nothing is wanted of what is found.
            unsafe { libc::sigtimedwait(&raw const ours, ptr::null_mut(), &raw const at_once) };
        }
        // SAFETY: the mask that was, filled by the call above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
    answer
}

/// Whether a file of this process may not grow beyond some size.
pub(crate) fn is_growth_limited() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit that Linux has, and a place for it.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    answer == 0 && limit.rlim_cur != libc::RLIM_INFINITY
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: a place for a set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: an empty set, and a signal that Linux has.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: zeroed, which is a valid value, and filled.
    unsafe { set.assume_init() }
}

fn pending() -> Option<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: a place for a set.
    if unsafe { libc::sigpending(set.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled, as the answer says.
    Some(unsafe { set.assume_init() })
}

fn has(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: a set, and a signal that Linux has.
    unsafe { libc::sigismember(set, signal) == 1 }
}
