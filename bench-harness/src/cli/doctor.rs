//! The verb `doctor`: of the machine, or of one program.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use strata_preload::{Reason, Verdict, examine, find_program};

use super::args::DoctorArgs;
use super::{FAILED, USAGE, complain, print};
use crate::doctor;
use crate::names::plain;

/// What would happen to a program under `libstrata.so`: the `--json` form of the verb with a program.
#[derive(Debug, Serialize)]
struct Examined {
    /// The version of this shape.
    schema: u32,
    /// The program's file.
    program: String,
    /// Whether the library would serve it.
    served: bool,
    /// Why it would not; empty when it would.
    reason: String,
}

pub(super) fn run(args: &DoctorArgs) -> ExitCode {
    match &args.program {
        Some(program) => of_program(program, args.json),
        None => of_machine(args),
    }
}

fn of_machine(args: &DoctorArgs) -> ExitCode {
    let diagnosis = doctor::examine();
    if args.json {
        return json(&diagnosis);
    }
    print(&doctor::text(&diagnosis.findings, args.colour.wanted(std::io::stdout().is_terminal())))
}

fn of_program(name: &Path, as_json: bool) -> ExitCode {
    let shown = plain(&name.to_string_lossy());
    let Some(file) = find_program(name) else {
        return complain(USAGE, &format!("there is no program `{shown}` in PATH"));
    };
    let reason = match examine(&file) {
        Ok(Verdict::Served) => None,
        Ok(Verdict::Refused(reason @ (Reason::NotElf | Reason::OtherMachine))) => {
            return complain(USAGE, &format!("cannot examine {}: {reason}", plain(&file.to_string_lossy())));
        }
        Ok(Verdict::Refused(reason)) => Some(reason.to_string()),
        Err(error) => {
            return complain(USAGE, &format!("cannot examine {}: {error}", plain(&file.to_string_lossy())));
        }
    };
    let program = plain(&file.to_string_lossy());
    let served = reason.is_none();
    let printed = if as_json {
        json(&Examined { schema: 1, program, served, reason: reason.unwrap_or_default() })
    } else {
        print(&match reason {
            None => format!("{program}: libstrata.so would serve everything that it asks of malloc\n"),
            Some(reason) => {
                format!("{program}: would run on its own allocator under libstrata.so: {reason}\n")
            }
        })
    };
    if served { printed } else { ExitCode::from(FAILED) }
}

fn json<T: Serialize>(value: &T) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(json) => print(&(json + "\n")),
        Err(error) => complain(FAILED, &error.to_string()),
    }
}
