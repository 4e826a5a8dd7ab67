//! One cell in a process of its own: start it, wait with a limit, and say in one line what went wrong.

#![forbid(unsafe_code)]

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::launch::{CLEARED, Launch};
use super::timeline::{TICK, Timeline};
use crate::cell::Answer;
use crate::machine;

/// How one run of a cell ended.
pub(super) struct Cell {
    pub(super) answer: Result<Answer, String>,
    /// From start to end of the process.
    pub(super) wall: Duration,
}

/// Runs a cell. With a timeline, the process is sampled while it runs.
pub(super) fn run(
    program: &Path,
    launch: &Launch,
    timeout: Duration,
    timeline: Option<&mut Timeline>,
) -> Cell {
    let start = Instant::now();
    let mut command = Command::new(program);
    for name in CLEARED {
        command.env_remove(name);
    }
    command
        .arg0("strata")
        .args(&launch.arguments)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        // What it starts itself ends with it.
        .process_group(0)
        // A panic's message shall be the last line.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let answer = match command.spawn() {
        Ok(child) => wait(child, start, timeout, launch.by_child, timeline),
        Err(error) => Err(format!("cannot start a process: {error}")),
    };
    Cell { answer, wall: start.elapsed() }
}

fn wait(
    mut child: Child,
    start: Instant,
    timeout: Duration,
    by_child: bool,
    mut timeline: Option<&mut Timeline>,
) -> Result<Answer, String> {
    // Nothing is ever sent: the channel is closed once both streams have ended, which is when the process has.
    let (open, ended) = mpsc::channel::<()>();
    let output = child.stdout.take().map(|stream| drain(stream, open.clone()));
    let errors = child.stderr.take().map(|stream| drain(stream, open));
    let mut timed_out = false;
    // When a program was first seen: what started it is no part of its time.
    let mut begun = None;
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        let step = if timeline.is_some() { left.min(TICK) } else { left };
        match ended.recv_timeout(step) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(timeline) = &mut timeline {
            let process = if by_child { machine::program_of(child.id()) } else { Some(child.id()) };
            if let Some(process) = process {
                let begun = *begun.get_or_insert(if by_child { start.elapsed() } else { Duration::ZERO });
                timeline.look(process, start.elapsed().saturating_sub(begun));
            }
        }
        if start.elapsed() >= timeout {
            timed_out = true;
            break;
        }
    }
    if timed_out {
        machine::kill_group(child.id());
    }
    let status = child.wait().map_err(|error| format!("cannot wait for the process: {error}"))?;
    let text = |stream: Option<JoinHandle<String>>| stream.and_then(|stream| stream.join().ok());
    let output = text(output).unwrap_or_default();
    let errors = text(errors).unwrap_or_default();
    if timed_out {
        return Err(format!("no answer after {:.1} s, killed", timeout.as_secs_f64()));
    }
    judge(status, &output, &errors)
}

/// Reads a stream to its end. Dropping `open` afterwards tells the waiting side.
fn drain(mut stream: impl Read + Send + 'static, open: mpsc::Sender<()>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = stream.read_to_end(&mut bytes);
        drop(open);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn judge(status: ExitStatus, output: &str, errors: &str) -> Result<Answer, String> {
    let said = last_line(errors);
    let with = |reason: String| if said.is_empty() { reason } else { format!("{reason}: {said}") };
    if let Some(signal) = status.signal() {
        return Err(with(format!("killed by signal {signal} ({})", signal_name(signal))));
    }
    match status.code() {
        Some(0) => {}
        // The cell's own way to fail: its line says all.
        Some(1) if !said.is_empty() => return Err(with_loader(said, errors)),
        code => return Err(with(format!("exit status {}", code.unwrap_or(-1)))),
    }
    let line = output.lines().last().unwrap_or_default();
    if line.is_empty() {
        return Err(with("ended without an answer".to_owned()));
    }
    serde_json::from_str(line).map_err(|error| format!("gave an answer that cannot be read: {error}"))
}

/// The cell's line, with what the loader said about a library that it could not preload.
fn with_loader(said: &str, errors: &str) -> String {
    match errors.lines().find_map(|line| line.strip_prefix("ERROR: ld.so: ")) {
        Some(loader) => format!("{said}; the loader says: {loader}"),
        None => said.to_owned(),
    }
}

/// The last line that says something.
fn last_line(errors: &str) -> &str {
    let says = |line: &&str| !line.is_empty() && !line.starts_with("note: ");
    let line = errors.lines().rev().map(str::trim).find(says).unwrap_or_default();
    line.strip_prefix("strata: ").unwrap_or(line)
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSYS => "SIGSYS",
        _ => "no common one",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(wait: i32) -> ExitStatus {
        ExitStatus::from_raw(wait)
    }

    const ANSWER: &str = r#"{"operations":10,"elapsed_ns":100,"checksum":7,"cpu_ns":90,"peak_rss_kib":1,"minor_faults":2,"proof":"p"}"#;

    #[test]
    fn an_answer_is_read() {
        let answer = judge(status(0), ANSWER, "a warning\n").unwrap();
        assert_eq!((answer.operations, answer.checksum), (10, 7));
    }

    #[test]
    fn every_way_to_fail_has_its_line() {
        let reason = |wait, output, errors| judge(status(wait), output, errors).unwrap_err();
        assert_eq!(reason(11, "", ""), "killed by signal 11 (SIGSEGV)");
        assert_eq!(
            reason(6, "", "memory allocation of 64 bytes failed\n"),
            "killed by signal 6 (SIGABRT): memory allocation of 64 bytes failed"
        );
        assert_eq!(reason(1 << 8, "", "strata: allocator not proved: x\n"), "allocator not proved: x");
        assert_eq!(
            reason(
                1 << 8,
                "",
                "ERROR: ld.so: object 'x' cannot be preloaded: ignored.\nstrata: not proved\n"
            ),
            "not proved; the loader says: object 'x' cannot be preloaded: ignored."
        );
        assert_eq!(reason(1 << 8, "", ""), "exit status 1");
        assert_eq!(
            reason(
                101 << 8,
                "",
                "thread 'main' panicked at x.rs:1:\nbroken\nnote: run with `RUST_BACKTRACE=1`\n"
            ),
            "exit status 101: broken"
        );
        assert_eq!(reason(0, "", ""), "ended without an answer");
        assert!(reason(0, "gibberish\n", "").starts_with("gave an answer that cannot be read: "));
    }

    fn launch() -> Launch {
        Launch { arguments: vec!["cell".to_owned()], environment: Vec::new(), by_child: false }
    }

    #[test]
    fn a_program_that_is_not_there_fails() {
        let cell = run(Path::new("/no/such/program"), &launch(), Duration::from_secs(1), None);
        assert!(cell.answer.unwrap_err().starts_with("cannot start a process: "));
    }

    #[test]
    fn a_program_that_says_nothing_fails() {
        let cell = run(Path::new("/bin/true"), &launch(), Duration::from_secs(10), None);
        assert_eq!(cell.answer.unwrap_err(), "ended without an answer");
    }
}
