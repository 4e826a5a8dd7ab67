//! DHAT's JSON, version 2, as `dh_view.html` and the Firefox Profiler read it.

use std::collections::HashMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::json::{list, quoted};
use super::snapshot::Snapshot;
use super::symbols::Symbols;

/// The snapshot as a DHAT profile. Times are microseconds. Traces of counts have no lifetimes: their blocks' are 0.
#[must_use]
pub fn dhat(snapshot: &Snapshot, symbols: &mut Symbols) -> String {
    let mut table: Vec<String> = std::vec![quoted("[root]")];
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut points = Vec::new();
    for (&stack, row) in &snapshot.rows {
        let mut frames = Vec::new();
        for (address, name) in symbols.stack(snapshot, stack) {
            let place =
                if name.line == 0 { String::new() } else { format!(" ({}:{})", name.file, name.line) };
            let text = format!("{address:#x}: {}{place}", name.function);
            let next = table.len();
            let number = *numbers.entry(text.clone()).or_insert(next);
            if number == next {
                table.push(quoted(&text));
            }
            frames.push(number.to_string());
        }
        points.push(format!(
            "{{\"tb\":{},\"tbk\":{},\"tl\":{},\"mb\":{},\"mbk\":{},\"gb\":{},\"gbk\":{},\"eb\":{},\"ebk\":{},\"fs\":{}}}",
            row.alloc_bytes,
            row.allocs,
            row.lifetime / 1000,
            row.max_bytes,
            row.max_blocks,
            row.peak_bytes,
            row.peak_blocks,
            row.live_bytes,
            row.live,
            list(frames)
        ));
    }
    format!(
        "{{\"dhatFileVersion\":2,\"mode\":\"strata-heap\",\"verb\":\"Allocated\",\"bklt\":true,\"bkacc\":false,\
         \"tu\":\"µs\",\"Mtu\":\"s\",\"tuth\":10,\"cmd\":{},\"pid\":{},\"tg\":{},\"te\":{},\"pps\":{},\"ftbl\":{}}}\n",
        quoted(snapshot.command()),
        snapshot.process,
        snapshot.totals.peak_nanos / 1000,
        snapshot.totals.nanos / 1000,
        list(points),
        list(table)
    )
}
