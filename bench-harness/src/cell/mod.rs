//! The child side: one process that runs one workload once, on one strategy, and prints what it measured.
//!
//! ```text
//! loader ─► switch::choose ─► main ─► prove (which allocator is this?) ─► workload ─► one line of JSON on stdout
//! ```
//!
//! Everything else it has to say goes to standard error, of which the parent shows the last line when the cell fails.

mod faults;
mod order;
mod preloaded;
pub mod program;
mod proof;

use std::io::Write;
use std::path::PathBuf;

pub use order::{Answer, Order, Preloaded};

use crate::{inputs, machine, registry, switch, workload};

/// Shows that a preloaded library serves this process and prints an [`Answer`] with that alone in it.
///
/// # Errors
/// One line on why it was not shown.
pub fn serves(preloaded: &Preloaded) -> Result<(), String> {
    let sizes = [&proof::BEFORE[..], &proof::AFTER].concat();
    let proof = preloaded::prove(preloaded, &sizes, proof::from_global)
        .map_err(|reason| format!("allocator not proved: {reason}"))?;
    print(&Answer { proof, ..Answer::default() })
}

/// Does what the order says and prints the [`Answer`] as one line.
///
/// # Errors
/// One line on what went wrong: an unknown name, an unreadable input, an allocator that could not be proved, a closed
/// standard output.
pub fn run(order: &Order) -> Result<(), String> {
    // SAFETY: takes no pointers. The cell shall not outlive the harness that waits for it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // Under a preloaded library, requests must go where the C library's would.
    let strategy = if order.preloaded.is_some() { registry::BASELINE } else { &order.strategy };
    let entry = switch::chosen().filter(|entry| entry.name == strategy);
    let entry =
        entry.ok_or_else(|| format!("allocator not proved: this process was not started on `{strategy}`"))?;
    let work = workload::catalogue().iter().find(|work| work.name() == order.workload);
    let work = work.ok_or_else(|| format!("there is no workload `{}`", order.workload))?;
    let paths: Vec<PathBuf> = order.inputs.iter().map(PathBuf::from).collect();
    let inputs = inputs::load(&paths).map_err(|error| error.to_string())?;

    let fault = faults::wanted(order);
    let prove = |sizes: &[usize], astray| {
        let blocks = if fault == Some(astray) { proof::from_system } else { proof::from_global };
        let proof = match &order.preloaded {
            Some(preloaded) => preloaded::prove(preloaded, sizes, blocks),
            None => proof::prove(entry, sizes, blocks),
        };
        proof.map_err(|reason| format!("allocator not proved: {reason}"))
    };
    let proof = prove(&proof::BEFORE, faults::Fault::Unproved)?;
    if let Some(fault) = fault {
        faults::before_work(fault)?;
    }

    let job = order.job(&inputs);
    let outcome = work.run(&job);

    let usage = machine::Usage::own();
    let peak_rss_kib = machine::peak_rss_kib();
    // All figures are read: what this takes is in none of them.
    prove(&proof::AFTER, faults::Fault::UnprovedAtLast)?;
    let answer = Answer {
        operations: outcome.operations,
        elapsed_ns: u64::try_from(outcome.elapsed.as_nanos()).unwrap_or(u64::MAX),
        checksum: if fault == Some(faults::Fault::Wrong) { !outcome.checksum } else { outcome.checksum },
        cpu_ns: usage.cpu_ns,
        peak_rss_kib: peak_rss_kib.ok_or("cannot read the peak resident set from /proc/self/status")?,
        minor_faults: usage.minor_faults,
        proof,
        ended: String::new(),
    };
    if fault == Some(faults::Fault::Silent) {
        return Ok(());
    }
    print(&answer)
}

fn print(answer: &Answer) -> Result<(), String> {
    let line = serde_json::to_string(answer).map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{line}").map_err(|error| format!("cannot print the answer: {error}"))
}
