//! The arenas of `ptmalloc`, one by one, in glibc's two forms.

use alloc_ptmalloc::{ArenaFigures, BinFigures};

use crate::figures::Cut;
use crate::front::Heap;
use crate::text::Text;

/// Bytes of an arena in live and cached blocks.
fn used(arena: &ArenaFigures) -> usize {
    arena.system_mem.saturating_sub(arena.free().bytes + arena.fast().bytes + arena.depot_bytes)
}

/// The `Arena` parts of `malloc_stats`.
pub(crate) fn glibc(text: &mut Text<'_>, heap: &Heap) {
    heap.arenas(|arena| {
        text.text("Arena ").decimal(arena.number as u64);
        text.text(":\nsystem bytes     = ").padded(arena.system_mem as u64, 10);
        text.text("\nin use bytes     = ").padded(used(arena) as u64, 10).text("\n");
    });
}

/// ` count="7" size="4096"`
fn count_and_size(text: &mut Text<'_>, chunks: u64, bytes: u64) {
    text.text(" count=\"").decimal(chunks).text("\" size=\"").decimal(bytes).text("\"/>\n");
}

/// A line of `<sizes>`; nothing for an empty bin.
fn sizes(text: &mut Text<'_>, tag: &str, bin: &BinFigures) {
    if bin.chunks == 0 {
        return;
    }
    text.text("  <").text(tag).text(" from=\"").decimal(bin.smallest as u64);
    text.text("\" to=\"").decimal(bin.largest as u64).text("\" total=\"").decimal(bin.bytes as u64);
    text.text("\" count=\"").decimal(bin.chunks as u64).text("\"/>\n");
}

/// `malloc_info` with a `heap` element for each arena. Blocks that threads have cached count as fast ones in the total.
pub(crate) fn xml(text: &mut Text<'_>, heap: &Heap, cut: &Cut) {
    text.text("<malloc version=\"1\">\n");
    heap.arenas(|arena| {
        text.text("<heap nr=\"").decimal(arena.number as u64).text("\">\n<sizes>\n");
        for bin in arena.fastbins.iter().chain(arena.small_bins()).chain(arena.large_bins()) {
            sizes(text, "size", bin);
        }
        sizes(text, "unsorted", &arena.unsorted);
        text.text("</sizes>\n<total type=\"fast\"");
        let (fast, free) = (arena.fast(), arena.free());
        count_and_size(text, fast.chunks as u64, fast.bytes as u64);
        text.text("<total type=\"rest\"");
        count_and_size(text, free.chunks as u64, free.bytes as u64);
        for (kind, bytes) in [("current", arena.system_mem), ("max", arena.max_system_mem)] {
            text.text("<system type=\"").text(kind).text("\" size=\"").decimal(bytes as u64).text("\"/>\n");
        }
        for kind in ["total", "mprotect"] {
            text.text("<aspace type=\"")
                .text(kind)
                .text("\" size=\"")
                .decimal(arena.system_mem as u64)
                .text("\"/>\n");
        }
        text.text("</heap>\n");
    });
    cut.xml(text);
    text.text("</malloc>\n");
}
