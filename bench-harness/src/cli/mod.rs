//! The command line: verbs, exit statuses, and where each kind of line goes.
//!
//! Data goes to standard output, progress and complaints to standard error. Status 0: all is well. 1: a cell failed, or the
//! doctor's program would not be served. 2: nothing was measured, because the command or what it names cannot be used.

mod args;
mod choose;
mod colour;
mod doctor;
mod library;
mod list;
mod matrix;
mod preloads;
mod progress;
mod rebuild;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Verb};

/// A cell failed, a program would not be served, or something could not be printed.
const FAILED: u8 = 1;

/// The command cannot be carried out.
const USAGE: u8 = 2;

/// Why a command cannot be carried out: one line.
type Refusal = String;

/// Carries out a command line, the program's name included, and returns the exit status.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let typed = args::as_typed(&arguments);
    match cli.verb {
        Verb::Matrix(args) => matrix::run(&args, &typed, &arguments[1..]),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Cell(order) => cell(crate::cell::run(&order)),
        Verb::Serves(preloaded) => cell(crate::cell::serves(&preloaded)),
        Verb::Program(order) => cell(crate::cell::program::run(&order)),
    }
}

fn cell(ran: Result<(), String>) -> ExitCode {
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => complain(FAILED, &reason),
    }
}

/// One line on standard error, and the status to leave with.
fn complain(status: u8, line: &str) -> ExitCode {
    eprintln!("strata: {line}");
    ExitCode::from(status)
}

/// Help and version as clap prints them; of an error its first line and its tip.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return complain(USAGE, "a verb is missing: `matrix` or `doctor`; `--help` shows all");
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or("arguments that cannot be used");
    let what = what.strip_prefix("error: ").unwrap_or(what);
    // Where clap breaks after a colon, the next line belongs to the first one.
    let more = if what.ends_with(':') { lines.next() } else { None };
    let tip = lines.find_map(|line| line.strip_prefix("tip: "));
    let mut line = what.to_owned();
    if let Some(more) = more {
        line.push(' ');
        line.push_str(more);
    }
    if let Some(tip) = tip {
        line.push_str("; ");
        line.push_str(tip);
    }
    line.push_str("; `--help` shows all");
    complain(USAGE, &line)
}

/// Prints data. A reader that went away (`| head`) has what it wanted.
fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(FAILED, &format!("cannot print: {error}")),
    }
}
