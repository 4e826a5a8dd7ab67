//! The C library's own count of the memory it hands out, which tells whether a block came from it.

/// Bytes in live blocks of the C library's allocator, in all its arenas and mappings; `None` where it cannot tell.
///
/// A preloaded allocator may answer the same question about itself; here the C library itself is asked, always.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[must_use]
pub fn live_bytes() -> Option<usize> {
    let ask = own_mallinfo2()?;
    // SAFETY: `mallinfo2` has no preconditions.
    let figures = unsafe { ask() };
    Some(figures.uordblks + figures.hblkhd)
}

/// Bytes in live blocks of the C library's allocator, in all its arenas and mappings; `None` where it cannot tell.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[must_use]
pub fn live_bytes() -> Option<usize> {
    None
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Mallinfo2 = unsafe extern "C" fn() -> libc::mallinfo2;

/// The function of the C library, whatever stands before it. Looked up once: the search may allocate, and must not do so
/// between two readings.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn own_mallinfo2() -> Option<Mallinfo2> {
    use std::sync::OnceLock;

    static FOUND: OnceLock<Option<Mallinfo2>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        if cfg!(target_feature = "crt-static") {
            return Some(libc::mallinfo2);
        }
        // SAFETY: a string that a zero byte ends; the library is there already, so that no code of it is run.
        let library = unsafe { libc::dlopen(c"libc.so.6".as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        if library.is_null() {
            return None;
        }
        // SAFETY: an open library, and a string that a zero byte ends.
        let function = unsafe { libc::dlsym(library, c"mallinfo2".as_ptr()) };
        if function.is_null() {
            return None;
        }
        // SAFETY: the C library's function of that name has this type.
        Some(unsafe { std::mem::transmute::<*mut libc::c_void, Mallinfo2>(function) })
    })
}

/// The C library's name and version, as `glibc 2.36`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[must_use]
pub fn version() -> String {
    // SAFETY: the function has no preconditions.
    let text = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: it returns a static string that a zero byte ends.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    format!("glibc {}", text.to_string_lossy())
}

/// The C library's name and version, as `glibc 2.36`.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[must_use]
pub fn version() -> String {
    if cfg!(target_env = "musl") { "musl".to_owned() } else { "the system's".to_owned() }
}
