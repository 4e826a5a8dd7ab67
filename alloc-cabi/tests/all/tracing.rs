//! Traces of unmodified programs: what they say is what happened, and the programs do what they do untraced.

use crate::support::{STRATEGIES, clean, compile, library, output, run, scratch, under};
use alloc_trace::report::{self, Figure, Snapshot, Symbols};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const MODES: [&str; 4] = ["exact", "aggregate", "sampled", "log"];

/// A folder of a test's own, which is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = scratch().join(format!("traces-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> Snapshot {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if bytes.starts_with(b"strata log") {
        return report::read_log(std::str::from_utf8(&bytes).unwrap()).unwrap();
    }
    report::read_trace(&bytes).unwrap()
}

/// Adds tracing in a mode to a command, each process into a file of its own in `folder`, and counts beside it.
fn traced(command: &mut Command, mode: &str, folder: &Folder) {
    let counter = compile("counter.c", "counter.so", &["-fno-builtin", "-shared", "-fPIC"]);
    let preload = format!("{}:{}", counter.display(), library().display());
    let rate = if mode == "sampled" { ",rate=1" } else { "" };
    let trace = format!("{mode}:{}/%p.strata{rate}", folder.0.display());
    command.env("LD_PRELOAD", preload).env("COUNTER_FOLDER", &folder.0).env("STRATA_TRACE", trace);
}

/// Compares the trace of each process that ended by itself with the counts beside it; how many there were.
fn compare(mode: &str, folder: &Folder, context: &str) -> usize {
    let mut processes = 0;
    for entry in fs::read_dir(&folder.0).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let Some(process) = name.strip_prefix("counts.") else { continue };
        processes += 1;
        let text = fs::read_to_string(entry.path()).unwrap();
        let counts: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [allocs, frees, bytes] = counts[..] else { panic!("{text}") };
        let snapshot = read(&folder.file(&format!("{process}.strata")));
        let (totals, problems) = (&snapshot.totals, &snapshot.problems);
        let context =
            format!("{context}, {mode}, process {process}: {totals:?} {problems:?}, counted {text}");
        assert!(mode == "log" || !problems.unfinished, "{context}");
        assert_eq!(problems.damaged_blocks + problems.cut_bytes, 0, "{context}");
        let found = [totals.allocs, totals.frees + problems.unknown_frees, totals.alloc_bytes];
        if mode == "sampled" {
            // With a byte between samples, only blocks of a few bytes can be missed, and others stand for them.
            for (found, counted) in found.into_iter().zip([allocs, frees, bytes]) {
                let difference = found.abs_diff(counted);
                assert!(difference <= 50 + counted / 20, "{found} is not {counted}: {context}");
            }
        } else {
            assert_eq!(found, [allocs, frees, bytes], "{context}");
        }
    }
    processes
}

/// A library that may be loaded and unloaded.
fn plugin() -> PathBuf {
    compile("plugin.c", "plugin.so", &["-fno-builtin", "-shared", "-fPIC"])
}

/// Runs a program under a strategy untraced, and traced in every mode: it must do the same, and the traces must be exact.
fn same_and_exact(strategy: &str, program: &Path, arguments: &[&Path]) {
    same_and_exact_in(&MODES, strategy, program, arguments);
}

fn same_and_exact_in(modes: &[&str], strategy: &str, program: &Path, arguments: &[&Path]) {
    let plain = output(under(strategy, program).args(arguments));
    for mode in modes {
        let folder = Folder::new();
        let mut command = under(strategy, program);
        traced(command.args(arguments), mode, &folder);
        let context = format!("{} under {strategy}", program.display());
        assert_eq!(output(&mut command), plain, "{context}, {mode}");
        assert!(compare(mode, &folder, &context) > 0, "{context}, {mode}: nothing was counted");
    }
}

#[test]
fn c_programs_with_threads_are_traced_exactly() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        same_and_exact(strategy, &program, &[]);
    }
}

#[test]
fn threads_that_hand_blocks_over_are_traced_exactly() {
    let program = compile("threads.c", "threads", &["-fno-builtin"]);
    same_and_exact_in(&["exact", "aggregate", "sampled"], "ptmalloc", &program, &[]);
}

#[test]
fn every_form_of_new_and_delete_is_traced_exactly() {
    let program = compile("cxx.cpp", "cxx-traced", &["-fno-builtin", "-fsized-deallocation"]);
    same_and_exact("ptmalloc", &program, &[]);
}

/// It calls functions that the counter does not know, such as glibc's inner ones.
#[test]
fn the_edges_of_the_interface_are_the_same_traced() {
    let program = compile("edges.c", "edges-traced", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        for mode in MODES {
            let folder = Folder::new();
            let place = format!("{mode}:{}", folder.file("trace").display());
            assert_eq!(
                output(under(strategy, &program).env("STRATA_TRACE", place)),
                "ok\n",
                "{strategy}, {mode}"
            );
            assert!(!read(&folder.file("trace")).problems.unfinished || mode == "log");
        }
    }
}

#[test]
fn requests_before_main_and_after_it_are_traced_exactly() {
    let program = compile("early.c", "early-traced", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        same_and_exact(strategy, &program, &[&plugin()]);
    }
}

#[test]
fn cxx_programs_that_throw_load_and_fork_are_traced_exactly() {
    let program = compile("traced.cpp", "traced", &[]);
    for strategy in ["ptmalloc", "freelist", "libc"] {
        same_and_exact(strategy, &program, &[&plugin()]);
    }
}

#[test]
fn rust_programs_are_traced_exactly() {
    let program = scratch().join(format!("traced-rust-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rust/traced.rs");
    let status = Command::new("rustc")
        .args(["--edition=2024", "-O", "-o"])
        .arg(&program)
        .arg(source)
        .status()
        .unwrap();
    assert!(status.success());
    for strategy in ["ptmalloc", "freelist"] {
        same_and_exact(strategy, &program, &[&plugin()]);
    }
    fs::remove_file(program).unwrap();
}

#[test]
fn python_programs_are_traced_exactly() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/traced.py");
    let python = output(clean(Path::new("python3")).args(["-c", "import sys; print(sys.executable)"]));
    for strategy in ["ptmalloc", "libc"] {
        same_and_exact(strategy, Path::new(python.trim()), &[&script, &plugin()]);
    }
}

#[test]
fn a_trace_has_what_the_program_says_it_did() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    for mode in ["exact", "log"] {
        let folder = Folder::new();
        let file = folder.file("own.strata");
        let mut command = under("ptmalloc", &program);
        let said = output(command.env("STRATA_TRACE", format!("{mode}:{}", file.display())));
        let snapshot = read(&file);
        assert_eq!(said.lines().count(), 4);
        for line in said.lines() {
            let (blocks, rest) = line.split_once(" blocks of ").unwrap();
            let size: u64 = rest.strip_suffix(" bytes").unwrap().parse().unwrap();
            let count = |alloc| {
                snapshot.changes.iter().filter(|change| change.size == size && change.alloc == alloc).count()
            };
            assert_eq!((count(true).to_string(), count(false).to_string()), (blocks.into(), blocks.into()));
        }
    }
}

/// What samples at a rate may miss an exact trace of the same events by, blocks and bytes: eight of the deviations that the
/// mathematics state (`alloc-trace/src/maths.rs`), which chance never reaches, where they are of some hundred samples.
fn eight_deviations(exact: &Snapshot, rate: u64) -> [f64; 2] {
    let mut variance = [0.0; 2];
    for change in exact.changes.iter().filter(|change| change.alloc) {
        let size = change.size as f64;
        let missed = (-size / rate as f64).exp();
        variance[0] += missed / (1.0 - missed);
        variance[1] += size * size * missed / (1.0 - missed);
    }
    variance.map(|variance: f64| 8.0 * variance.sqrt())
}

#[test]
fn samples_of_whole_programs_stay_within_their_stated_error() {
    let program = compile("traced.cpp", "traced", &[]);
    let trace = |mode: &str, options: &str| {
        let folder = Folder::new();
        let file = folder.file("trace");
        let mut command = under("ptmalloc", &program);
        command.arg(plugin()).env("STRATA_TRACE", format!("{mode}:{}{options}", file.display()));
        output(&mut command);
        read(&file)
    };
    let exact = trace("exact", "");
    let truth = [exact.totals.allocs as f64, exact.totals.alloc_bytes as f64];
    for rate in [128, 512, 2048] {
        let sampled = trace("sampled", &format!(",rate={rate}"));
        assert_eq!(sampled.rate, rate);
        let found = [sampled.totals.allocs as f64, sampled.totals.alloc_bytes as f64];
        let bounds = eight_deviations(&exact, rate);
        for ((found, truth), bound) in found.into_iter().zip(truth).zip(bounds) {
            assert!(bound < truth / 2.0, "rate {rate}: {bound} of {truth} proves nothing");
            assert!((found - truth).abs() <= bound, "rate {rate}: {found} is not {truth} within {bound}");
        }
    }
}

/// The same program does the same in every run: so must the modes, and the library's own counters of calls, which know
/// nothing of traces.
#[test]
fn all_modes_and_the_counters_agree_on_one_program() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/traced.py");
    let python = output(clean(Path::new("python3")).args(["-c", "import sys; print(sys.executable)"]));
    let plugin = plugin();
    let own = compile("own.c", "own", &["-fno-builtin"]);
    let cases: [(&Path, Vec<&Path>); 2] =
        [(&own, vec![]), (Path::new(python.trim()), vec![&script, &plugin])];
    for (program, arguments) in cases {
        let mut totals = Vec::new();
        for mode in ["exact", "aggregate", "log"] {
            let folder = Folder::new();
            let mut command = under("ptmalloc", program);
            command.args(&arguments).env("PYTHONHASHSEED", "0").env("PYTHONMALLOC", "malloc");
            command.env("STRATA_TRACE", format!("{mode}:{}/%p.strata", folder.0.display()));
            command.env("STRATA_CONF", "count_calls:1").env("STRATA_STATS", folder.file("stats"));
            output(&mut command);
            let stats = fs::read_to_string(folder.file("stats")).unwrap();
            let mut compared = 0;
            for line in stats.lines() {
                let number = |key: &str| -> u64 {
                    let (_, rest) =
                        line.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key}: {line}"));
                    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
                };
                let file = folder.file(&format!("{}.strata", number("pid")));
                // Children of forks have none.
                if !file.exists() {
                    continue;
                }
                let snapshot = read(&file);
                let found = &snapshot.totals;
                let context = format!("{}, {mode}: {found:?}, {line}", program.display());
                assert_eq!(found.allocs, number("allocations") + number("resizes"), "{context}");
                let frees = found.frees + snapshot.problems.unknown_frees;
                assert_eq!(frees, number("frees") + number("resizes"), "{context}");
                // Of resizes the counters know how many there were.
                let all = number("resizes") == 0;
                assert!(!all || found.alloc_bytes == number("asked_for"), "{context}");
                compared += 1;
                if snapshot.command() == program.to_str().unwrap() {
                    totals.push([found.allocs, found.alloc_bytes, found.frees, found.live, found.live_bytes]);
                }
            }
            assert!(compared > 0, "{mode}: nothing was compared: {stats}");
        }
        if program == own {
            assert_eq!(totals, [totals[0]; 3], "{}", program.display());
        }
    }
}

/// The library's own frames say nothing, and it is not what was traced.
#[test]
fn reports_are_of_the_program_and_not_of_the_library() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    let loaded = |line: &str| line.contains("libstrata");
    for mode in MODES {
        let folder = Folder::new();
        let mut command = under("ptmalloc", &program);
        command.env("STRATA_TRACE", format!("{mode}:{},rate=1", folder.file("trace").display()));
        output(&mut command);
        let snapshot = read(&folder.file("trace"));
        assert_eq!(Path::new(snapshot.command()), program, "{mode}");
        assert!(snapshot.modules.iter().any(|module| loaded(&module.path)), "the test proves nothing");
        let mut symbols = Symbols::new();
        assert!(!snapshot.rows.is_empty());
        for &stack in snapshot.rows.keys() {
            let names = symbols.stack(&snapshot, stack);
            let own: Vec<_> = names
                .iter()
                .filter(|(address, _)| {
                    snapshot.module_of(address - 1).is_some_and(|module| loaded(&module.path))
                })
                .collect();
            assert_eq!(own, Vec::<&(u64, report::Name)>::new(), "{mode}");
        }
        let folded = report::folded(&snapshot, &mut symbols, Figure::Allocs);
        assert!(folded.contains("main;"), "{mode}: {folded}");
        for text in [report::json(&snapshot, &mut symbols), report::dhat(&snapshot, &mut symbols)] {
            assert!(text.contains(&format!("\"{}\"", program.display())), "{mode}");
        }
    }
    let said = refused("leaks:fd=2", &[]);
    assert!(said.contains("live: ") && !said.lines().any(loaded), "{said}");
}

#[test]
fn a_killed_process_leaves_a_trace_up_to_its_last_blocks() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    let folder = Folder::new();
    let file = folder.file("killed.strata");
    let output = run(under("ptmalloc", &program).arg("kill").env("STRATA_TRACE", &file));
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    assert!(output.stderr.is_empty());
    let snapshot = read(&file);
    let problems = &snapshot.problems;
    assert!(problems.unfinished && problems.damaged_blocks + problems.cut_bytes == 0, "{problems:?}");
    // The threads had ended, and wrote what they had when they did.
    assert!(snapshot.totals.allocs >= 20_000 && snapshot.totals.frees >= 20_000, "{:?}", snapshot.totals);
}

/// Runs `own` with a trace that cannot be written, and gives what it says on standard error.
fn refused(place: &str, arguments: &[&Path]) -> String {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    let plain = run(under("ptmalloc", &program).args(arguments));
    let output = run(under("ptmalloc", &program).args(arguments).env("STRATA_TRACE", place));
    assert_eq!((output.status, output.stdout), (plain.status, plain.stdout), "{place}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_cannot_be_written_is_one_line_and_the_program_runs_on() {
    let then = "; the program runs untraced\n";
    for mode in ["exact", "aggregate", "log"] {
        assert_eq!(
            refused(&format!("{mode}:/dev/full"), &[]),
            format!("strata: trace: cannot write to /dev/full: no space left on the device{then}")
        );
        assert_eq!(
            refused(&format!("{mode}:fd=77"), &[]),
            format!("strata: trace: cannot write to the descriptor: the descriptor is closed{then}")
        );
        assert_eq!(
            refused(&format!("{mode}:/nonexistent/trace"), &[]),
            format!("strata: trace: cannot write to /nonexistent/trace: no such folder{then}")
        );
        // A folder where nobody may make files, the superuser neither.
        assert_eq!(
            refused(&format!("{mode}:/sys/trace"), &[]),
            format!("strata: trace: cannot write to /sys/trace: permission denied{then}")
        );
    }
    assert_eq!(
        refused("leaks:/dev/full", &[]),
        "strata: trace: cannot write the leak report: no space left on the device\n"
    );
}

#[test]
fn figures_and_maps_that_cannot_be_written_are_one_line_too() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    for (variable, line) in [
        ("STRATA_STATS", "strata: STRATA_STATS: the file cannot be written: no space left on the device\n"),
        ("STRATA_MAP", "strata: trace: cannot draw the map to /dev/full: no space left on the device\n"),
    ] {
        let ran = run(under("ptmalloc", &program).env(variable, "/dev/full"));
        assert!(ran.status.success() && ran.stdout.ends_with(b" bytes\n"), "{variable}");
        assert_eq!(String::from_utf8(ran.stderr).unwrap(), line);
    }
}

/// A pipe that nobody reads, as descriptor 3 of the program, and a limit on the size of files: both come with signals that
/// would end it.
#[test]
fn what_comes_with_a_signal_is_one_line_too() {
    let program = compile("own.c", "own", &["-fno-builtin"]);
    for mode in ["exact", "log"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = under("ptmalloc", &program);
        let number = writer.as_raw_fd();
        let as_three = move || {
            // SAFETY: two numbers; the program that follows has the copy, and default signal handling.
            let copied = unsafe { libc::dup2(number, 3) };
            // SAFETY: a signal's default, as the program would have it from a shell.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            if copied == 3 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: `dup2` and `signal` may be called between fork and exec.
        unsafe { command.pre_exec(as_three) };
        let ran = run(command.env("STRATA_TRACE", format!("{mode}:fd=3")));
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.success(), "{mode}: {}", ran.status);
        let line =
            "strata: trace: cannot write to the descriptor: the reader is gone; the program runs untraced\n";
        assert_eq!(said, line);

        let folder = Folder::new();
        let mut command = under("ptmalloc", &program);
        let limit = || {
            let limit = libc::rlimit { rlim_cur: 100_000, rlim_max: 100_000 };
            // SAFETY: the structure is read during the call.
            match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: `setrlimit` may be called between fork and exec.
        unsafe { command.pre_exec(limit) };
        let ran = run(command.env("STRATA_TRACE", format!("{mode}:{}", folder.file("trace").display())));
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.success() && ran.stdout.ends_with(b" bytes\n"), "{mode}: {}: {said}", ran.status);
        assert!(
            said.ends_with(": the file would be too large; tracing ends, the program goes on\n"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1);
        assert!(read(&folder.file("trace")).totals.allocs > 100);
    }
}

#[test]
fn a_program_that_takes_the_tracers_descriptor_keeps_its_file_clean() {
    for (mode, what) in [("exact", "the trace"), ("log", "the log")] {
        let folder = Folder::new();
        let place = format!("{mode}:{}", folder.file("trace").display());
        let said = refused(&place, &[Path::new("close"), &folder.file("own")]);
        assert_eq!(
            said,
            format!(
                "strata: trace: cannot write {what}: the descriptor is closed; tracing ends, the program goes on\n"
            )
        );
    }
}

/// Programs list their descriptors, and close those that they do not know.
#[test]
fn the_tracers_descriptors_are_out_of_the_way() {
    for (limit, lowest) in [(4096, 1008), (1024, 1008), (256, 240), (64, 48)] {
        let listed = |trace: Option<String>| -> Vec<u32> {
            let mut command = under("ptmalloc", Path::new("/bin/bash"));
            let script = format!("ulimit -n {limit} && exec ls /proc/self/fd");
            command.args(["-c", &script]);
            if let Some(trace) = trace {
                command.env("STRATA_TRACE", trace);
            }
            let mut numbers: Vec<u32> =
                output(&mut command).lines().map(|line| line.parse().unwrap()).collect();
            numbers.sort_unstable();
            numbers
        };
        let plain = listed(None);
        for mode in ["exact", "log", "leaks", "aggregate"] {
            let folder = Folder::new();
            let traced = listed(Some(format!("{mode}:{}", folder.file("%p.trace").display())));
            let more: Vec<u32> = traced.iter().copied().filter(|number| !plain.contains(number)).collect();
            assert!(plain.iter().all(|number| traced.contains(number)), "{plain:?} {traced:?}");
            assert_eq!(more, [lowest], "{mode}, {limit}: {plain:?} {traced:?}");
        }
    }
}

#[test]
fn forks_while_threads_allocate_are_traced_without_deadlock() {
    let program = compile("forks.c", "forks", &["-fno-builtin"]);
    for (strategy, mode) in
        [("ptmalloc", "exact"), ("freelist", "aggregate"), ("ptmalloc", "sampled"), ("ptmalloc", "log")]
    {
        let folder = Folder::new();
        let mut command = under(strategy, &program);
        traced(&mut command, mode, &folder);
        assert_eq!(output(&mut command), "ok\n", "{strategy}, {mode}");
        assert!(compare(mode, &folder, "forks") > 0, "{strategy}, {mode}");
    }
}

#[test]
fn signal_handlers_that_interrupt_the_tracer_are_served() {
    let program = compile("signals.c", "signals", &["-fno-builtin"]);
    for (strategy, mode) in [
        ("freelist", "exact"),
        ("freelist", "aggregate"),
        ("freelist", "sampled"),
        ("mem_io", "exact"),
        ("bump", "aggregate"),
    ] {
        let folder = Folder::new();
        let mut command = under(strategy, &program);
        command
            .env("STRATA_TRACE", format!("{mode}:{},rate=256", folder.file("trace").display()))
            .env("STRATA_HISTORY", "100");
        assert_eq!(output(&mut command), "ok\n", "{strategy}, {mode}");
        let snapshot = read(&folder.file("trace"));
        assert!(!snapshot.problems.unfinished && snapshot.totals.allocs > 10_000, "{:?}", snapshot.totals);
    }
}

#[test]
fn programs_that_a_traced_one_starts_do_not_write_over_its_trace() {
    let folder = Folder::new();
    let place = folder.file("trace");
    let mut command = under("ptmalloc", Path::new("/bin/bash"));
    command
        .args(["-c", "for i in 1 2 3; do /bin/ls / > /dev/null; done; echo $$"])
        .env("STRATA_TRACE", &place);
    let process: u32 = output(&mut command).trim().parse().unwrap();
    let snapshot = read(&place);
    assert_eq!(snapshot.process, process);
    assert!(!snapshot.problems.unfinished && snapshot.problems.damaged_blocks == 0);
    let others: Vec<PathBuf> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| *path != place)
        .collect();
    assert_eq!(others.len(), 3, "{others:?}");
    for other in others {
        let snapshot = read(&other);
        assert_eq!(other.extension().unwrap().to_str().unwrap(), snapshot.process.to_string());
        assert!(!snapshot.problems.unfinished);
    }
}

/// Their traces are as whole as those of programs that return from `main`, and nothing of what children do so ends them.
#[test]
fn programs_that_end_by_exit_have_whole_traces() {
    let program = compile("leaves.c", "leaves", &["-O1", "-fno-builtin"]);
    for mode in MODES.into_iter().chain(["leaks"]) {
        for way in ["_exit", "_Exit", "handler"] {
            let folder = Folder::new();
            let file = folder.file("trace");
            let rate = if mode == "sampled" { ",rate=1" } else { "" };
            let output = run(under("ptmalloc", &program)
                .arg(way)
                .env("STRATA_TRACE", format!("{mode}:{}{rate}", file.display())));
            let context = format!("{mode}, {way}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(3), "{context}");
            if mode == "leaks" {
                let text = fs::read_to_string(&file).unwrap();
                assert!(text.contains("2000000 bytes") || text.contains("1000000 bytes"), "{context}{text}");
                continue;
            }
            let snapshot = read(&file);
            let (totals, problems) = (&snapshot.totals, &snapshot.problems);
            assert!(mode == "log" || !problems.unfinished, "{context}");
            assert_eq!(problems.damaged_blocks + problems.cut_bytes, 0, "{context}");
            // Its twenty blocks, and what the C library needs.
            assert!(totals.allocs >= 20, "{context}: {totals:?}");
            assert!((2_000_000..2_100_000).contains(&totals.alloc_bytes), "{context}: {totals:?}");
        }
    }
}
