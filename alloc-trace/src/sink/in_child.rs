//! Work of a test in a process of its own, for what a process has once.

extern crate std;

/// Runs `work` in a child of this process, and fails if it panics there.
pub(super) fn in_child(work: impl FnOnce() + std::panic::UnwindSafe) {
    // SAFETY: the child has a copy of nothing that its threads wait for, and ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let answer = std::panic::catch_unwind(work);
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(answer.is_err())) };
    }
    let mut status = 0;
    // SAFETY: a child, and a place for its state.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
}
