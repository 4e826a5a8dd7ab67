//! Reads a trace or a log and writes a report of it.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use alloc_trace::report::{self, Figure, Snapshot, Symbols};

const USAGE: &str = "usage: strata-trace FORMAT TRACE [-o OUTPUT]

FORMAT is one of
  leaks      blocks never freed, by stack (text)
  folded     stacks and the bytes they have live at the end; folded-allocs, folded-alloc-bytes, folded-live,
             folded-peak: other figures
  dhat       DHAT JSON, for dh_view.html and the Firefox Profiler
  pprof      compressed profile, for pprof, speedscope and Perfetto
  heaptrack  text, for heaptrack_print and heaptrack_gui
  firefox    processed profile, for profiler.firefox.com
  html       a page of its own, with an icicle graph
  json       everything, for programs
or makes another trace of it, which all of these read as well:
  compress   smaller, for keeping
  expand     as it was before compress
TRACE is a file that STRATA_TRACE wrote: a binary trace or a log. Without -o, the report goes to standard output.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), (u8, String)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (format, path, output) = match words[..] {
        ["-h" | "--help"] => {
            println!("{USAGE}");
            return Ok(());
        }
        [format, path] => (format, path, "-"),
        [format, path, "-o", output] | ["-o", output, format, path] => (format, path, output),
        _ => return Err((2, USAGE.into())),
    };
    if let Some(rewrite) = rewriter(format) {
        return rewrite_trace(rewrite, path, output);
    }
    let snapshot = read(path).map_err(|why| (1, format!("strata-trace: {path}: {why}")))?;
    for warning in snapshot.warnings().iter().filter(|_| format != "leaks") {
        eprintln!("strata-trace: {path}: {warning}");
    }
    if !snapshot.knows_peak() && matches!(format, "folded-peak" | "dhat") {
        eprintln!(
            "strata-trace: {path}: counts do not say which stacks were live at the peak; those figures are 0"
        );
    }
    let report = write(format, &snapshot)
        .ok_or_else(|| (2, format!("strata-trace: no format `{format}`\n{USAGE}")))?;
    put(output, &report)
}

type Rewrite = fn(&[u8]) -> Result<Vec<u8>, report::Unreadable>;

fn rewriter(verb: &str) -> Option<Rewrite> {
    match verb {
        "compress" => Some(report::compress),
        "expand" => Some(report::expand),
        _ => None,
    }
}

fn rewrite_trace(rewrite: Rewrite, path: &str, output: &str) -> Result<(), (u8, String)> {
    let name = |why: &dyn core::fmt::Display| (1, format!("strata-trace: {path}: {why}"));
    let bytes = fs::read(path).map_err(|why| name(&why))?;
    put(output, &rewrite(&bytes).map_err(|why| name(&why))?)
}

fn put(output: &str, bytes: &[u8]) -> Result<(), (u8, String)> {
    let written = match output {
        "-" => io::stdout().lock().write_all(bytes),
        file => fs::write(file, bytes),
    };
    match written {
        // The reader had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| (1, format!("strata-trace: {output}: {error}"))),
    }
}

fn read(path: &str) -> Result<Snapshot, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    if bytes.starts_with(b"strata log") {
        return report::read_log(&String::from_utf8_lossy(&bytes)).map_err(|why| why.to_string());
    }
    report::read_trace(&bytes).map_err(|why| why.to_string())
}

fn write(format: &str, snapshot: &Snapshot) -> Option<Vec<u8>> {
    let mut symbols = Symbols::new();
    let mut folded = |figure| report::folded(snapshot, &mut symbols, figure).into_bytes();
    Some(match format {
        "folded" => folded(Figure::LiveBytes),
        "folded-allocs" => folded(Figure::Allocs),
        "folded-alloc-bytes" => folded(Figure::AllocBytes),
        "folded-live" => folded(Figure::Live),
        "folded-peak" => folded(Figure::PeakBytes),
        "leaks" => report::leaks(snapshot, &mut symbols).into_bytes(),
        "dhat" => report::dhat(snapshot, &mut symbols).into_bytes(),
        "pprof" => report::pprof(snapshot, &mut symbols),
        "heaptrack" => report::heaptrack(snapshot, &mut symbols).into_bytes(),
        "firefox" => report::firefox(snapshot, &mut symbols).into_bytes(),
        "html" => report::html(snapshot, &mut symbols).into_bytes(),
        "json" => report::json(snapshot, &mut symbols).into_bytes(),
        _ => return None,
    })
}
