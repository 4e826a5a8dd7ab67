//! The table of all cells, which the page's script sorts and filters by the raw values in `data-v`.

use crate::report::escape;
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::summary::{Verdict, verdict};
use crate::schema::{Cell, Status};

/// Heading, and whether the column holds figures.
const COLUMNS: [(&str, bool); 14] = [
    ("Workload", false),
    ("Threads", true),
    ("Strategy", false),
    ("Status", false),
    ("Time ratio", true),
    ("95 % interval", true),
    ("Verdict", false),
    ("Per operation", true),
    ("CPU time", true),
    ("Peak memory", true),
    ("Memory ratio", true),
    ("Minor faults", true),
    ("Rounds", true),
    ("Checksum", false),
];

pub(super) fn table(grid: &Grid<'_>) -> String {
    let mut out = "<table class=\"cells\" id=\"cells\"><thead><tr>".to_owned();
    for (heading, figures) in COLUMNS {
        let class = if figures { " class=\"num\"" } else { "" };
        out.push_str(&format!(
            "<th scope=\"col\"{class} aria-sort=\"none\"><button type=\"button\">{heading}</button></th>"
        ));
    }
    out.push_str("</tr></thead><tbody>");
    for (workload, threads) in grid.places() {
        for strategy in &grid.strategies {
            if let Some(cell) = grid.cell(workload, threads, strategy) {
                row(&mut out, grid, cell);
            }
        }
    }
    out.push_str("</tbody></table>");
    out
}

fn row(out: &mut String, grid: &Grid<'_>, cell: &Cell) {
    let measured = cell.status == Status::Ok;
    let ratio = grid
        .ratio(&cell.workload, cell.threads, &cell.strategy)
        .filter(|_| !grid.is_baseline(&cell.strategy));
    let sets = grid.rss_ratio(&cell.workload, cell.threads, &cell.strategy);
    let noise = grid.noise(&cell.workload, cell.threads);
    let said = match &ratio {
        _ if grid.is_baseline(&cell.strategy) => "baseline",
        Some(_) if grid.is_control(&cell.strategy) => "A/A",
        None => format::NONE,
        Some(ratio) => match verdict(ratio, noise.as_ref()) {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::CannotTell => "cannot tell",
        },
    };
    let status = match cell.status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Unsupported => "unsupported",
    };
    out.push_str("<tr>");
    let mut text = |class: &str, value: &str| {
        out.push_str(&format!("<td class=\"{class}\">{}</td>", escape::text(value)));
    };
    text("", &cell.workload);
    let threads = if cell.threads == 0 { "own".to_owned() } else { cell.threads.to_string() };
    number(out, Some((cell.threads as f64, threads)));
    let mut text = |class: &str, value: &str| {
        out.push_str(&format!("<td class=\"{class}\">{}</td>", escape::text(value)));
    };
    text("", &cell.strategy);
    match cell.status {
        Status::Ok => text("", status),
        Status::Failed => text("bad reason", &format!("{status}: {}", cell.reason)),
        Status::Unsupported => text("none reason", &format!("{status}: {}", cell.reason)),
    }
    number(out, ratio.map(|ratio| (ratio.median, format::ratio(ratio.median))));
    // One round has no spread to show.
    let spread = ratio.filter(|_| cell.rounds != 1);
    number(out, spread.map(|ratio| (ratio.hi - ratio.lo, bounds(ratio.lo, ratio.hi))));
    out.push_str(&format!("<td class=\"v-{}\">{said}</td>", said.split(' ').next().unwrap_or_default()));
    let time = cell.ns_per_op.filter(|_| measured);
    number(out, time.map(|time| (time.median, format::nanoseconds(time.median))));
    let cpu = cell.cpu_ms.filter(|_| measured);
    number(out, cpu.map(|cpu| (cpu, format::milliseconds(cpu))));
    let peak = cell.peak_rss_kib.filter(|_| measured);
    number(out, peak.map(|kib| (kib as f64, format::memory(kib))));
    number(out, sets.map(|ratio| (ratio, format::ratio(ratio))));
    let faults = cell.minor_faults.filter(|_| measured);
    number(out, faults.map(|faults| (faults as f64, format::count(faults))));
    out.push_str(&format!("<td class=\"num\">{}</td>", cell.rounds));
    out.push_str(&format!(
        "<td class=\"mono\" title=\"{}\">{}</td></tr>",
        escape::text(&cell.proof),
        escape::text(&cell.checksum)
    ));
}

fn bounds(lo: f64, hi: f64) -> String {
    format!("{} to {}", format::ratio(lo), format::ratio(hi))
}

/// A figure with its raw value to sort by; without one, it sorts last.
fn number(out: &mut String, value: Option<(f64, String)>) {
    match value {
        Some((raw, text)) => {
            out.push_str(&format!("<td class=\"num\" data-v=\"{raw}\">{}</td>", escape::text(&text)));
        }
        None => out.push_str(&format!("<td class=\"num none\" data-v=\"\">{}</td>", format::NONE)),
    }
}
