//! What was never freed, by stack.

use core::fmt::Write;
use std::string::String;

use super::snapshot::Snapshot;
use super::symbols::Symbols;

/// The blocks that are live at the end, by the stack that allocated them, the most bytes first. Ends with one line of
/// totals, which is the whole text where nothing is live.
#[must_use]
pub fn leaks(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    let mut text = String::new();
    let mut stacks = 0;
    for (stack, row) in snapshot.sorted_by(|row| row.live_bytes) {
        if row.live == 0 {
            continue;
        }
        stacks += 1;
        let _ = writeln!(text, "{} bytes in {} blocks, allocated at", row.live_bytes, row.live);
        for (_, name) in symbols.stack(snapshot, stack) {
            let _ = match name.line {
                0 => writeln!(text, "    {}", name.function),
                line => writeln!(text, "    {} ({}:{line})", name.function, name.file),
            };
        }
    }
    let totals = &snapshot.totals;
    let about = if snapshot.rate > 0 { "about " } else { "" };
    let _ = writeln!(
        text,
        "live at the end: {about}{} bytes in {} blocks from {stacks} stacks; of {} bytes in {} blocks allocated",
        totals.live_bytes, totals.live, totals.alloc_bytes, totals.allocs
    );
    for warning in snapshot.warnings() {
        let _ = writeln!(text, "note: {warning}");
    }
    text
}
