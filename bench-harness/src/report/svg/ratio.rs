//! Time ratios: a dot with its 95 % interval a strategy, on a log axis around 1, over the band of the noise.

use super::axis::{LogAxis, tick_label};
use super::canvas::{Anchor, Canvas};
use super::{LEFT, NAMES, ROW, TOP, WIDTH, classes, height, label, number};
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::summary::{Verdict, verdict};
use crate::report::tips;
use crate::schema::{Interval, Status};

const RIGHT: f64 = 342.0;

/// One axis for all plots of a workload, so that thread counts compare.
pub(in crate::report) struct RatioScale(LogAxis);

impl RatioScale {
    pub(in crate::report) fn of(grid: &Grid<'_>, workload: &str) -> Self {
        let bounds = grid.threads.iter().flat_map(|&threads| {
            grid.strategies.iter().filter_map(move |strategy| grid.ratio(workload, threads, strategy))
        });
        Self(LogAxis::around_one(bounds.flat_map(|ratio| [ratio.lo, ratio.hi]), LEFT, RIGHT))
    }
}

pub(in crate::report) fn ratio(
    grid: &Grid<'_>,
    scale: &RatioScale,
    workload: &str,
    threads: usize,
) -> String {
    let axis = &scale.0;
    let rows = grid.strategies.len();
    let bottom = TOP + ROW * rows as f64;
    let noise = grid.noise(workload, threads);
    let mut canvas = Canvas::new(WIDTH, height(rows));
    if let Some(noise) = noise {
        // From 1, as the verdict has it. At least a hair wide: a noise too small to see is still there.
        let (left, right) = (axis.at(noise.lo.min(1.0)), axis.at(noise.hi.max(1.0)));
        canvas.rect("noise", (left, TOP), ((right - left).max(1.0), bottom - TOP));
    }
    for tick in axis.ticks(32.0) {
        let x = axis.at(tick);
        let class = if tick == 1.0 { "one" } else { "grid" };
        canvas.line(class, (x, TOP), (x, bottom));
        canvas.text("tick", Anchor::Middle, (x, bottom + 13.0), &tick_label(tick));
    }
    canvas.text("axis", Anchor::Start, (LEFT, bottom + 29.0), "◂ faster");
    canvas.text("axis", Anchor::Middle, ((LEFT + RIGHT) / 2.0, bottom + 29.0), "log scale");
    canvas.text("axis", Anchor::End, (RIGHT, bottom + 29.0), "slower ▸");

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
        spoken
            .push(format!("{strategy} {}", draw(&mut canvas, grid, axis, y, (workload, threads, strategy))));
        canvas.close();
    }
    let said = format!(
        "Time ratio to {}, {workload}, {}: {}",
        grid.matrix.baseline,
        format::thread_count(threads),
        spoken.join("; ")
    );
    canvas.finish("plot", &said, "")
}

/// Draws one row's content and returns it in words.
fn draw(
    canvas: &mut Canvas,
    grid: &Grid<'_>,
    axis: &LogAxis,
    y: f64,
    (workload, threads, strategy): (&str, usize, &str),
) -> String {
    let status = grid.cell(workload, threads, strategy).map(|cell| cell.status);
    let (class, word) = match status {
        Some(Status::Ok) => ("none", "no ratio"),
        Some(Status::Failed) => ("bad", "failed"),
        Some(Status::Unsupported) => ("none", "unsupported"),
        None => ("none", "not run"),
    };
    if grid.is_baseline(strategy) && status == Some(Status::Ok) {
        let x = axis.at(1.0);
        canvas.path("fill", &[(x, y - 4.5), (x + 4.5, y), (x, y + 4.5), (x - 4.5, y)], true);
        canvas.text("value", Anchor::End, (WIDTH - 2.0, y + 4.0), "baseline");
        return "baseline".to_owned();
    }
    let Some(ratio) = grid.ratio(workload, threads, strategy) else {
        canvas.text(class, Anchor::End, (WIDTH - 2.0, y + 4.0), word);
        return word.to_owned();
    };
    let told = !grid.is_control(strategy)
        && verdict(&ratio, grid.noise(workload, threads).as_ref()) != Verdict::CannotTell;
    whisker(canvas, axis, y, &ratio, told);
    // Where the interval is wide, the plot and the tooltip show its bounds.
    let reach = format::reach(&ratio).map_or_else(String::new, |reach| format!(" {reach}"));
    let figures = format!("{}{reach}", format::ratio(ratio.median));
    let class = if told { "value told" } else { "value" };
    canvas.text(class, Anchor::End, (WIDTH - 2.0, y + 4.0), &figures);
    format::ratio_and_bounds(&ratio)
}

/// A filled dot where there is a verdict, a ring where there is none; at the edge of the plot, a wedge that points out.
/// The interval is a bar behind it, higher than the dot, so that it shows even where it is narrower.
fn whisker(canvas: &mut Canvas, axis: &LogAxis, y: f64, ratio: &Interval, told: bool) {
    let x = axis.at(ratio.median);
    let (lo, hi) = (axis.at(ratio.lo), axis.at(ratio.hi));
    if !axis.holds(ratio.median) {
        let out = if ratio.median > 1.0 { 5.0 } else { -5.0 };
        canvas.path("fill", &[(x - 2.0 * out, y - 5.0), (x, y), (x - 2.0 * out, y + 5.0)], true);
        return;
    }
    canvas.rect("interval", (lo, y - 5.5), ((hi - lo).max(1.0), 11.0));
    if told {
        canvas.circle("fill", (x, y), 3.2);
    } else {
        canvas.circle("ring", (x, y), 2.6);
    }
}
