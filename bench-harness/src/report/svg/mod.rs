//! The plots, as inline SVG that needs no script: a page without JavaScript, or on paper, shows them all.
//!
//! Every row or line carries `data-s`, the number of its strategy, by which the page's script dims the others, and
//! `data-tip`, the text of its tooltip.

mod axis;
mod canvas;
mod means;
mod memory;
mod ratio;
mod timeline;

pub(super) use means::means;
pub(super) use memory::{MemoryScale, memory};
pub(super) use ratio::{RatioScale, ratio};
pub(super) use timeline::{TimelineScale, timeline};

use super::grid::Grid;

/// Distinct colours for strategies other than the baseline; after them, colours come round with another dash.
const COLOURS: usize = 10;

/// Units of the view box; plots are shown at about this many CSS pixels.
const WIDTH: f64 = 420.0;
const ROW: f64 = 18.0;
const TOP: f64 = 6.0;
const FOOT: f64 = 36.0;
/// Right edge of the strategies' names.
const NAMES: f64 = 96.0;
/// Left edge of the plotting area in plots with a row a strategy.
const LEFT: f64 = 106.0;

/// Height of plots with a row a strategy, and of the timelines beside them.
fn height(rows: usize) -> f64 {
    TOP + ROW * rows as f64 + FOOT
}

/// The classes that give a strategy its colour and dash on every plot and legend.
pub(super) fn classes(grid: &Grid<'_>, strategy: &str) -> String {
    if grid.is_baseline(strategy) {
        return "c0 d0".to_owned();
    }
    if grid.is_control(strategy) {
        return "c0 d2".to_owned();
    }
    let index = grid.contenders().position(|name| name == strategy).unwrap_or(0);
    format!("c{} d{}", 1 + index % COLOURS, (index / COLOURS).min(2))
}

/// The strategy's place in the order shown.
fn number(grid: &Grid<'_>, strategy: &str) -> usize {
    grid.strategies.iter().position(|name| *name == strategy).unwrap_or(0)
}

/// The name, cut where a longer one would leave the plot.
fn label(name: &str) -> String {
    const LONGEST: usize = 14;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}
