//! Files as memory.

use std::fs::File;
use std::io::Error;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::{ptr, slice};

use super::Reason;

/// Maps a file for reading, for the rest of the process.
pub(super) fn map(path: &Path) -> Result<&'static [u8], Reason> {
    let kind = path.metadata().map_err(Reason::Unreadable)?;
    if kind.is_dir() {
        return Err(Reason::Directory);
    }
    // Asked before the file is opened, which would wait for ever where a pipe has no writer.
    if !kind.is_file() {
        return Err(Reason::NotAFile);
    }
    let file = File::open(path).map_err(Reason::Unreadable)?;
    let length = file.metadata().map_err(Reason::Unreadable)?.len();
    let length =
        usize::try_from(length).map_err(|_| Reason::Unreadable(Error::from_raw_os_error(libc::EFBIG)))?;
    if length == 0 {
        return Err(Reason::Empty);
    }
    // SAFETY: no address is asked for, so no mapping is replaced; `length` is not zero; the descriptor is open for
    // reading and the offset is a multiple of every page size.
    let start = unsafe {
        libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    if start == libc::MAP_FAILED {
        return Err(Reason::Unreadable(Error::last_os_error()));
    }
    // SAFETY: the mapping has `length` readable bytes, at most `isize::MAX` as every mapping, and is never unmapped.
    // Nothing in this process writes to it; that nobody else changes the file is asked of callers of `load`.
    Ok(unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}
