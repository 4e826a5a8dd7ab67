//! The verb `matrix`: from the arguments to the report.

use std::ffi::OsString;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::args::MatrixArgs;
use super::{FAILED, Refusal, USAGE, choose, complain, library, list, preloads, print, progress, rebuild};
use crate::contender::Contender;
use crate::inputs;
use crate::names;
use crate::programs;
use crate::report;
use crate::runner::{self, Mode, Settings};
use crate::schema::{Matrix, Status};

/// Lets a debug build measure, for the tests of this program, which are debug builds. Its reports say so.
const ALLOW_DEBUG: &str = "STRATA_TEST_ALLOW_DEBUG";

pub(super) fn run(args: &MatrixArgs, typed: &str, arguments: &[OsString]) -> ExitCode {
    match rebuild::missing(&args.features) {
        Ok(None) => {}
        Ok(Some(features)) => return complain(USAGE, &rebuild::become_cargo(&features, arguments)),
        Err(refusal) => return complain(USAGE, &refusal),
    }
    if args.list {
        return print(&list::text());
    }
    match settings(args, typed) {
        Ok(settings) => measure(args, &settings),
        Err(refusal) => complain(USAGE, &refusal),
    }
}

/// Everything that can be refused is refused here, before the first cell.
fn settings(args: &MatrixArgs, typed: &str) -> Result<Settings, Refusal> {
    if cfg!(debug_assertions) && std::env::var_os(ALLOW_DEBUG).is_none() {
        return Err(
            "a debug build prints no numbers, because they would mean nothing; use `cargo matrix`".to_owned()
        );
    }
    let mode = if args.quick { Mode::Quick } else { Mode::Full };
    let seconds = args.timeout.unwrap_or(if args.quick { 30 } else { 120 });
    let timeout = Duration::from_secs(u64::from(seconds));
    let strategies = choose::strategies(&args.strategies)?;
    let workloads = match (args.only.as_slice(), args.program.is_empty()) {
        ([], false) => Vec::new(),
        (only, _) => choose::workloads(only)?,
    };
    let inputs = inputs::load(&args.input).map_err(|error| error.to_string())?;
    let input_files = args.input.iter().map(|path| match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => Err(format!("the name of the input {} is not UTF-8", path.display())),
    });
    let input_files = input_files.collect::<Result<_, _>>()?;
    let mut built = Library(None);
    let preloads = preloads::rows(&args.preload, &mut || built.path())?;
    let baseline = choose::baseline(&args.baseline, &preloads)?;
    let taken: Vec<&str> = workloads.iter().map(|work| work.name()).collect();
    let programs = programs::find(&args.program, &taken)?;
    let (mut library, mut notes) = (None, Vec::new());
    if !programs.is_empty() {
        choose::under_programs(&baseline)?;
        library = Some(built.path()?);
    }
    writable(&args.output)?;
    for program in &programs {
        eprintln!("  running `{}` twice, to see that it is repeatable", names::plain(&program.command));
        notes.extend(runner::rehearse(program, timeout)?);
    }
    Ok(Settings {
        mode,
        others: strategies.into_iter().map(Contender::linked).chain(preloads).collect(),
        baseline,
        workloads,
        programs,
        library,
        threads: choose::threads(&args.threads),
        rounds: args.rounds.map(usize::from),
        timeout,
        seed: args.seed,
        input_files,
        inputs,
        command: typed.to_owned(),
        notes,
    })
}

/// `libstrata.so`, which is built when the first one asks for it.
struct Library(Option<PathBuf>);

impl Library {
    fn path(&mut self) -> Result<PathBuf, Refusal> {
        if self.0.is_none() {
            self.0 = Some(library::ours()?);
        }
        self.0.clone().ok_or_else(|| "there is no libstrata.so".to_owned())
    }
}

/// Makes the folder for the report and tries to write to it, so that a run is not lost at its end.
fn writable(folder: &Path) -> Result<(), Refusal> {
    let trial = folder.join(format!(".strata-{}", std::process::id()));
    let tried = fs::create_dir_all(folder).and_then(|()| fs::write(&trial, b""));
    tried.map_err(|error| format!("cannot write to the output folder {}: {error}", folder.display()))?;
    // A leftover empty file would do no harm.
    let _ = fs::remove_file(&trial);
    Ok(())
}

fn measure(args: &MatrixArgs, settings: &Settings) -> ExitCode {
    let colour = args.colour.wanted(std::io::stderr().is_terminal());
    let mut progress = progress::new(colour);
    let matrix = runner::run(settings, progress.as_mut());
    drop(progress);

    let written = match report::write_all(&matrix, &args.output) {
        Ok(written) => written,
        Err(error) => return complain(FAILED, &error.to_string()),
    };
    let shown = if args.json {
        match fs::read_to_string(&written.json) {
            Ok(json) => print(&json),
            Err(error) => {
                return complain(FAILED, &format!("cannot read back {}: {error}", written.json.display()));
            }
        }
    } else {
        let terminal = std::io::stdout().is_terminal();
        print(&report::terminal::table(&matrix, width(terminal), args.colour.wanted(terminal)))
    };
    eprint!("{}", report::terminal::closing(&matrix, &written));
    match failures(&matrix) {
        0 => shown,
        1 => complain(FAILED, "1 cell failed"),
        failed => complain(FAILED, &format!("{failed} cells failed")),
    }
}

/// Says one line for each failed cell and returns their number.
fn failures(matrix: &Matrix) -> usize {
    let failed = matrix.cells.iter().filter(|cell| cell.status == Status::Failed);
    failed
        .inspect(|cell| {
            let threads = match cell.threads {
                // A program has as many as it likes.
                0 => String::new(),
                1 => " / 1 thread".to_owned(),
                threads => format!(" / {threads} threads"),
            };
            eprintln!("strata: failed: {} / {}{threads}: {}", cell.strategy, cell.workload, cell.reason);
        })
        .count()
}

/// Columns of the terminal that the table goes to; 0, which is no limit, when it goes elsewhere.
fn width(terminal: bool) -> usize {
    if !terminal {
        return 0;
    }
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request writes one `winsize`, for which there is room.
    let failed = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if failed == 0 { usize::from(size.ws_col) } else { 80 }
}
