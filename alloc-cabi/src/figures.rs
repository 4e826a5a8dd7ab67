//! A strategy's figures, in the forms that users know: glibc's two, a table, and JSON.

use alloc_core::{Gauge, Inspect, Stats};

use crate::registry::Served;
use crate::text::Text;
use crate::{arenas, front, layers};

/// Every figure with its name, in the order of `strata_stats`.
const fn named(stats: &Stats) -> [(&'static str, Gauge); 13] {
    [
        ("reserved", stats.reserved),
        ("committed", stats.committed),
        ("committed_peak", stats.committed_peak),
        ("live", stats.live),
        ("live_blocks", stats.live_blocks),
        ("cached", stats.cached),
        ("cached_blocks", stats.cached_blocks),
        ("free", stats.free),
        ("free_blocks", stats.free_blocks),
        ("free_largest", stats.free_largest),
        ("mapped", stats.mapped),
        ("mapped_blocks", stats.mapped_blocks),
        ("metadata", stats.metadata),
    ]
}

/// What was asked for, where that is counted (`count_calls`).
fn calls() -> impl Iterator<Item = (&'static str, u64)> {
    layers::counting().into_iter().flat_map(|counting| {
        let counts = counting.counts();
        [
            ("allocations", counts.allocs),
            ("frees", counts.frees),
            ("resizes", counts.resizes),
            ("refused", counts.refused),
            ("asked_for", counts.bytes),
        ]
    })
}

/// Figures as glibc cuts them: the heap apart from blocks with mappings of their own. What is not known is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes of the heap.
    pub(crate) arena: u64,
    /// Bytes of it in live blocks.
    pub(crate) used: u64,
    /// Bytes of it that are free or cached.
    pub(crate) free: u64,
    pub(crate) free_blocks: u64,
    pub(crate) cached: u64,
    pub(crate) cached_blocks: u64,
    pub(crate) mapped: u64,
    pub(crate) mapped_blocks: u64,
    /// Highest number of bytes taken from the system.
    pub(crate) peak: u64,
}

impl Cut {
    pub(crate) fn of(stats: &Stats) -> Self {
        let known = |gauge: Gauge| gauge.get().unwrap_or(0);
        let mapped = known(stats.mapped);
        let arena = known(stats.committed).saturating_sub(mapped);
        let free = known(stats.free) + known(stats.cached);
        let used = match stats.live.get() {
            Some(live) => live.saturating_sub(mapped),
            None => arena.saturating_sub(free),
        };
        Self {
            arena,
            used,
            free,
            free_blocks: known(stats.free_blocks),
            cached: known(stats.cached),
            cached_blocks: known(stats.cached_blocks),
            mapped,
            mapped_blocks: known(stats.mapped_blocks),
            peak: known(stats.committed_peak).max(arena + mapped),
        }
    }
}

/// As glibc's `malloc_stats`; a strategy without arenas counts as one.
pub(crate) fn glibc(text: &mut Text<'_>, served: &Served) {
    let cut = Cut::of(&served.handle.stats());
    match front::heap_of(served) {
        Some(heap) => arenas::glibc(text, heap),
        None => {
            text.text("Arena 0:\nsystem bytes     = ").padded(cut.arena, 10);
            text.text("\nin use bytes     = ").padded(cut.used, 10).text("\n");
        }
    }
    text.text("Total (incl. mmap):\nsystem bytes     = ").padded(cut.arena + cut.mapped, 10);
    text.text("\nin use bytes     = ").padded(cut.used + cut.mapped, 10);
    text.text("\nmax system bytes = ").padded(cut.peak, 10);
    text.text("\nmmap regions     = ").padded(cut.mapped_blocks, 10);
    text.text("\nmmap bytes       = ").padded(cut.mapped, 10).text("\n");
}

/// As glibc's `malloc_info`, version 1; a strategy without arenas counts as one heap, with its name as an attribute.
pub(crate) fn xml(text: &mut Text<'_>, served: &Served) {
    let cut = Cut::of(&served.handle.stats());
    if let Some(heap) = front::heap_of(served) {
        return arenas::xml(text, heap, &cut);
    }
    text.text("<malloc version=\"1\">\n<heap nr=\"0\" strategy=\"").text(served.choice.name());
    text.text("\">\n<sizes>\n</sizes>\n");
    let heap = Cut { mapped: 0, mapped_blocks: 0, peak: cut.peak.saturating_sub(cut.mapped), ..cut };
    heap.xml(text);
    text.text("</heap>\n");
    cut.xml(text);
    text.text("</malloc>\n");
}

impl Cut {
    /// The elements at the end of a `heap` or of everything.
    pub(crate) fn xml(&self, text: &mut Text<'_>) {
        let mut total = |kind: &str, count: u64, size: u64| {
            text.text("<total type=\"").text(kind).text("\" count=\"").decimal(count);
            text.text("\" size=\"").decimal(size).text("\"/>\n");
        };
        total("fast", self.cached_blocks, self.cached);
        total("rest", self.free_blocks, self.free - self.cached);
        total("mmap", self.mapped_blocks, self.mapped);
        let all = self.arena + self.mapped;
        for (element, kind, size) in [
            ("system", "current", all),
            ("system", "max", self.peak),
            ("aspace", "total", all),
            ("aspace", "mprotect", all),
        ] {
            text.text("<")
                .text(element)
                .text(" type=\"")
                .text(kind)
                .text("\" size=\"")
                .decimal(size)
                .text("\"/>\n");
        }
    }
}

/// One figure a line; a dash for what is not known.
pub(crate) fn table(text: &mut Text<'_>, served: &Served) {
    text.text("strata: ").text(served.choice.name()).text(", when the program ended:\n");
    let mut row = |name: &str, value: Option<u64>| {
        text.text("  ").text(name);
        for _ in name.len()..15 {
            text.text(" ");
        }
        match value {
            Some(value) => text.padded(value, 14),
            None => text.text("             -"),
        };
        text.text("\n");
    };
    for (name, gauge) in named(&served.handle.stats()) {
        row(name, gauge.get());
    }
    for (name, value) in calls() {
        row(name, Some(value));
    }
}

/// One line: `{"pid":1,"strategy":"bump","reserved":4096,...}`, with `null` for what is not known.
pub(crate) fn json(text: &mut Text<'_>, served: &Served) {
    // SAFETY: a query without effect.
    let pid = unsafe { libc::getpid() };
    text.text("{\"pid\":").decimal(u64::from(pid.unsigned_abs()));
    text.text(",\"strategy\":\"").text(served.choice.name()).text("\"");
    for (name, gauge) in named(&served.handle.stats()) {
        text.text(",\"").text(name).text("\":");
        match gauge.get() {
            Some(value) => text.decimal(value),
            None => text.text("null"),
        };
    }
    for (name, value) in calls() {
        text.text(",\"").text(name).text("\":").decimal(value);
    }
    text.text("}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_adds_up() {
        let stats = Stats {
            committed: Gauge::of(1000),
            committed_peak: Gauge::of(5000),
            live: Gauge::of(700),
            cached: Gauge::of(40),
            free: Gauge::of(150),
            mapped: Gauge::of(300),
            mapped_blocks: Gauge::of(2),
            ..Stats::UNKNOWN
        };
        let cut = Cut::of(&stats);
        assert_eq!((cut.arena, cut.used, cut.free, cut.peak), (700, 400, 190, 5000));
        let unknown = Cut::of(&Stats::UNKNOWN);
        assert_eq!((unknown.arena, unknown.used, unknown.free, unknown.peak), (0, 0, 0, 0));
    }
}
