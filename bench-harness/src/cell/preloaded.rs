//! Does the preloaded library serve this process? Shown before anything is timed, and for a large block after it was.
//!
//! Three pieces of evidence: the loader resolves every function that Rust's std requests memory with in that library's
//! file; blocks of three sizes come and go while the C library's own counters stand still; and `libstrata.so` says itself
//! which of its strategies is at work.

use std::alloc::Layout;
use std::ffi::{CStr, CString};
use std::fs;
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::order::Preloaded;
use super::proof::{COUNTED, WithBlock, slack};
use crate::glibc;

/// What std's `System` calls.
const FUNCTIONS: [&CStr; 5] = [c"malloc", c"calloc", c"realloc", c"posix_memalign", c"free"];

/// A handle of `libstrata.so`, of which only its identity matters here.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair(usize, usize);

/// Says in one line how it was shown that the library serves blocks of these sizes, or why it was not.
pub(super) fn prove(preloaded: &Preloaded, sizes: &[usize], with_block: WithBlock) -> Result<String, String> {
    let library = Path::new(&preloaded.library);
    resolved(library)?;
    let mut proof = "the loader resolves malloc and free in it".to_owned();
    if let Some(strategy) = &preloaded.strategy {
        active(strategy)?;
        proof.push_str(&format!(", it says that {strategy} serves"));
    }
    let stands_on_libc = preloaded.strategy.as_deref() == Some("libc");
    if glibc::live_bytes().is_none() {
        return Ok(proof);
    }
    for &size in sizes {
        let moved = moved_by(size, with_block)?;
        if stands_on_libc && size >= COUNTED && moved + slack(size) < size {
            return Err(format!(
                "the C library's counters moved by {moved} bytes with a block of {size} bytes"
            ));
        }
        if !stands_on_libc && moved > slack(size) {
            return Err(format!(
                "a block of {size} bytes came from the C library's own allocator, whose counters moved by {moved} bytes"
            ));
        }
    }
    proof.push_str(if stands_on_libc {
        ", and the C library's counters moved with every block"
    } else {
        ", and the C library's counters stood still"
    });
    Ok(proof)
}

/// By how many bytes the C library's counters move while a block of `size` bytes is alive.
fn moved_by(size: usize, with_block: WithBlock) -> Result<usize, String> {
    let layout = Layout::from_size_align(size, 16).map_err(|error| error.to_string())?;
    let before = glibc::live_bytes().unwrap_or(0);
    let mut moved = 0;
    with_block(layout, &mut |block| {
        moved = glibc::live_bytes().unwrap_or(0).abs_diff(before);
        // SAFETY: a live block of that size.
        unsafe { black_box(block).write_bytes(0x5A, size) };
    })?;
    Ok(moved)
}

/// Whether all functions are the library's.
fn resolved(library: &Path) -> Result<(), String> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let wanted = identity(library);
    for name in FUNCTIONS {
        let text = name.to_string_lossy();
        let file = file_of(name).ok_or_else(|| format!("{text} is resolved nowhere"))?;
        if wanted.is_none() || identity(&file) != wanted {
            return Err(format!("{text} is resolved in {}, not in {}", file.display(), library.display()));
        }
    }
    Ok(())
}

/// The file that holds the function which this process calls by that name.
fn file_of(name: &CStr) -> Option<PathBuf> {
    // SAFETY: a string that a zero byte ends.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if function.is_null() {
        return None;
    }
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked about, and there is a place for the answer.
    let known = unsafe { libc::dladdr(function, found.as_mut_ptr()) };
    // SAFETY: all bytes zero is a valid value, in case nothing was written.
    let found = unsafe { found.assume_init() };
    if known == 0 || found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's string, which a zero byte ends and which stays while the library is loaded.
    let file = unsafe { CStr::from_ptr(found.dli_fname) };
    Some(Path::new(std::ffi::OsStr::from_bytes(file.to_bytes())).to_path_buf())
}

/// Whether `libstrata.so` has that strategy at work.
fn active(strategy: &str) -> Result<(), String> {
    let name = CString::new(strategy).map_err(|error| error.to_string())?;
    // SAFETY: strings that a zero byte ends.
    let active = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"strata_active".as_ptr()) };
    // SAFETY: as above.
    let named = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"strata_named".as_ptr()) };
    if active.is_null() || named.is_null() {
        return Err(
            "the library has no strata_active, so that it cannot say which strategy serves".to_owned()
        );
    }
    // SAFETY: `strata.h` declares the function so; a handle is two words.
    let active = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> Pair>(active) };
    // SAFETY: as above.
    let named = unsafe {
        std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*const libc::c_char) -> Pair>(named)
    };
    // SAFETY: a string that a zero byte ends.
    let wanted = unsafe { named(name.as_ptr()) };
    if active() != wanted {
        return Err(format!("the library does not serve from {strategy}, as it says itself"));
    }
    Ok(())
}
