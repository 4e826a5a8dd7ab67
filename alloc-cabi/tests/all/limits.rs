//! Little address space: programs start, and nothing crashes.

use crate::support::{STRATEGIES, compile, run, under};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Gives a program so much address space.
fn limited(command: &mut Command, mebibytes: u64) {
    let limit = libc::rlimit { rlim_cur: mebibytes << 20, rlim_max: mebibytes << 20 };
    let set = move || {
        // SAFETY: the structure is read during the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: `setrlimit` may be called between fork and exec.
    unsafe { command.pre_exec(set) };
}

#[test]
fn under_any_limit_on_address_space_programs_start_and_fail_softly() {
    let program = compile("exhaust.c", "exhaust", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        for mebibytes in [16, 24, 32, 64, 96, 128, 512] {
            let mut command = under(strategy, &program);
            limited(&mut command, mebibytes);
            let output = run(&mut command);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{strategy}, {mebibytes} MiB: {} {stderr}", output.status);
        }
    }
}
