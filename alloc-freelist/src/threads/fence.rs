//! A fence of which one side costs nothing.
//!
//! Two threads each write a word and then read the other's, and not both may miss the other's write (Dekker). That takes
//! a full fence between write and read on both sides; or, where one side is taken a million times as often, none on that
//! side but the compiler's, if the other one has the kernel put a fence into every running thread of the process
//! (`membarrier`, after Dice, Huang and Yang's asymmetric Dekker synchronisation, 2001). Where the kernel does not offer it,
//! both sides fence.

use alloc_core::sync::static_atomic::{AtomicU32, Ordering, fence};

/// 0 until it was asked. Relaxed throughout: asking twice is harmless, and gives the same answer.
static KNOWN: AtomicU32 = AtomicU32::new(UNKNOWN);

const UNKNOWN: u32 = 0;
const ONE_SIDED: u32 = 1;
const BOTH_SIDED: u32 = 2;

/// Whether the frequent side may go without its fence. The same answer at every call.
pub(super) fn is_one_sided() -> bool {
    if KNOWN.load(Ordering::Relaxed) == UNKNOWN {
        let answer = if kernel::register() { ONE_SIDED } else { BOTH_SIDED };
        // The first answer holds, should the kernel give two.
        let _ = KNOWN.compare_exchange(UNKNOWN, answer, Ordering::Relaxed, Ordering::Relaxed);
    }
    KNOWN.load(Ordering::Relaxed) == ONE_SIDED
}

/// The rare side's fence.
pub(super) fn heavy() {
    if !(is_one_sided() && kernel::everywhere()) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use alloc_core::errno::KeepErrno;

    // linux/membarrier.h
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    fn membarrier(command: libc::c_int) -> bool {
        let _errno = KeepErrno::new();
        // SAFETY: the call touches no memory.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    pub(super) fn register() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED)
    }

    /// It does not fail where `register` did not.
    pub(super) fn everywhere() -> bool {
        membarrier(PRIVATE_EXPEDITED)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn everywhere() -> bool {
        false
    }
}
