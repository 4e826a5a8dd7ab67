//! Exports agree with the snapshot, and with each other.

use std::fs;
use std::process::Command;

use alloc_trace::report::{self, Figure, Snapshot, Symbols};
use serde_json::Value;

use crate::child::{Run, run, run_in};

fn sum(value: &Value, key: &str) -> u64 {
    value.as_array().unwrap().iter().map(|point| point[key].as_u64().unwrap()).sum()
}

fn traced() -> (Run, Snapshot) {
    let run = run("threads");
    let snapshot = run.snapshot();
    (run, snapshot)
}

#[test]
fn folded_stacks_add_up() {
    let (_run, snapshot) = traced();
    let mut symbols = Symbols::new();
    let totals = &snapshot.totals;
    for (figure, total) in [
        (Figure::Allocs, totals.allocs),
        (Figure::AllocBytes, totals.alloc_bytes),
        (Figure::LiveBytes, totals.live_bytes),
        (Figure::PeakBytes, totals.peak_bytes),
    ] {
        let text = report::folded(&snapshot, &mut symbols, figure);
        let counts: u64 =
            text.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
        assert_eq!(counts, total, "{figure:?}");
    }
    let text = report::folded(&snapshot, &mut symbols, Figure::Allocs);
    assert!(text.lines().any(|line| line.contains("child::threads")), "{text}");
}

#[test]
fn dhat_has_its_schema_and_the_totals() {
    let (_run, snapshot) = traced();
    let value: Value = serde_json::from_str(&report::dhat(&snapshot, &mut Symbols::new())).unwrap();
    assert_eq!(value["dhatFileVersion"], 2);
    for key in ["mode", "verb", "tu", "Mtu", "cmd"] {
        assert!(value[key].is_string(), "{key}");
    }
    assert_eq!((&value["bklt"], &value["bkacc"]), (&Value::Bool(true), &Value::Bool(false)));
    let (points, totals) = (&value["pps"], &snapshot.totals);
    assert_eq!(sum(points, "tb"), totals.alloc_bytes);
    assert_eq!(sum(points, "tbk"), totals.allocs);
    assert_eq!(sum(points, "gb"), totals.peak_bytes);
    assert_eq!(sum(points, "gbk"), totals.peak_blocks);
    assert_eq!(sum(points, "eb"), totals.live_bytes);
    let table = value["ftbl"].as_array().unwrap();
    for point in points.as_array().unwrap() {
        assert!(point["mb"].as_u64() >= point["gb"].as_u64() && point["mb"].as_u64() >= point["eb"].as_u64());
        for frame in point["fs"].as_array().unwrap() {
            assert!((frame.as_u64().unwrap() as usize) < table.len());
        }
    }
}

#[test]
fn json_and_page_hold_the_same() {
    let (_run, snapshot) = traced();
    let mut symbols = Symbols::new();
    let text = report::json(&snapshot, &mut symbols);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], 1);
    assert_eq!(sum(&value["stacks"], "alloc_bytes"), value["totals"]["alloc_bytes"].as_u64().unwrap());
    let page = report::html(&snapshot, &mut symbols);
    assert!(page.contains(text.trim_end()), "the page's data are not the JSON");
    assert!(!page.contains("/*DATA*/") && !page.contains("/*LINE*/") && !page.contains("http"));
}

#[test]
fn counts_by_stack_do_not_pretend_to_know_the_peak() {
    let snapshot = run_in("aggregate:", "threads").snapshot();
    let mut symbols = Symbols::new();
    let value: Value = serde_json::from_str(&report::json(&snapshot, &mut symbols)).unwrap();
    assert_eq!(value["knows_peak"], false);
    assert!(sum(&value["stacks"], "max_bytes") >= snapshot.totals.peak_bytes);
    let (_run, exact) = traced();
    let value: Value = serde_json::from_str(&report::json(&exact, &mut symbols)).unwrap();
    assert_eq!((&value["knows_peak"], &value["process"]), (&Value::Bool(true), &exact.process.into()));
    let program = std::env::current_exe().unwrap();
    assert_eq!(value["command"], program.to_str().unwrap());
    assert_eq!(exact.program_name(), program.file_name().unwrap().to_str().unwrap());
}

#[test]
fn firefox_tables_refer_to_each_other() {
    let (_run, snapshot) = traced();
    let value: Value = serde_json::from_str(&report::firefox(&snapshot, &mut Symbols::new())).unwrap();
    let thread = &value["threads"][0];
    let length = |table: &str| thread[table]["length"].as_u64().unwrap();
    for (table, column, target) in
        [("stackTable", "frame", "frameTable"), ("frameTable", "func", "funcTable")]
    {
        let column = thread[table][column].as_array().unwrap();
        assert_eq!(column.len() as u64, length(table));
        assert!(column.iter().all(|index| index.as_u64().unwrap() < length(target)));
    }
    // The profiler takes a counter's first sample for what was there before: it must be nothing.
    let counts = value["counters"][0]["samples"]["count"].as_array().unwrap();
    assert_eq!(counts[0], 0);
    let mut live = 0;
    let reached: Vec<i64> = counts
        .iter()
        .map(|count| {
            live += count.as_i64().unwrap();
            live
        })
        .collect();
    assert_eq!(*reached.iter().max().unwrap() as u64, snapshot.totals.peak_bytes);
    let events = &thread["nativeAllocations"];
    let weights: i64 =
        events["weight"].as_array().unwrap().iter().map(|weight| weight.as_i64().unwrap()).sum();
    assert_eq!(weights as u64, snapshot.totals.live_bytes);
    assert_eq!(events["length"].as_u64().unwrap(), snapshot.changes.len() as u64);
}

#[test]
fn pprof_is_a_compressed_profile() {
    let (_run, snapshot) = traced();
    let bytes = report::pprof(&snapshot, &mut Symbols::new());
    assert!(bytes.starts_with(&[0x1f, 0x8b, 8]));
    // Whoever has gzip can check the rest of the frame; most machines do.
    let path = crate::child::run("leaks").path.with_extension("pb.gz");
    fs::write(&path, &bytes).unwrap();
    if let Ok(output) = Command::new("gzip").arg("-t").arg(&path).output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_file(&path).unwrap();
}

#[test]
fn heaptrack_reads_its_own_text() {
    let (_run, snapshot) = traced();
    let text = report::heaptrack(&snapshot, &mut Symbols::new());
    let count = |sign: &str| text.lines().filter(|line| line.starts_with(sign)).count() as u64;
    assert_eq!((count("+ "), count("- ")), (snapshot.totals.allocs, snapshot.totals.frees));
    let path = crate::child::run("leaks").path.with_extension("heaptrack");
    fs::write(&path, &text).unwrap();
    // Where heaptrack is installed, it is the judge.
    if let Ok(output) = Command::new("heaptrack_print").arg("-f").arg(&path).output() {
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{shown}");
        let calls = format!("calls to allocation functions: {} ", snapshot.totals.allocs);
        assert!(shown.contains(&calls), "{shown}");
    }
    fs::remove_file(&path).unwrap();
}
