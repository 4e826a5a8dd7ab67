//! What a tooltip says about a cell: all its figures, one line each.

use super::format;
use super::grid::Grid;
use super::summary::{Verdict, verdict};
use crate::schema::{Cell, Status};

/// The text for one cell, lines divided by line feeds.
pub(super) fn cell(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> String {
    let mut lines = vec![format!("{strategy}, {workload}, {}", format::thread_count(threads))];
    match grid.cell(workload, threads, strategy) {
        None => lines.push("not in this run".to_owned()),
        Some(cell) if cell.status == Status::Ok => measured(&mut lines, grid, cell),
        Some(cell) => {
            let word = if cell.status == Status::Failed { "failed" } else { "unsupported" };
            let reason = if cell.reason.is_empty() { "no reason recorded" } else { &cell.reason };
            lines.push(format!("{word}: {reason}"));
        }
    }
    lines.join("\n")
}

fn measured(lines: &mut Vec<String>, grid: &Grid<'_>, cell: &Cell) {
    let baseline = &grid.matrix.baseline;
    let noise = grid.noise(&cell.workload, cell.threads);
    if let Some(ratio) = grid.ratio(&cell.workload, cell.threads, &cell.strategy)
        && !grid.is_baseline(&cell.strategy)
    {
        lines.push(format!("time ratio {}", format::ratio_and_bounds(&ratio)));
        lines.push(match (&noise, verdict(&ratio, noise.as_ref())) {
            _ if grid.is_control(&cell.strategy) => "A/A row: this spread is the noise".to_owned(),
            (None, _) => "cannot tell: no A/A row here".to_owned(),
            (Some(noise), said) => format!(
                "{} (noise {} to {})",
                match said {
                    Verdict::Faster => format!("faster than {baseline} beyond the noise"),
                    Verdict::Slower => format!("slower than {baseline} beyond the noise"),
                    Verdict::CannotTell => format!("cannot tell from {baseline}"),
                },
                format::ratio(noise.lo),
                format::ratio(noise.hi)
            ),
        });
    }
    if let Some(time) = &cell.ns_per_op {
        lines.push(format!(
            "{} per operation [{}, {}], {}",
            format::nanoseconds(time.median),
            format::nanoseconds(time.lo),
            format::nanoseconds(time.hi),
            format::plural(cell.rounds, "round")
        ));
    }
    if let Some(cpu) = cell.cpu_ms {
        lines.push(format!("{} of processor time", format::milliseconds(cpu)));
    }
    if let Some(peak) = cell.peak_rss_kib {
        let ratio = grid.rss_ratio(&cell.workload, cell.threads, &cell.strategy);
        let ratio = match ratio.filter(|_| !grid.is_baseline(&cell.strategy)) {
            Some(ratio) => format!(", {}× {baseline}", format::ratio(ratio)),
            None => String::new(),
        };
        lines.push(format!("peak memory {}{ratio}", format::memory(peak)));
    }
    if let Some(faults) = cell.minor_faults {
        lines.push(format!("{} minor faults", format::count(faults)));
    }
}
