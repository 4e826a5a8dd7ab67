//! Peak resident memory: a bar a strategy.

use super::axis::{LinearAxis, tick_label};
use super::canvas::{Anchor, Canvas};
use super::{LEFT, NAMES, ROW, TOP, WIDTH, classes, height, label, number};
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::tips;
use crate::schema::Status;

const RIGHT: f64 = 306.0;
/// A bar longer than the median bar by more than this factor is cut, or it would flatten all others.
const OUTLIER: f64 = 6.0;

/// One axis for all plots of a workload.
pub(in crate::report) struct MemoryScale {
    axis: LinearAxis,
    unit: Unit,
}

/// A unit of memory and how many KiB it has.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) kib: f64,
}

impl Unit {
    pub(super) fn for_size(kib: f64) -> Self {
        match kib {
            kib if kib < 2048.0 => Self { name: "KiB", kib: 1.0 },
            kib if kib < 2.0 * 1024.0 * 1024.0 => Self { name: "MiB", kib: 1024.0 },
            _ => Self { name: "GiB", kib: 1024.0 * 1024.0 },
        }
    }
}

impl MemoryScale {
    pub(in crate::report) fn of(grid: &Grid<'_>, workload: &str) -> Self {
        let mut peaks: Vec<f64> = grid
            .threads
            .iter()
            .flat_map(|&threads| {
                grid.strategies.iter().filter_map(move |strategy| peak(grid, workload, threads, strategy))
            })
            .map(|kib| kib as f64)
            .collect();
        peaks.sort_by(f64::total_cmp);
        let median = peaks.get(peaks.len() / 2).copied().unwrap_or(1.0);
        let longest = peaks.iter().copied().rfind(|peak| *peak <= median * OUTLIER).unwrap_or(median);
        let cut = peaks.last().is_some_and(|last| *last > longest);
        let unit = Unit::for_size(longest);
        // Where bars are cut, the axis goes on a little past the longest whole one, so that they are seen to be longer.
        let hi = longest * if cut { 1.3 } else { 1.0 };
        Self { axis: LinearAxis::new(hi / unit.kib, LEFT, RIGHT), unit }
    }
}

fn peak(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> Option<u64> {
    grid.cell(workload, threads, strategy).filter(|cell| cell.status == Status::Ok)?.peak_rss_kib
}

pub(in crate::report) fn memory(
    grid: &Grid<'_>,
    scale: &MemoryScale,
    workload: &str,
    threads: usize,
) -> String {
    let MemoryScale { axis, unit } = scale;
    let rows = grid.strategies.len();
    let bottom = TOP + ROW * rows as f64;
    let mut canvas = Canvas::new(WIDTH, height(rows));
    for tick in axis.ticks(4) {
        let x = axis.at(tick);
        canvas.line(if tick == 0.0 { "one" } else { "grid" }, (x, TOP), (x, bottom));
        canvas.text("tick", Anchor::Middle, (x, bottom + 13.0), &tick_label(tick));
    }
    canvas.text("axis", Anchor::Middle, ((LEFT + RIGHT) / 2.0, bottom + 29.0), unit.name);

    let mut spoken = Vec::new();
    for (row, strategy) in grid.strategies.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        canvas.strategy(
            number(grid, strategy),
            &classes(grid, strategy),
            &tips::cell(grid, workload, threads, strategy),
        );
        canvas.rect("hit", (0.0, y - ROW / 2.0), (WIDTH, ROW));
        canvas.text("name", Anchor::End, (NAMES, y + 4.0), &label(strategy));
        let status = grid.cell(workload, threads, strategy).map(|cell| cell.status);
        let (class, word) = match status {
            Some(Status::Ok) => ("none", "not measured"),
            Some(Status::Failed) => ("bad", "failed"),
            Some(Status::Unsupported) => ("none", "unsupported"),
            None => ("none", "not run"),
        };
        if let Some(kib) = peak(grid, workload, threads, strategy) {
            let value = kib as f64 / unit.kib;
            let end = axis.at(value);
            canvas.rect("bar", (LEFT, y - 5.5), (end - LEFT, 11.0));
            if !axis.holds(value) {
                // Two strokes across the bar: it goes on.
                for x in [end - 13.0, end - 8.0] {
                    canvas.line("cut", (x - 2.0, y + 8.0), (x + 2.0, y - 8.0));
                }
            }
            let absolute = format::memory(kib);
            canvas.text("value", Anchor::End, (WIDTH - 42.0, y + 4.0), &absolute);
            let ratio = grid.rss_ratio(workload, threads, strategy).filter(|_| !grid.is_baseline(strategy));
            if let Some(ratio) = ratio {
                canvas.text(
                    "value faint",
                    Anchor::End,
                    (WIDTH - 2.0, y + 4.0),
                    &format!("{}×", format::ratio(ratio)),
                );
            }
            spoken.push(format!("{strategy} {absolute}"));
        } else {
            canvas.text(class, Anchor::End, (WIDTH - 2.0, y + 4.0), word);
            spoken.push(format!("{strategy} {word}"));
        }
        canvas.close();
    }
    let said =
        format!("Peak resident memory, {workload}, {}: {}", format::thread_count(threads), spoken.join("; "));
    canvas.finish("plot", &said, "")
}
