//! Verdicts, means and noise, on values worked out by hand.

use bench_harness::report::summary::{Verdict, geomean, reach, summarize, verdict};
use bench_harness::report::{terminal, write_all};
use bench_harness::schema::{Cell, Interval, Matrix, Status};

use super::sample;

fn interval(median: f64, lo: f64, hi: f64) -> Interval {
    Interval { median, lo, hi }
}

fn close(found: Option<f64>, expected: f64) {
    assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?} is not {expected}");
}

#[test]
fn a_verdict_needs_the_whole_interval_beyond_one_and_beyond_the_noise() {
    let noise = interval(1.0, 0.97, 1.04);
    let said = |lo, hi| verdict(&interval(f64::midpoint(lo, hi), lo, hi), Some(&noise));
    assert_eq!(said(0.90, 0.96), Verdict::Faster);
    assert_eq!(said(0.90, 0.97), Verdict::CannotTell, "it touches the noise");
    assert_eq!(said(0.95, 0.99), Verdict::CannotTell, "below 1, but inside the noise");
    assert_eq!(said(0.90, 1.10), Verdict::CannotTell);
    assert_eq!(said(1.01, 1.03), Verdict::CannotTell, "above 1, but inside the noise");
    assert_eq!(said(1.04, 1.20), Verdict::CannotTell);
    assert_eq!(said(1.05, 1.20), Verdict::Slower);
    assert_eq!(
        verdict(&interval(0.5, 0.4, 0.6), None),
        Verdict::CannotTell,
        "how large the noise was is not known"
    );
    // A biased A/A row reaches from its interval to 1.
    let biased = interval(1.05, 1.03, 1.07);
    assert_eq!(verdict(&interval(1.01, 1.005, 1.02), Some(&biased)), Verdict::CannotTell);
    assert_eq!(verdict(&interval(0.98, 0.97, 0.99), Some(&biased)), Verdict::Faster);
}

#[test]
fn geometric_means_by_hand() {
    close(geomean(&[0.5, 2.0]), 1.0);
    close(geomean(&[2.0, 4.0, 8.0]), 4.0);
    assert_eq!(geomean(&[]), None);
    assert!((reach(&interval(1.0, 0.95, 1.02)) - 0.05).abs() < 1e-12);
    assert!((reach(&interval(1.0, 0.99, 1.03)) - 0.03).abs() < 1e-12);
}

/// `(strategy, workload, ratio, RSS)`; a strategy without a ratio has failed.
fn small(cells: &[(&str, &str, Option<Interval>, Option<u64>)]) -> Matrix {
    let mut matrix = sample::matrix();
    matrix.workloads.truncate(0);
    matrix.notes.truncate(0);
    matrix.cells = cells
        .iter()
        .map(|(strategy, workload, ratio, rss)| Cell {
            strategy: (*strategy).to_owned(),
            workload: (*workload).to_owned(),
            threads: 1,
            status: if ratio.is_some() { Status::Ok } else { Status::Failed },
            reason: if ratio.is_some() { String::new() } else { "it crashed".to_owned() },
            rounds: 5,
            ns_per_op: ratio.map(|_| interval(10.0, 9.0, 11.0)),
            ratio: *ratio,
            cpu_ms: None,
            peak_rss_kib: *rss,
            minor_faults: None,
            checksum: String::new(),
            proof: String::new(),
            timeline: Vec::new(),
        })
        .collect();
    matrix
}

#[test]
fn a_summary_by_hand() {
    let one = Some(interval(1.0, 1.0, 1.0));
    let matrix = small(&[
        ("system", "a", one, Some(1000)),
        ("system-again", "a", Some(interval(1.0, 0.98, 1.03)), Some(1000)),
        ("x", "a", Some(interval(0.5, 0.45, 0.55)), Some(2000)),
        ("y", "a", Some(interval(1.1, 1.05, 1.2)), Some(500)),
        ("system", "b", one, Some(1000)),
        ("system-again", "b", Some(interval(1.06, 1.01, 1.09)), Some(1010)),
        ("x", "b", Some(interval(2.0, 1.9, 2.2)), Some(8000)),
        ("y", "b", Some(interval(1.05, 1.02, 1.08)), None),
        ("system", "c", one, None),
        ("system-again", "c", Some(interval(1.0, 0.9, 1.05)), Some(1000)),
        ("x", "c", None, None),
        ("y", "c", Some(interval(8.0, 7.0, 9.0)), Some(900)),
        // Without the baseline nothing can be said, whatever the others did.
        ("system", "d", None, None),
        ("y", "d", Some(interval(0.1, 0.1, 0.1)), Some(1)),
    ]);
    let summary = summarize(&matrix);
    let names: Vec<&str> = summary.strategies.iter().map(|strategy| strategy.strategy.as_str()).collect();
    assert_eq!(names, ["x", "y", "system-again"], "the baseline is left out, the A/A row is last");
    assert_eq!((summary.places, summary.common_places, summary.failed, summary.unsupported), (4, 2, 2, 0));

    let x = &summary.strategies[0];
    assert_eq!((x.cells, x.faster, x.slower, x.cannot_tell, x.failed), (2, 1, 1, 0, 1));
    close(x.time, 1.0);
    close(x.time_common, 1.0);
    assert_eq!(x.rss_cells, 2);
    close(x.rss, 4.0);
    let worst = x.worst.as_ref().unwrap();
    assert_eq!((worst.ratio.median, worst.workload.as_str(), worst.threads), (2.0, "b", 1));

    let y = &summary.strategies[1];
    assert_eq!((y.cells, y.faster, y.slower, y.cannot_tell, y.without_noise), (3, 0, 2, 1, 0));
    close(y.time, (1.1f64 * 1.05 * 8.0).cbrt());
    close(y.time_common, (1.1f64 * 1.05).sqrt());
    assert_eq!(y.rss_cells, 1);
    close(y.rss, 0.5);

    let noise = summary.noise.expect("there is an A/A row");
    assert_eq!((noise.cells, noise.off_centre), (3, 1));
    assert!((noise.median_reach - 0.09).abs() < 1e-12);
    assert!((noise.worst_reach - 0.1).abs() < 1e-12);
    assert_eq!(noise.worst.workload, "c");
    assert!(summary.strategies[2].control);
    assert_eq!(summary.strategies[2].faster + summary.strategies[2].slower, 0);
}

#[test]
fn nothing_is_called_faster_or_slower_inside_the_noise() {
    let mut matrix = sample::matrix();
    for cell in &mut matrix.cells {
        if let Some(ratio) = &mut cell.ratio {
            // Every interval excludes 1, but the A/A row's reaches farther.
            *ratio = match cell.strategy.as_str() {
                "system-again" => interval(1.0, 0.5, 2.0),
                "mimalloc" => interval(0.6, 0.55, 0.65),
                _ => interval(1.8, 1.7, 1.9),
            };
        }
    }
    let summary = summarize(&matrix);
    assert!(summary.strategies.iter().all(|strategy| strategy.faster == 0 && strategy.slower == 0));
    let terminal = terminal::table(&matrix, 200, false);
    for row in terminal.lines().filter(|line| line.contains('±') && !line.contains("95 %")) {
        assert!(!row.contains(['<', '>']), "{row}");
    }
    assert!(terminal.contains("mimalloc: faster in 0 of 45 cells, slower in 0, cannot tell in 45"));
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join("noise");
    let written = write_all(&matrix, &dir).unwrap();
    let html = std::fs::read_to_string(written.html).unwrap();
    let (_, table) = html.split_once("<table class=\"cells\"").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    assert!(!table.contains(">faster<") && !table.contains(">slower<"));
    assert!(!html.contains("class=\"value told\""), "no dot is filled");
    let csv = std::fs::read_to_string(written.csv).unwrap();
    assert!(!csv.contains(",faster,") && !csv.contains(",slower,"));
    let markdown = std::fs::read_to_string(written.markdown).unwrap();
    assert!(!markdown.contains("| **0") && !markdown.contains("| **1"), "no ratio is bold");
}

#[test]
fn without_an_a_a_row_no_verdict_is_given() {
    let mut matrix = sample::matrix();
    matrix.cells.retain(|cell| cell.strategy != "system-again");
    let summary = summarize(&matrix);
    assert!(summary.noise.is_none());
    for strategy in &summary.strategies {
        assert_eq!(strategy.without_noise, strategy.cells);
        assert_eq!(strategy.cannot_tell, strategy.cells);
    }
    assert!(terminal::table(&matrix, 0, false).contains("This run has no A/A row"));
}
