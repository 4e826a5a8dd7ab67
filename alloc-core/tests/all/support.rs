//! What several tests use.

/// Runs `work` in a forked child, which has this thread alone, and panics unless it answers `true`. `work` must not
/// allocate or panic: another thread may have held a lock of the C library when the child was made.
#[cfg(all(feature = "libc", target_os = "linux"))]
#[track_caller]
pub(crate) fn in_child(work: impl FnOnce() -> bool) {
    // SAFETY: the child calls `work`, which keeps to what a forked child may do, and `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let code = i32::from(!work());
        // SAFETY: ends this process without running anything else.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is a place for an int.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    assert!(libc::WIFEXITED(status), "the child died of signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child says no");
}

/// This thread's `errno`.
#[cfg(all(feature = "libc", target_os = "linux"))]
pub(crate) fn errno() -> i32 {
    // SAFETY: the place is valid for the calling thread.
    unsafe { *place() }
}

#[cfg(all(feature = "libc", target_os = "linux"))]
pub(crate) fn set_errno(value: i32) {
    // SAFETY: the place is valid for the calling thread, and nothing else refers to it.
    unsafe { *place() = value };
}

#[cfg(all(feature = "libc", target_os = "linux"))]
fn place() -> *mut i32 {
    // SAFETY: may be called at any time.
    unsafe { libc::__errno_location() }
}
