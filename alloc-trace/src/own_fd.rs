//! Which descriptors are the tracer's own.
//!
//! A program may close descriptors that it did not open (daemons do), and get the same number again for a file of its own.
//! A process that was cloned behind the C library's back, so that no handler for forks ran in it, has copies of all of them.
//! The one must not find a trace in its files, the other must not write into its parent's: before each write, a descriptor is
//! compared with what it was when the tracer opened it, and a word is looked at that the kernel wipes in copies of the
//! process (`MADV_WIPEONFORK`). The child of a `vfork` is no copy, but the process itself for a while.

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::errno::KeepErrno;
use crate::own::Mapped;
use crate::unsignalled;

/// A file, by the system's two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// What is known of one descriptor. The number is stored last and taken back first, so that whoever finds it finds the rest.
struct Known {
    /// Plus 1; 0 for none.
    number: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
    /// It is no ordinary file: a write may raise a signal whatever the limits are.
    signals: AtomicBool,
}

/// As many as there are sinks with files, and a map. Those beyond are not watched.
static KNOWN: [Known; 8] = [const {
    Known {
        number: AtomicI32::new(0),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        signals: AtomicBool::new(false),
    }
}; 8];

/// What has become of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was never noted: somebody else's.
    Unknown,
    /// It is what it was.
    Ours,
    /// It is, in a process that did not open it.
    Inherited,
    /// It was closed, and may be another file's by now.
    Lost,
}

/// Remembers a descriptor that was just opened.
pub(crate) fn note(fd: c_int) {
    let Some(Identity { device, inode }) = identity(fd) else { return };
    mark();
    for known in &KNOWN {
        // Acquire: whoever had the place is done with it. The number -1 keeps it while it is filled.
        if known.number.compare_exchange(0, -1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            known.device.store(device, Ordering::Relaxed);
            known.inode.store(inode, Ordering::Relaxed);
            known.signals.store(!is_file(fd), Ordering::Relaxed);
            // Release: as the type says.
            known.number.store(fd + 1, Ordering::Release);
            return;
        }
    }
}

/// Compares a descriptor with what was noted of it.
pub(crate) fn standing(fd: c_int) -> Standing {
    let Some(known) = find(fd) else { return Standing::Unknown };
    let noted =
        Identity { device: known.device.load(Ordering::Relaxed), inode: known.inode.load(Ordering::Relaxed) };
    match identity(fd) {
        Some(now) if now != noted => Standing::Lost,
        None => Standing::Lost,
        Some(_) if is_copy() => Standing::Inherited,
        Some(_) => Standing::Ours,
    }
}

/// Whether a write to a descriptor may raise a signal. Programs set limits at any time.
pub(crate) fn may_signal(fd: c_int) -> bool {
    let is_file = find(fd).is_some_and(|known| !known.signals.load(Ordering::Relaxed));
    !is_file || unsignalled::is_growth_limited()
}

/// Forgets a descriptor that is about to be closed.
pub(crate) fn forget(fd: c_int) {
    if let Some(known) = find(fd) {
        known.number.store(0, Ordering::Release);
    }
}

fn find(fd: c_int) -> Option<&'static Known> {
    // Acquire: pairs with the Release of `note`.
    KNOWN.iter().find(|known| fd >= 0 && known.number.load(Ordering::Acquire) == fd + 1)
}

/// The word that is 1, and 0 in a copy of the process. Null where the system has no such memory: then nobody is a copy.
static MARK: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

/// Makes the word, or in a copy that opens files of its own, sets it.
#[expect(clippy::disallowed_methods, reason = "advice about memory of the tracer's, which no backend gives")]
fn mark() {
    let known = MARK.load(Ordering::Acquire);
    // SAFETY: null, or a word that is never given back.
    if let Some(word) = unsafe { known.as_ref() } {
        return word.store(1, Ordering::Relaxed);
    }
    let Some(mapped) = Mapped::<AtomicU32>::new(1) else { return };
    let Some(word) = mapped.leak().first() else { return };
    let place = ptr::from_ref(word).cast_mut();
    // SAFETY: a whole page of a mapping of ours, which is private and anonymous.
    if unsafe { libc::madvise(place.cast(), 1, libc::MADV_WIPEONFORK) } == 0 {
        word.store(1, Ordering::Relaxed);
        // Release: the word is seen as it was set. A second maker at the same time would leave its page unused.
        MARK.store(place, Ordering::Release);
    }
}

fn is_copy() -> bool {
    // SAFETY: null, or a word that is never given back.
    unsafe { MARK.load(Ordering::Acquire).as_ref() }.is_some_and(|word| word.load(Ordering::Relaxed) == 0)
}

/// The file's numbers; `None` where the descriptor is not open.
fn identity(fd: c_int) -> Option<Identity> {
    let stat = stat(fd)?;
    Some(Identity { device: stat.st_dev, inode: stat.st_ino })
}

/// Whether it is an ordinary file.
pub(crate) fn is_file(fd: c_int) -> bool {
    stat(fd).is_some_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
}

fn stat(fd: c_int) -> Option<libc::stat> {
    let _errno = KeepErrno::new();
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: any number may be asked for; the place is as large as the structure.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled, as the answer says.
    Some(unsafe { stat.assume_init() })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn open(path: &core::ffi::CStr) -> c_int {
        // SAFETY: a path that ends with a zero byte.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
        // A number that no other test's file gets.
        // SAFETY: `fcntl` with F_DUPFD_CLOEXEC takes any number.
        let high = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 700) };
        // SAFETY: opened above.
        unsafe { libc::close(fd) };
        high
    }

    /// A copy made without handlers for forks: by the kernel's `clone`, by its number.
    #[test]
    fn a_copy_of_the_process_knows_that_it_is() {
        let fd = open(c"/dev/null");
        note(fd);
        // SAFETY: the child, on a copy of this stack, compares and ends at once.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let status = c_int::from(standing(fd) != Standing::Inherited);
            // SAFETY: ends the child alone.
            unsafe { libc::_exit(status) };
        }
        let mut status = -1;
        // SAFETY: a child of this process, and a place for its status.
        unsafe { libc::waitpid(child as c_int, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(standing(fd), Standing::Ours);
        forget(fd);
        // SAFETY: opened above.
        unsafe { libc::close(fd) };
    }

    #[test]
    fn a_number_that_became_another_files_is_lost() {
        let fd = open(c"/dev/null");
        assert_eq!(standing(fd), Standing::Unknown);
        note(fd);
        assert_eq!(standing(fd), Standing::Ours);
        let other = open(c"/dev/full");
        // SAFETY: two descriptors of this test's.
        unsafe { libc::dup2(other, fd) };
        assert_eq!(standing(fd), Standing::Lost);
        // SAFETY: as above.
        unsafe { libc::close(fd) };
        assert_eq!(standing(fd), Standing::Lost);
        forget(fd);
        assert_eq!(standing(fd), Standing::Unknown);
        // SAFETY: as above.
        unsafe { libc::close(other) };
    }
}
