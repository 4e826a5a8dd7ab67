//! Folded stacks: `outermost;...;innermost COUNT`, as flame graph tools read them.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::string::String;

use super::snapshot::{Row, Snapshot};
use super::symbols::Symbols;

/// A figure of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Blocks allocated.
    Allocs,
    /// Bytes allocated.
    AllocBytes,
    /// Blocks live at the end.
    Live,
    /// Bytes live at the end.
    LiveBytes,
    /// Bytes live when all stacks together had the most.
    PeakBytes,
}

impl Figure {
    /// The figure in a row.
    #[must_use]
    pub const fn of(self, row: &Row) -> u64 {
        match self {
            Self::Allocs => row.allocs,
            Self::AllocBytes => row.alloc_bytes,
            Self::Live => row.live,
            Self::LiveBytes => row.live_bytes,
            Self::PeakBytes => row.peak_bytes,
        }
    }
}

/// A line for each stack with any of the figure, sorted by name. Semicolons in names become colons.
#[must_use]
pub fn folded(snapshot: &Snapshot, symbols: &mut Symbols, figure: Figure) -> String {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for (&stack, row) in &snapshot.rows {
        let count = figure.of(row);
        if count == 0 {
            continue;
        }
        let mut line = String::new();
        for (_, name) in symbols.stack(snapshot, stack).iter().rev() {
            if !line.is_empty() {
                line.push(';');
            }
            line.push_str(&name.function.replace(';', ":"));
        }
        if line.is_empty() {
            line.push_str("[no stack]");
        }
        *lines.entry(line).or_default() += count;
    }
    let mut text = String::new();
    for (line, count) in lines {
        let _ = writeln!(text, "{line} {count}");
    }
    text
}
