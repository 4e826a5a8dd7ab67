//! Resident memory over time: a line a strategy.

use super::axis::{LinearAxis, LogAxis, tick_label};
use super::canvas::{Anchor, Canvas};
use super::memory::Unit;
use super::{ROW, TOP, WIDTH, classes, height, number};
use crate::report::escape;
use crate::report::format;
use crate::report::grid::Grid;
use crate::schema::{Sample, Status};

const LEFT: f64 = 46.0;
const RIGHT: f64 = 408.0;
/// More points than this in a line cannot be told apart at the width drawn.
const POINTS: usize = 160;
/// A line needs some height, also where the plots beside it have few rows.
const LEAST_ROWS: usize = 7;
/// Where one peak is so many times the median peak, the scale is logarithmic, or all others would lie on the floor.
const OUTLIER: f64 = 6.0;

/// The vertical axis for all plots of a workload.
pub(in crate::report) struct TimelineScale {
    axis: Vertical,
    unit: Unit,
    /// Whether there is anything to plot.
    pub(in crate::report) any: bool,
}

enum Vertical {
    Linear(LinearAxis),
    Log(LogAxis),
}

impl TimelineScale {
    pub(in crate::report) fn of(grid: &Grid<'_>, workload: &str) -> Self {
        let lines: Vec<&[Sample]> = grid
            .threads
            .iter()
            .flat_map(|&threads| {
                grid.strategies.iter().map(move |strategy| samples(grid, workload, threads, strategy))
            })
            .filter(|line| !line.is_empty())
            .collect();
        let most = |line: &&[Sample]| line.iter().map(|sample| sample.rss_kib).max().unwrap_or(0) as f64;
        let mut peaks: Vec<f64> = lines.iter().map(most).collect();
        peaks.sort_by(f64::total_cmp);
        let highest = peaks.last().copied().unwrap_or(1.0).max(1.0);
        let median = peaks.get(peaks.len() / 2).copied().unwrap_or(1.0).max(1.0);
        let bottom = bottom(grid);
        if highest > median * OUTLIER {
            let unit = Unit::for_size(median);
            let lowest =
                lines.iter().flat_map(|line| line.iter()).map(|sample| sample.rss_kib).min().unwrap_or(1);
            let lo = lowest.max(1) as f64 / unit.kib / 1.2;
            let axis = LogAxis::between(lo, highest / unit.kib * 1.1, bottom, TOP);
            return Self { axis: Vertical::Log(axis), unit, any: true };
        }
        let unit = Unit::for_size(highest);
        let axis = LinearAxis::new(highest / unit.kib * 1.05, bottom, TOP);
        Self { axis: Vertical::Linear(axis), unit, any: !lines.is_empty() }
    }

    fn at(&self, kib: u64) -> f64 {
        let value = kib as f64 / self.unit.kib;
        match &self.axis {
            Vertical::Linear(axis) => axis.at(value),
            Vertical::Log(axis) => axis.at(value),
        }
    }

    fn ticks(&self) -> Vec<(f64, f64)> {
        match &self.axis {
            Vertical::Linear(axis) => axis.ticks(5).into_iter().map(|tick| (tick, axis.at(tick))).collect(),
            Vertical::Log(axis) => axis.decades(22.0).into_iter().map(|tick| (tick, axis.at(tick))).collect(),
        }
    }
}

fn rows(grid: &Grid<'_>) -> usize {
    grid.strategies.len().max(LEAST_ROWS)
}

fn bottom(grid: &Grid<'_>) -> f64 {
    TOP + ROW * rows(grid) as f64
}

fn samples<'a>(grid: &Grid<'a>, workload: &str, threads: usize, strategy: &str) -> &'a [Sample] {
    match grid.cell(workload, threads, strategy) {
        Some(cell) if cell.status == Status::Ok => &cell.timeline,
        _ => &[],
    }
}

pub(in crate::report) fn timeline(
    grid: &Grid<'_>,
    scale: &TimelineScale,
    workload: &str,
    threads: usize,
) -> String {
    let bottom = bottom(grid);
    if grid.strategies.iter().all(|strategy| samples(grid, workload, threads, strategy).is_empty()) {
        return not_sampled(grid, workload, threads);
    }
    let last = grid
        .strategies
        .iter()
        .filter_map(|strategy| samples(grid, workload, threads, strategy).last())
        .map(|sample| sample.ms)
        .fold(0.0, f64::max);
    let (divisor, unit) = if last >= 2000.0 { (1000.0, "s") } else { (1.0, "ms") };
    let axis = LinearAxis::new(last / divisor, LEFT, RIGHT);
    let mut canvas = Canvas::new(WIDTH, height(rows(grid)));
    let floor = scale.ticks().first().map_or(bottom, |(_, y)| *y);
    for (tick, y) in scale.ticks() {
        canvas.line(if y == floor && y >= bottom - 0.1 { "one" } else { "grid" }, (LEFT, y), (RIGHT, y));
        canvas.text("tick", Anchor::End, (LEFT - 6.0, y + 4.0), &tick_label(tick));
    }
    for tick in axis.ticks(5) {
        let x = axis.at(tick);
        canvas.line("grid", (x, bottom), (x, bottom + 3.0));
        canvas.text("tick", Anchor::Middle, (x, bottom + 14.0), &tick_label(tick));
    }
    let kind = if matches!(scale.axis, Vertical::Log(_)) { ", log scale" } else { "" };
    canvas.text("axis", Anchor::Start, (4.0, bottom + 29.0), &format!("▴ {}{kind}", scale.unit.name));
    canvas.text("axis", Anchor::End, (RIGHT, bottom + 29.0), &format!("{unit} since the start ▸"));

    let mut spoken = Vec::new();
    // The baseline is drawn last, over the others.
    for strategy in grid.strategies.iter().rev() {
        let line = samples(grid, workload, threads, strategy);
        let (Some(first), Some(end)) = (line.first(), line.last()) else {
            continue;
        };
        let peak = line.iter().map(|sample| sample.rss_kib).max().unwrap_or(0);
        canvas.strategy(number(grid, strategy), &classes(grid, strategy), "");
        let points: Vec<(f64, f64)> = thin(line)
            .iter()
            .map(|sample| (axis.at(sample.ms / divisor), scale.at(sample.rss_kib)))
            .collect();
        canvas.path("line", &points, false);
        canvas.circle("fill", (axis.at(end.ms / divisor), scale.at(end.rss_kib)), 2.2);
        canvas.close();
        spoken.push(format!(
            "{strategy} starts at {}, peaks at {}, ends at {} after {:.0} ms",
            format::memory(first.rss_kib),
            format::memory(peak),
            format::memory(end.rss_kib),
            end.ms
        ));
    }
    spoken.reverse();
    let said = format!(
        "Resident memory over time, {workload}, {}: {}",
        format::thread_count(threads),
        spoken.join("; ")
    );
    // What the script needs to turn the pointer's place into a time.
    let attributes = format!(
        " data-workload=\"{}\" data-threads=\"{threads}\" data-left=\"{LEFT}\" data-right=\"{RIGHT}\" data-top=\"{TOP}\" data-bottom=\"{bottom}\" data-ms=\"{last}\"",
        escape::text(workload)
    );
    canvas.finish("plot time", &said, &attributes)
}

/// In place of a plot: a quick run samples the cells that tell most.
fn not_sampled(grid: &Grid<'_>, workload: &str, threads: usize) -> String {
    let mut canvas = Canvas::new(WIDTH, height(rows(grid)));
    let middle = ((LEFT + RIGHT) / 2.0, (TOP + bottom(grid)) / 2.0);
    canvas.text("none", Anchor::Middle, middle, "not sampled in this run");
    let said =
        format!("Resident memory over time, {workload}, {}: not sampled", format::thread_count(threads));
    canvas.finish("plot", &said, "")
}

/// At most [`POINTS`] samples: of each stretch the first, the lowest and the highest, so that no peak is lost.
fn thin(line: &[Sample]) -> Vec<Sample> {
    if line.len() <= POINTS {
        return line.to_vec();
    }
    let stretch = line.len().div_ceil(POINTS / 3);
    let mut kept = Vec::new();
    for part in line.chunks(stretch) {
        let by_size = |index: &usize| part[*index].rss_kib;
        let mut keep = vec![0];
        keep.extend((0..part.len()).min_by_key(by_size));
        keep.extend((0..part.len()).max_by_key(by_size));
        keep.sort_unstable();
        keep.dedup();
        kept.extend(keep.into_iter().map(|index| part[index]));
    }
    kept.extend(line.last());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_peak_and_the_ends() {
        let mut line: Vec<Sample> = (0..5000)
            .map(|index| Sample { ms: f64::from(index), rss_kib: 1000 + u64::from(index % 7 == 0) })
            .collect();
        line[3333].rss_kib = 90_000;
        let thin = thin(&line);
        assert!(thin.len() <= POINTS + 1, "{} points", thin.len());
        assert!(thin.iter().any(|sample| sample.rss_kib == 90_000));
        assert_eq!(thin.first(), line.first());
        assert_eq!(thin.last(), line.last());
        assert!(thin.windows(2).all(|pair| pair[0].ms <= pair[1].ms));
    }
}
