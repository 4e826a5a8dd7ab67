//! Files as memory.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::slice;

use memmap2::Mmap;

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
    if file.metadata().map_err(Reason::Unreadable)?.len() == 0 {
        return Err(Reason::Empty);
    }
    // SAFETY: the mapping is only read. That nobody changes the file meanwhile is asked of callers of `load`.
    let mapping = unsafe { Mmap::map(&file) }.map_err(Reason::Unreadable)?;
    // SAFETY: the mapping is never unmapped, since `ManuallyDrop` does not drop it, so its bytes live on at their address.
    Ok(unsafe { slice::from_raw_parts(mapping.as_ptr(), ManuallyDrop::new(mapping).len()) })
}
