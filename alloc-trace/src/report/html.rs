//! A page with everything in it: totals, an icicle graph, the stacks as a table, the live bytes over time.

use core::fmt::Write;
use std::string::String;

use super::json::json;
use super::snapshot::Snapshot;
use super::symbols::Symbols;

const PAGE: &str = include_str!("page.html");

/// The snapshot as one self-contained page, which needs no network. Its data are those of [`json`], in a script tag that
/// other programs can read.
#[must_use]
pub fn html(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    let mut line = String::from("[");
    // Live bytes over time, thinned to what a screen shows.
    let step = snapshot.changes.len().div_ceil(1500).max(1);
    let mut live = 0_u64;
    let mut highest = 0;
    for (index, change) in snapshot.changes.iter().enumerate() {
        live = if change.alloc { live + change.size } else { live.saturating_sub(change.size) };
        highest = highest.max(live);
        if (index + 1) % step == 0 || index + 1 == snapshot.changes.len() {
            let comma = if line.len() > 1 { "," } else { "" };
            let _ = write!(line, "{comma}[{},{highest}]", change.nanos);
            highest = live;
        }
    }
    line.push(']');
    PAGE.replace("/*DATA*/", json(snapshot, symbols).trim_end()).replace("/*LINE*/", &line)
}
