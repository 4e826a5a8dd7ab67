//! Tests whose code must die: in a child process, with the exact message and signal compared.
//!
//! The child is the same test binary, told to run the same test alone. The test asks for its [`Role`]; only the child
//! misbehaves:
//!
//! ```no_run
//! use alloc_testkit::death::{self, Role};
//!
//! // #[test]
//! fn a_double_free_is_stopped() {
//!     match death::role() {
//!         Role::Parent => death::expect_death(
//!             "a_double_free_is_stopped",
//!             &[("STRATA_CHECK", "full")],
//!             "strata: ptmalloc: double free at {address}: the block is already free",
//!             libc::SIGABRT,
//!         ),
//!         Role::Control => { /* the same calls without the misuse */ }
//!         Role::Misuse => { /* free twice */ }
//!     }
//! }
//! ```
//!
//! The control runs first and must end well, since a strategy that dies at its start would pass every death test. Both
//! children say on standard error that they got as far as the test, so that a misspelt name is an error, not a pass.

use core::time::Duration;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

const ROLE: &str = "ALLOC_TESTKIT_ROLE";
const REACHED: &str = "alloc-testkit: the child reached its test";

/// How long a child may take. Far beyond what any needs: it only keeps a hung child from hanging the tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the running process is to do in a death test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Start the children and judge them, by [`expect_death`].
    Parent,
    /// Do what the misuse does, without the misuse, and return.
    Control,
    /// Misuse.
    Misuse,
}

/// The role of this process. A child thereby says that it reached its test: ask once, at the test's start.
#[must_use]
pub fn role() -> Role {
    let role = match std::env::var(ROLE).as_deref() {
        Ok("control") => Role::Control,
        Ok("misuse") => Role::Misuse,
        _ => return Role::Parent,
    };
    eprintln!("{REACHED}");
    role
}

/// Runs the test `test_name` (its full path within the test binary) in two children: as a control, which must pass in
/// silence, and with the misuse, which must die by `expected_signal` after writing exactly `expected_message` and a line
/// end to standard error. In the message, `{address}` stands for `0x` and any lower-case hexadecimal digits.
///
/// Children get the variables of `env` besides their own environment, and write no core file.
///
/// # Panics
/// When a child does anything else, or takes longer than a minute.
#[track_caller]
pub fn expect_death(test_name: &str, env: &[(&str, &str)], expected_message: &str, expected_signal: i32) {
    let control = run(test_name, env, "control", PATIENCE);
    assert!(control.status.success(), "the control of `{test_name}` failed: {control}");
    assert!(control.stderr.is_empty(), "the control of `{test_name}` was not silent: {control}");
    let misuse = run(test_name, env, "misuse", PATIENCE);
    assert_eq!(
        misuse.status.signal(),
        Some(expected_signal),
        "the misuse of `{test_name}` did not die by signal {expected_signal}: {misuse}"
    );
    assert!(
        misuse.stderr.strip_suffix('\n').is_some_and(|stderr| matches(expected_message, stderr)),
        "the misuse of `{test_name}` did not say `{expected_message}`: {misuse}"
    );
}

struct Outcome {
    status: ExitStatus,
    /// What the child wrote to standard error after it reached its test.
    stderr: String,
}

impl core::fmt::Display for Outcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}, standard error {:?}", self.status, self.stderr)
    }
}

#[track_caller]
fn run(test_name: &str, env: &[(&str, &str)], role: &str, patience: Duration) -> Outcome {
    let binary = std::env::current_exe().expect("the path of the test binary");
    let mut command = Command::new(binary);
    command
        .args([test_name, "--exact", "--nocapture", "--test-threads=1"])
        .envs(env.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
        .env(ROLE, role)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: between fork and exec only `setrlimit` is called, which is safe there.
    unsafe { command.pre_exec(without_core_file) };
    let mut child = command.spawn().expect("the test binary starts again");
    let mut pipe = child.stderr.take().expect("standard error is a pipe");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    });
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the {role} of `{test_name}` was still running after {patience:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let stderr = reader.join().expect("the reader does not panic").expect("standard error can be read");
    let Some((_, stderr)) = stderr.split_once(&format!("{REACHED}\n")) else {
        panic!("no test `{test_name}` was reached in the child ({status}); its standard error: {stderr:?}");
    };
    Outcome { status, stderr: stderr.to_owned() }
}

fn without_core_file() -> std::io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a valid limit for the length of the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Whether `text` is `pattern`, with `{address}` as described at [`expect_death`].
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once("{address}") else { return pattern == text };
    let Some(digits) = text.strip_prefix(before).and_then(|rest| rest.strip_prefix("0x")) else {
        return false;
    };
    let rest = digits.trim_start_matches(|digit: char| matches!(digit, '0'..='9' | 'a'..='f'));
    rest.len() < digits.len() && matches(after, rest)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Role, matches, role, run};

    #[test]
    fn a_hung_child_is_killed() {
        const TEST: &str = "death::tests::a_hung_child_is_killed";
        if role() != Role::Parent {
            // Far longer than the parent waits, and not for ever, should nobody kill it.
            std::thread::sleep(Duration::from_secs(100));
            return;
        }
        let panic = std::panic::catch_unwind(|| run(TEST, &[], "control", Duration::from_millis(500)).status);
        let message = *panic.expect_err("a panic").downcast::<String>().expect("a text");
        assert_eq!(message, format!("the control of `{TEST}` was still running after 500ms"));
    }

    #[test]
    fn patterns_match_addresses_and_nothing_else() {
        assert!(matches("free at {address}: bad", "free at 0x7ff0a: bad"));
        assert!(matches("{address} {address}", "0x1 0xff"));
        assert!(matches("plain", "plain"));
        assert!(!matches("plain", "plain "));
        assert!(!matches("free at {address}: bad", "free at 0x: bad"));
        assert!(!matches("free at {address}: bad", "free at 7ff: bad"));
        assert!(!matches("free at {address}: bad", "free at 0x7FF: bad"));
        assert!(!matches("free at {address}", "free at 0x7ff\nmore"));
    }
}
