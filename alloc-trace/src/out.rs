//! Where traces and pictures go: a file descriptor of the tracer's own, and text written to one.
//!
//! Nothing here allocates. `errno` is kept. What was opened here is watched (`own_fd`), so that a program that closes or
//! inherits our descriptors keeps its own files clean.

use core::ffi::{CStr, c_int};
use core::fmt;

use alloc_core::line::Line;

use crate::errno::KeepErrno;
use crate::own_fd::{self, Standing};
use crate::text::Text;
use crate::unsignalled;

/// Descriptors of ours are moved up, out of the way of programs that count on low ones, list what is open, or close all from
/// some number on: below the limit on their number, but to no more than this, since the kernel's table is as long as the
/// highest is, and `select` knows none beyond.
const HIGHEST: libc::rlim_t = 1024;
/// So many numbers are left to ours at the top.
const RESERVED: libc::rlim_t = 16;
/// Where none of those is free.
const LOW_FD: c_int = 100;

/// The first number that ours may have.
fn top() -> c_int {
    let mut limit = libc::rlimit { rlim_cur: HIGHEST, rlim_max: HIGHEST };
    // SAFETY: a limit that exists, and a place for it. Refused, it stays what it is.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur.min(HIGHEST).saturating_sub(RESERVED) as c_int
}

/// Why a place cannot be written to, as the system's error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub i32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(reason(self.0))
    }
}

impl core::error::Error for Refused {}

/// What an error number means, for those that a write or open meets. Without `strerror`, which may allocate.
#[must_use]
pub const fn reason(errno: i32) -> &'static str {
    match errno {
        libc::ENOSPC => "no space left on the device",
        libc::EDQUOT => "the disk quota is used up",
        libc::EFBIG => "the file would be too large",
        libc::EBADF => "the descriptor is closed",
        libc::EPIPE => "the reader is gone",
        libc::EIO => "input/output error",
        libc::EACCES | libc::EPERM => "permission denied",
        libc::EROFS => "the file system is read-only",
        libc::ENOENT => "no such folder",
        libc::ENOTDIR => "a part of the path is not a folder",
        libc::EISDIR => "it is a folder",
        libc::EMFILE | libc::ENFILE => "too many open files",
        libc::ENAMETOOLONG => "the path is too long",
        libc::ENOMEM => "out of memory",
        libc::EINVAL => "invalid argument",
        _ => "the system refused it",
    }
}

/// One line on standard error: what could not be done, where, and what happens now.
#[cold]
pub(crate) fn complain(what: &str, place: &str, why: Refused, then: &str) {
    Line::new()
        .text("strata: trace: ")
        .text(what)
        .text(" ")
        .text(place)
        .text(": ")
        .text(reason(why.0))
        .text(then)
        .emit();
}

/// Creates a file, or empties it, for appending; closed on exec. Where another process is writing to the file that way, the
/// file `PATH.PROCESS` is taken, with the number of this process, so that programs started by a traced one, which find the same
/// settings, do not write over its trace.
///
/// # Errors
/// The system's error number.
pub fn create(path: &CStr) -> Result<c_int, Refused> {
    let fd = open(path)?;
    if claim(fd) {
        return Ok(lift(fd));
    }
    close(fd);
    let mut name = Text::<{ libc::PATH_MAX as usize }>::new();
    // SAFETY: `getpid` has no conditions.
    let process = unsafe { libc::getpid() }.unsigned_abs();
    name.bytes(path.to_bytes()).text(".").decimal(process.into()).bytes(&[0]);
    let name = CStr::from_bytes_with_nul(name.as_bytes()).map_err(|_| Refused(libc::ENAMETOOLONG))?;
    let fd = open(name)?;
    claim(fd);
    Ok(lift(fd))
}

fn open(path: &CStr) -> Result<c_int, Refused> {
    let errno = KeepErrno::new();
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: a path that ends with a zero byte, and the mode that O_CREAT wants.
    let fd = unsafe { libc::open(path.as_ptr(), flags, 0o644) };
    if fd < 0 { Err(Refused(errno.now())) } else { Ok(fd) }
}

/// Takes a file for this process, and empties it. Whether no other has it. The lock belongs to the open file, and ends with
/// the last of its descriptors; devices and pipes are nobody's.
fn claim(fd: c_int) -> bool {
    let errno = KeepErrno::new();
    if !own_fd::is_file(fd) {
        return true;
    }
    // SAFETY: `flock` takes any descriptor.
    let locked = unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) } == 0;
    // Other errors are those of file systems without locks, where nobody can have it.
    if !locked && errno.now() == libc::EWOULDBLOCK {
        return false;
    }
    // SAFETY: `ftruncate` takes any descriptor.
    unsafe { libc::ftruncate(fd, 0) };
    true
}

/// A copy of a descriptor of the program's, closed on exec, so that the program may close its own.
///
/// # Errors
/// The system's error number: the descriptor is not open, or there are too many.
pub fn duplicate(fd: c_int) -> Result<c_int, Refused> {
    let errno = KeepErrno::new();
    for from in [top(), LOW_FD, 0] {
        // SAFETY: `fcntl` with F_DUPFD_CLOEXEC takes any number.
        let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, from) };
        if copy >= 0 {
            own_fd::note(copy);
            return Ok(copy);
        }
    }
    Err(Refused(errno.now()))
}

/// Moves a descriptor out of the way. Where none is free, it stays where it is.
fn lift(fd: c_int) -> c_int {
    match duplicate(fd) {
        Ok(high) => {
            close(fd);
            high
        }
        Err(_) => {
            own_fd::note(fd);
            fd
        }
    }
}

/// Closes a descriptor that the tracer opened, unless the program did so before.
pub fn close(fd: c_int) {
    let _errno = KeepErrno::new();
    let lost = own_fd::standing(fd) == Standing::Lost;
    own_fd::forget(fd);
    if !lost {
        // SAFETY: `close` takes any number; this one is ours.
        unsafe { libc::close(fd) };
    }
}

/// Writes everything, in one call of the system where it takes that. Raises no signal. In a process that has the tracer's descriptor from
/// another one, nothing, silently: the file is the other's.
///
/// # Errors
/// The system's error number; part of the bytes may have been written.
pub fn write_all(fd: c_int, mut bytes: &[u8]) -> Result<(), Refused> {
    match own_fd::standing(fd) {
        Standing::Unknown | Standing::Ours => {}
        Standing::Inherited => return Ok(()),
        Standing::Lost => return Err(Refused(libc::EBADF)),
    }
    let write = if own_fd::may_signal(fd) { unsignalled::write } else { write };
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(Refused(libc::ENOSPC)),
            Ok(written) => bytes = bytes.get(written..).unwrap_or(&[]),
            Err(libc::EINTR) => {}
            Err(libc::EAGAIN) => wait_writable(fd),
            Err(number) => return Err(Refused(number)),
        }
    }
    Ok(())
}

fn write(fd: c_int, bytes: &[u8]) -> Result<usize, c_int> {
    let errno = KeepErrno::new();
    // SAFETY: the pointer and length are those of one slice.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| errno.now())
}

/// Waits, a second at most, for a descriptor that the program made non-blocking.
fn wait_writable(fd: c_int) {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid `pollfd`.
    unsafe { libc::poll(&raw mut poll, 1, 1000) };
}

/// Text to a descriptor, through a small buffer on the stack.
pub struct FdText {
    fd: c_int,
    length: usize,
    failed: Option<Refused>,
    buffer: [u8; 2048],
}

impl FdText {
    /// Text to `fd`.
    #[must_use]
    pub const fn new(fd: c_int) -> Self {
        Self { fd, length: 0, failed: None, buffer: [0; 2048] }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// The first refusal of the system since the text began.
    pub fn flush(&mut self) -> Result<(), Refused> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let length = core::mem::take(&mut self.length);
        write_all(self.fd, self.buffer.get(..length).unwrap_or(&[]))
            .inspect_err(|&refused| self.failed = Some(refused))
    }
}

impl fmt::Write for FdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            if self.length == self.buffer.len() {
                self.flush().map_err(|_| fmt::Error)?;
            }
            let Some(room) = self.buffer.get_mut(self.length..) else { return Err(fmt::Error) };
            let count = room.len().min(bytes.len());
            for (slot, &byte) in room.iter_mut().zip(bytes) {
                *slot = byte;
            }
            self.length += count;
            bytes = bytes.get(count..).unwrap_or(&[]);
        }
        Ok(())
    }
}

impl fmt::Debug for FdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdText").field("fd", &self.fd).field("failed", &self.failed).finish_non_exhaustive()
    }
}
