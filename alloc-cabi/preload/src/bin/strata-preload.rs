//! `strata-preload [--library FILE] [--strategy NAME] PROGRAM [ARGUMENT...]`: runs a program under `libstrata.so`, or, with one line
//! that says why not, on its own allocator.
//!
//! The library is the one that `--library` names, or `libstrata.so` beside this program.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use strata_preload::{Verdict, examine, find_program};

const USAGE: &str = "usage: strata-preload [--library FILE] [--strategy NAME] [--check] PROGRAM [ARGUMENT...]\n\
     Runs PROGRAM under libstrata.so. With --check, says whether it would be served, and does not run it.";

/// What was asked for.
struct Asked {
    library: Option<PathBuf>,
    strategy: Option<OsString>,
    check: bool,
    program: PathBuf,
    arguments: Vec<OsString>,
}

fn asked() -> Option<Asked> {
    let mut rest = env::args_os().skip(1);
    let (mut library, mut strategy, mut check) = (None, None, false);
    loop {
        let word = rest.next()?;
        match word.to_str() {
            Some("--library") => library = Some(rest.next()?.into()),
            Some("--strategy") => strategy = Some(rest.next()?),
            Some("--check") => check = true,
            Some(option) if option.starts_with('-') => return None,
            _ => {
                return Some(Asked {
                    library,
                    strategy,
                    check,
                    program: word.into(),
                    arguments: rest.collect(),
                });
            }
        }
    }
}

/// Why the program cannot be served, or the library that will serve it.
fn library_for(asked: &Asked) -> Result<PathBuf, String> {
    let beside = || Some(env::current_exe().ok()?.with_file_name("libstrata.so"));
    let library = asked.library.clone().or_else(beside).ok_or("the library is nowhere to be found")?;
    if !library.is_file() {
        return Err(format!("the library {} does not exist; give --library", library.display()));
    }
    let library = library.canonicalize().map_err(|error| format!("{}: {error}", library.display()))?;
    // The loader takes both for separators.
    if library.as_os_str().as_encoded_bytes().iter().any(|byte| b" :".contains(byte)) {
        return Err(format!("the library's path {} has a space or a colon in it", library.display()));
    }
    let program = find_program(&asked.program).ok_or("there is no such program")?;
    match examine(&program) {
        Ok(Verdict::Served) => Ok(library),
        Ok(Verdict::Refused(reason)) => Err(reason.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn preload(library: &Path) -> OsString {
    let mut all = library.as_os_str().to_owned();
    if let Some(others) = env::var_os("LD_PRELOAD").filter(|others| !others.is_empty()) {
        all.push(":");
        all.push(others);
    }
    all
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let library = library_for(&asked);
    if asked.check {
        return match library {
            Ok(_) => {
                println!("{}: served", asked.program.display());
                ExitCode::SUCCESS
            }
            Err(reason) => {
                println!("{}: not served: {reason}", asked.program.display());
                ExitCode::FAILURE
            }
        };
    }
    let mut command = Command::new(&asked.program);
    command.args(&asked.arguments);
    match library {
        Ok(library) => {
            command.env("LD_PRELOAD", preload(&library));
            if let Some(strategy) = &asked.strategy {
                command.env("STRATA_STRATEGY", strategy);
            }
        }
        Err(reason) => {
            eprintln!("strata-preload: {}: {reason}; it runs on its own allocator", asked.program.display());
        }
    }
    let error = command.exec();
    eprintln!("strata-preload: {}: {error}", asked.program.display());
    ExitCode::from(127)
}
