//! Whether a program runs with more rights than who starts it.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Whether the loader will treat the program as secure: it changes user or group, or has capabilities.
pub(crate) fn gains_rights(program: &Path) -> bool {
    let Ok(file) = fs::metadata(program) else { return false };
    // The folder of a process belongs to its effective user and group.
    let Ok(us) = fs::metadata("/proc/self") else { return false };
    (file.mode() & SET_USER != 0 && file.uid() != us.uid())
        || (file.mode() & SET_GROUP != 0 && file.gid() != us.gid())
        || (us.uid() != 0 && has_capabilities(program))
}

fn has_capabilities(program: &Path) -> bool {
    let Ok(path) = CString::new(program.as_os_str().as_bytes()) else { return false };
    // SAFETY: both strings end with a zero byte; no place for the value is given, so that its size alone is told.
    let size =
        unsafe { libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0) };
    size > 0
}
