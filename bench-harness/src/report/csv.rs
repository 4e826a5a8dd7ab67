//! `matrix.csv`: one row a cell, quoted as RFC 4180 says, lines ended by CR LF. Figures are in full precision and empty
//! where there are none; timelines are in `matrix.json`.

use super::grid::Grid;
use super::summary::{Verdict, verdict};
use crate::schema::{Interval, Matrix, Status};

const HEADER: [&str; 21] = [
    "workload",
    "threads",
    "strategy",
    "status",
    "reason",
    "rounds",
    "ns_per_op",
    "ns_per_op_lo",
    "ns_per_op_hi",
    "ratio",
    "ratio_lo",
    "ratio_hi",
    "noise_lo",
    "noise_hi",
    "verdict",
    "cpu_ms",
    "peak_rss_kib",
    "rss_ratio",
    "minor_faults",
    "checksum",
    "proof",
];

pub(super) fn render(matrix: &Matrix) -> String {
    let grid = Grid::new(matrix);
    let mut out = String::new();
    row(&mut out, HEADER.iter().map(|&name| name.to_owned()));
    for cell in &matrix.cells {
        let noise = grid.noise(&cell.workload, cell.threads);
        let ratio = grid.ratio(&cell.workload, cell.threads, &cell.strategy);
        let compared = !grid.is_baseline(&cell.strategy) && !grid.is_control(&cell.strategy);
        let said = match ratio.filter(|_| compared).map(|ratio| verdict(&ratio, noise.as_ref())) {
            Some(Verdict::Faster) => "faster",
            Some(Verdict::Slower) => "slower",
            Some(Verdict::CannotTell) => "cannot tell",
            None => "",
        };
        let [time, time_lo, time_hi] = figures(cell.ns_per_op);
        let [median, lo, hi] = figures(cell.ratio);
        let [_, noise_lo, noise_hi] = figures(noise);
        row(
            &mut out,
            [
                cell.workload.clone(),
                cell.threads.to_string(),
                cell.strategy.clone(),
                status(cell.status).to_owned(),
                cell.reason.clone(),
                cell.rounds.to_string(),
                time,
                time_lo,
                time_hi,
                median,
                lo,
                hi,
                noise_lo,
                noise_hi,
                said.to_owned(),
                optional(cell.cpu_ms),
                optional(cell.peak_rss_kib),
                optional(grid.rss_ratio(&cell.workload, cell.threads, &cell.strategy)),
                optional(cell.minor_faults),
                cell.checksum.clone(),
                cell.proof.clone(),
            ]
            .into_iter(),
        );
    }
    out
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Unsupported => "unsupported",
    }
}

fn figures(interval: Option<Interval>) -> [String; 3] {
    let part = |take: fn(&Interval) -> f64| optional(interval.as_ref().map(take));
    [part(|interval| interval.median), part(|interval| interval.lo), part(|interval| interval.hi)]
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn row(out: &mut String, fields: impl Iterator<Item = String>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}
