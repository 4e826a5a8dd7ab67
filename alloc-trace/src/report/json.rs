//! Our own JSON, and how all JSON here is written.

use core::fmt::Write;
use std::string::String;
use std::vec::Vec;

use super::snapshot::Snapshot;
use super::symbols::Symbols;

/// A text as a JSON string, safe within a page's script too.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' => out.push_str("\\u003c"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Puts texts between brackets.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    let mut out = String::from("[");
    out.push_str(&items.join(","));
    out.push(']');
    out
}

/// The snapshot as JSON: `schema` 1, `process`, `command`, `rate`, `knows_peak` (whether stacks have the bytes that they held
/// at the peak of all), `totals`, `warnings`, `functions` (name, file, line), and `stacks`
/// with their figures and `frames`, numbers of functions from the outermost to the innermost.
#[must_use]
pub fn json(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    use std::collections::HashMap;
    use std::format;
    let mut functions: Vec<String> = Vec::new();
    let mut numbers = HashMap::new();
    let mut stacks = Vec::new();
    for (stack, row) in snapshot.sorted_by(|row| row.alloc_bytes) {
        let frames = list(symbols.stack(snapshot, stack).into_iter().rev().map(|(_, name)| {
            let next = functions.len();
            let number = *numbers.entry(name.clone()).or_insert(next);
            if number == next {
                functions.push(format!("[{},{},{}]", quoted(&name.function), quoted(&name.file), name.line));
            }
            format!("{number}")
        }));
        stacks.push(format!(
            "{{\"frames\":{frames},\"allocs\":{},\"alloc_bytes\":{},\"live\":{},\"live_bytes\":{},\"max_bytes\":{},\
             \"max_blocks\":{},\"peak_bytes\":{},\"peak_blocks\":{},\"lifetime_nanos\":{}}}",
            row.allocs,
            row.alloc_bytes,
            row.live,
            row.live_bytes,
            row.max_bytes,
            row.max_blocks,
            row.peak_bytes,
            row.peak_blocks,
            row.lifetime
        ));
    }
    let totals = &snapshot.totals;
    format!(
        "{{\"schema\":1,\"process\":{},\"command\":{},\"rate\":{},\"knows_peak\":{},\"totals\":{{\"allocs\":{},\"alloc_bytes\":{},\"frees\":{},\
         \"refused\":{},\"live\":{},\"live_bytes\":{},\"peak_bytes\":{},\"peak_blocks\":{},\"peak_nanos\":{},\
         \"nanos\":{}}},\"warnings\":{},\"functions\":{},\"stacks\":{}}}\n",
        snapshot.process,
        quoted(snapshot.command()),
        snapshot.rate,
        snapshot.knows_peak(),
        totals.allocs,
        totals.alloc_bytes,
        totals.frees,
        totals.refused,
        totals.live,
        totals.live_bytes,
        totals.peak_bytes,
        totals.peak_blocks,
        totals.peak_nanos,
        totals.nanos,
        list(snapshot.warnings().iter().map(|line| quoted(line))),
        list(functions),
        list(stacks),
    )
}
