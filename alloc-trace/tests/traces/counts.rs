//! Counts by stack: exact ones, and estimates.

use alloc_trace::report::{self, Figure, Symbols};

use crate::child::run_in;

#[test]
fn aggregate_totals_are_exact() {
    let run = run_in("aggregate:", "threads");
    let (snapshot, counted) = (run.snapshot(), run.counted.as_ref().unwrap());
    assert_eq!(snapshot.totals.allocs, counted.allocs + counted.resizes);
    assert!(snapshot.changes.is_empty() && !snapshot.problems.unfinished);
    assert!(snapshot.totals.peak_bytes > snapshot.totals.live_bytes);
    let exact = run_in("exact:", "threads").snapshot().totals;
    // The harness may keep a block or two more in one run than in another.
    assert!(snapshot.totals.live.abs_diff(exact.live) < 16, "{:?} and {exact:?}", snapshot.totals);
}

#[test]
fn aggregate_and_exact_agree_on_leaks() {
    for mode in ["aggregate:", "exact:"] {
        let snapshot = run_in(mode, "leaks").snapshot();
        let text = report::leaks(&snapshot, &mut Symbols::new());
        let block = text.split("\n").skip_while(|line| *line != "10000 bytes in 10 blocks, allocated at");
        assert!(block.take(12).any(|line| line.contains("child::leaky (")), "{mode} {text}");
    }
}

#[test]
fn samples_estimate_the_totals() {
    let exact = run_in("exact:", "sizes").snapshot().totals;
    let run = run_in("sampled:,rate=16K", "sizes");
    let sampled = run.snapshot();
    assert_eq!(sampled.rate, 16 << 10);
    // Of 1.4 GB at one sample in 16 KiB, some 60 000 samples, half a per cent for one deviation. Eight of them are never;
    // samples that stood for the rate would fall short by a third.
    let near = |estimate: u64, truth: u64| (estimate as f64 / truth as f64 - 1.0).abs() < 0.04;
    assert!(near(sampled.totals.alloc_bytes, exact.alloc_bytes), "{:?} of {exact:?}", sampled.totals);
    assert!(near(sampled.totals.live_bytes, exact.live_bytes), "{:?} of {exact:?}", sampled.totals);
    assert!(near(sampled.totals.peak_bytes, exact.peak_bytes), "{:?} of {exact:?}", sampled.totals);
    let text = report::folded(&sampled, &mut Symbols::new(), Figure::AllocBytes);
    assert!(text.contains("child::sizes"), "{text}");
    assert!(run.bytes().len() < 200_000, "{} bytes", run.bytes().len());
}

#[test]
fn a_log_tells_the_same_as_a_trace() {
    let run = run_in("log:", "leaks");
    let log = report::read_log(&String::from_utf8(run.bytes()).unwrap()).unwrap();
    let counted = run.counted.as_ref().unwrap();
    assert_eq!(log.totals.allocs, counted.allocs + counted.resizes);
    let text = report::leaks(&log, &mut Symbols::new());
    assert!(text.contains("10000 bytes in 10 blocks, allocated at"), "{text}");
    assert!(text.contains("child::leaky ("), "{text}");
}

#[test]
fn a_log_puts_resizes_of_threads_in_order() {
    let run = run_in("log:", "threads");
    let log = report::read_log(&String::from_utf8(run.bytes()).unwrap()).unwrap();
    let counted = run.counted.as_ref().unwrap();
    assert_eq!(log.totals.allocs, counted.allocs + counted.resizes);
    assert_eq!(log.problems.missed_frees, 0);
    assert_eq!(log.totals.frees + log.problems.unknown_frees, counted.frees + counted.resizes);
}
