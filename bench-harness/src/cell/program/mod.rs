//! The child side of a program as a workload: one process that runs the program once and prints what it measured.
//!
//! ```text
//! harness ─► this process ─► the program, traced: stopped when its file is loaded (the clock starts), stopped at its end
//!                            (what was mapped is the proof), then waited for (time, memory, faults)
//! ```
//!
//! The program is this process's child, and not the harness's, because the kernel counts the memory of the process that
//! forks as a part of its child's highest resident set: this one is small.

mod digest;
mod errors;
mod order;
mod proof;
mod trace;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

pub use order::ProgramOrder;

use super::Answer;
use digest::Digest;
use errors::Errors;
use proof::Figures;

/// Runs the program and prints the [`Answer`] as one line.
///
/// # Errors
/// One line on what went wrong: a program that cannot be started or traced, an allocator that could not be proved.
pub fn run(order: &ProgramOrder) -> Result<(), String> {
    // SAFETY: takes no pointers. This process shall not outlive the harness that waits for it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    super::print(&answer(order)?)
}

fn answer(order: &ProgramOrder) -> Result<Answer, String> {
    let figures = if order.figures { Some(Figures::asked()?) } else { None };
    let mut command = command(order)?;
    if let Some(figures) = &figures {
        command.env("STRATA_STATS", figures.path()).env("STRATA_VERBOSE", "1");
    }
    let traced = trace::Traced::start(&mut command)?;
    let (mut child, begun) = (traced.child, traced.begun);
    let output = child.stdout.take().map(|stream| thread::spawn(move || Digest::of(stream)));
    let errors = child.stderr.take().map(|stream| thread::spawn(move || Errors::of(stream)));
    let end = begun.follow()?;

    let output =
        output.map_or(Ok(Digest::default()), join).map_err(|error| format!("its output: {error}"))?;
    let errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let told = |reason: String| {
        let said = errors.last_line().map_or_else(String::new, |line| format!("; it said: {line}"));
        format!("allocator not proved: {reason}{said}")
    };
    let mut proof = proof::mapped(order.preloaded.as_ref(), end.maps.as_deref()).map_err(told)?;
    if let (Some(figures), Some(preloaded)) = (&figures, &order.preloaded) {
        let strategy = preloaded.strategy.as_deref().unwrap_or_default();
        proof = figures.prove(end.process, strategy, errors.first_line()).map_err(told)?;
    }
    let ended = format!("{} and {} of output", end.status, output.size());
    Ok(Answer {
        operations: 1,
        elapsed_ns: u64::try_from(end.elapsed.as_nanos()).unwrap_or(u64::MAX),
        checksum: output.with(&end.status),
        cpu_ns: end.usage.cpu_ns,
        peak_rss_kib: end.usage.peak_rss_kib,
        minor_faults: end.usage.minor_faults,
        proof,
        ended,
    })
}

fn command(order: &ProgramOrder) -> Result<Command, String> {
    let (file, arguments) = order.words.split_first().ok_or("no program was named")?;
    let mut command = Command::new(file);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in order::CLEARED {
        command.env_remove(name);
    }
    for variable in &order.variables {
        let (name, value) = variable.split_once('=').ok_or("a variable has no value")?;
        command.env(name, value);
    }
    let limit = order.memory_limit;
    // SAFETY: what runs between fork and exec makes system calls only.
    unsafe { command.pre_exec(move || trace::before_exec(limit)) };
    Ok(command)
}

fn join(thread: JoinHandle<std::io::Result<Digest>>) -> std::io::Result<Digest> {
    thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the reading thread panicked")))
}
