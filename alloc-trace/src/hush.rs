//! Writes that raise no signal: a reader that is gone, or a limit on a file's size, would end the traced program.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

/// The signals of a refused write, blocked for the calling thread while this lives. Nothing here allocates.
pub(crate) struct Hush {
    before: libc::sigset_t,
}

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: a place for a set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for &signal in signals {
        // SAFETY: a set that was made empty, and a signal that exists.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: zero at first, and made a set above.
    unsafe { set.assume_init() }
}

fn contains(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: a set, and a signal that exists.
    unsafe { libc::sigismember(set, signal) == 1 }
}

impl Hush {
    pub(crate) fn new() -> Self {
        let (set, mut before) = (set_of(&[libc::SIGPIPE, libc::SIGXFSZ]), set_of(&[]));
        // SAFETY: two sets; the second becomes the mask before.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self { before }
    }

    /// Takes back the signal that came with this error. One that the program had blocked itself may be the program's, and
    /// stays.
    pub(crate) fn refused(&self, errno: i32) {
        let signal = match errno {
            libc::EPIPE => libc::SIGPIPE,
            libc::EFBIG => libc::SIGXFSZ,
            _ => return,
        };
        if contains(&self.before, signal) {
            return;
        }
        let (set, at_once) = (set_of(&[signal]), libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: a set, no place for details, and a time that does not wait.
        unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const at_once) };
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        // SAFETY: the mask from before, and no place for the one that goes.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}
