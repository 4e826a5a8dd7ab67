//! The C library's own count of the memory it hands out, which tells whether a block came from it.

/// Bytes in live blocks of the C library's allocator, in all its arenas and mappings; `None` where it cannot tell.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[must_use]
pub fn live_bytes() -> Option<usize> {
    // SAFETY: `mallinfo2` has no preconditions.
    let figures = unsafe { libc::mallinfo2() };
    Some(figures.uordblks + figures.hblkhd)
}

/// Bytes in live blocks of the C library's allocator, in all its arenas and mappings; `None` where it cannot tell.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[must_use]
pub fn live_bytes() -> Option<usize> {
    None
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
