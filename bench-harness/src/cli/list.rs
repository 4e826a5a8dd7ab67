//! The flag `--list`: what there is to choose from.

#![forbid(unsafe_code)]

use std::fmt::Write as _;

use crate::contender::Ours;
use crate::registry;
use crate::workload;

/// Workloads and strategies, each with a line on what it is.
pub(super) fn text() -> String {
    let mut text = String::from("Workloads\n");
    let catalogue = workload::catalogue();
    let wide = catalogue.iter().map(|work| work.name().len()).max().unwrap_or(0);
    for work in catalogue {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:wide$}  {}", work.name(), work.about());
    }
    text.push_str("\nStrategies\n");
    for entry in registry::all() {
        let _ = writeln!(text, "  {:10}  {} ({})", entry.name, entry.about, (entry.version)());
    }
    for peer in registry::PEERS.iter().filter(|peer| registry::find(peer.as_bytes()).is_none()) {
        let _ = writeln!(
            text,
            "  {peer:10}  not in this build; `--features {peer}`, or `--features peers` for all"
        );
    }
    let ours = Ours::names().join(", ");
    let _ = writeln!(text, "\nStrategies of libstrata.so, for --preload NAME=strata:STRATEGY\n  {ours}");
    text
}
