//! Geometric means over all cells: one dot a strategy.

use super::axis::{LogAxis, tick_label};
use super::canvas::{Anchor, Canvas};
use super::{LEFT, NAMES, ROW, TOP, WIDTH, classes, height, label, number};
use crate::report::format;
use crate::report::grid::Grid;
use crate::report::summary::{StrategySummary, Summary};

const RIGHT: f64 = 318.0;

/// The plot of one mean; `of` gives a strategy's mean and the number of cells it is over. No dot is filled: a mean has
/// no interval here, so it is never a verdict.
pub(in crate::report) fn means(
    grid: &Grid<'_>,
    summary: &Summary,
    what: &str,
    (less, more): (&str, &str),
    of: impl Fn(&StrategySummary) -> (Option<f64>, usize),
) -> String {
    let rows = summary.strategies.len();
    let bottom = TOP + ROW * rows as f64;
    let values = summary.strategies.iter().filter_map(|strategy| of(strategy).0);
    let axis = LogAxis::around_one(values, LEFT, RIGHT);
    let mut canvas = Canvas::new(WIDTH, height(rows));
    for tick in axis.ticks(32.0) {
        let x = axis.at(tick);
        canvas.line(if tick == 1.0 { "one" } else { "grid" }, (x, TOP), (x, bottom));
        canvas.text("tick", Anchor::Middle, (x, bottom + 13.0), &tick_label(tick));
    }
    canvas.text("axis", Anchor::Start, (LEFT, bottom + 29.0), &format!("◂ {less}"));
    canvas.text("axis", Anchor::Middle, ((LEFT + RIGHT) / 2.0, bottom + 29.0), "log scale");
    canvas.text("axis", Anchor::End, (RIGHT, bottom + 29.0), &format!("{more} ▸"));

    let mut spoken = Vec::new();
    for (row, strategy) in summary.strategies.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let (mean, cells) = of(strategy);
        let cells = format::plural(cells, "cell");
        let said = mean.map_or_else(
            || format!("{}: no cell to compare", strategy.strategy),
            |mean| format!("{}: {} over {cells}", strategy.strategy, format::ratio(mean)),
        );
        canvas.strategy(
            number(grid, &strategy.strategy),
            &classes(grid, &strategy.strategy),
            &format!("{said}\n{what}"),
        );
        canvas.rect("hit", (0.0, y - ROW / 2.0), (WIDTH, ROW));
        canvas.text("name", Anchor::End, (NAMES, y + 4.0), &label(&strategy.strategy));
        if let Some(mean) = mean {
            canvas.line("stem", (axis.at(1.0), y), (axis.at(mean), y));
            if axis.holds(mean) {
                canvas.circle("ring", (axis.at(mean), y), 4.2);
            } else {
                let (x, out) = (axis.at(mean), if mean > 1.0 { 5.0 } else { -5.0 });
                canvas.path("fill", &[(x - 2.0 * out, y - 5.0), (x, y), (x - 2.0 * out, y + 5.0)], true);
            }
            canvas.text("value", Anchor::End, (WIDTH - 56.0, y + 4.0), &format::ratio(mean));
            canvas.text("value faint", Anchor::End, (WIDTH - 2.0, y + 4.0), &cells);
        } else {
            canvas.text("none", Anchor::End, (WIDTH - 2.0, y + 4.0), "no cells");
        }
        canvas.close();
        spoken.push(said);
    }
    canvas.finish("plot", &format!("{what}: {}", spoken.join("; ")), "")
}
