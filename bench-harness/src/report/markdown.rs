//! `matrix.md`: the figures for a pull request. The summary and what failed are in sight; the table of each workload
//! unfolds.

use std::fmt::Write;

use super::escape;
use super::format;
use super::grid::Grid;
use super::summary::{self, Summary, Verdict, verdict};
use super::words;
use crate::schema::{Matrix, Status};

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = writeln!($out, $($arg)*); };
}

pub(super) fn render(matrix: &Matrix) -> String {
    let grid = Grid::new(matrix);
    let summary = summary::of_grid(&grid);
    let mut out = String::new();
    put!(out, "# Allocation strategies against {}\n", text(&matrix.baseline));
    put!(
        out,
        "Ratios to {}; below 1.00 is faster or smaller. {}\n",
        text(&matrix.baseline),
        text(&words::rule(matrix))
    );
    overview(&mut out, &summary);
    put!(out, "\n{}\n", text(&words::noise(&summary, matrix)));
    put!(out, "{}\n", text(&words::geomeans(&summary, matrix)));
    for note in &matrix.notes {
        put!(out, "> {}\n", text(note));
    }
    troubles(&mut out, &grid);
    put!(out, "## Workloads\n");
    put!(
        out,
        "Median time ratio with its 95 % interval (one round has none), then peak resident memory and its ratio. **Bold**: faster or slower beyond the noise.\n"
    );
    for name in &grid.workloads {
        workload(&mut out, &grid, name);
    }
    put!(out, "## Machine and build\n");
    put!(out, "| fact | value |\n|---|---|");
    for (label, value) in words::facts(matrix) {
        put!(out, "| {label} | {} |", text(&value));
    }
    put!(out, "\n## {}\n", words::LIMITS_HEADING);
    for limit in words::limits(&grid, &summary) {
        put!(out, "- {}", text(&limit));
    }
    out
}

fn overview(out: &mut String, summary: &Summary) {
    put!(
        out,
        "| strategy | time, geomean (n) | time, common cells | peak memory, geomean (n) | against the noise | worst time ratio | failed | unsupported |\n|---|---:|---:|---:|---|---|---:|---:|"
    );
    for strategy in &summary.strategies {
        let mean = |value: Option<f64>| value.map_or_else(|| format::NONE.to_owned(), format::ratio);
        let worst = strategy.worst.as_ref().map_or_else(
            || format::NONE.to_owned(),
            |place| {
                format!(
                    "{} ({}, {})",
                    format::ratio(place.ratio.median),
                    text(&place.workload),
                    format::thread_count(place.threads)
                )
            },
        );
        put!(
            out,
            "| {} | {} ({}) | {} | {} ({}) | {} | {worst} | {} | {} |",
            text(&strategy.strategy),
            mean(strategy.time),
            strategy.cells,
            mean(strategy.time_common),
            mean(strategy.rss),
            strategy.rss_cells,
            words::verdicts(strategy),
            strategy.failed,
            strategy.unsupported
        );
    }
}

fn troubles(out: &mut String, grid: &Grid<'_>) {
    for (status, heading) in [(Status::Failed, "Failed cells"), (Status::Unsupported, "Unsupported cells")] {
        let list = words::troubles(grid, status);
        if list.is_empty() {
            continue;
        }
        put!(out, "## {heading}\n\n| strategy | workload | threads | reason |\n|---|---|---|---|");
        for trouble in list {
            put!(
                out,
                "| {} | {} | {} | {} |",
                text(trouble.strategy),
                text(trouble.workload),
                trouble.threads(),
                text(trouble.reason())
            );
        }
        put!(out, "");
    }
}

fn workload(out: &mut String, grid: &Grid<'_>, name: &str) {
    // Inside an HTML element on its own line, Markdown's escapes would show.
    let line = |raw: &str| escape::text(&raw.replace(['\n', '\r'], " "));
    put!(out, "<details><summary><b>{}</b>: {}</summary>\n", line(name), line(grid.about(name)));
    let mut heads = "| strategy |".to_owned();
    let mut rules = "|---|".to_owned();
    let counts: Vec<usize> = grid.threads_of(name).collect();
    let mut head = |what: &str, threads: usize| {
        let _ = write!(heads, " {what}, {} |", format::thread_count(threads));
        rules.push_str("---:|");
    };
    counts.iter().for_each(|&threads| head("time", threads));
    counts.iter().for_each(|&threads| head("memory", threads));
    // Of a program, which may use more processors than one.
    let programs: Vec<usize> = counts.iter().copied().filter(|&threads| threads == 0).collect();
    programs.iter().for_each(|&threads| head("processor time", threads));
    put!(out, "{heads}\n{rules}");
    for strategy in &grid.strategies {
        let mut row = format!("| {} |", text(strategy));
        for &threads in &counts {
            let _ = write!(row, " {} |", time(grid, name, threads, strategy));
        }
        for &threads in &counts {
            let _ = write!(row, " {} |", memory(grid, name, threads, strategy));
        }
        for &threads in &programs {
            let cpu = grid.cell(name, threads, strategy).and_then(|cell| cell.cpu_ms);
            let _ = write!(row, " {} |", cpu.map_or_else(|| format::NONE.to_owned(), format::milliseconds));
        }
        put!(out, "{row}");
    }
    put!(out, "\n</details>\n");
}

fn time(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> String {
    let Some(cell) = grid.cell(workload, threads, strategy) else {
        return format::NONE.to_owned();
    };
    match cell.status {
        Status::Failed => return "**FAILED**".to_owned(),
        Status::Unsupported => return "unsupported".to_owned(),
        Status::Ok => {}
    }
    if grid.is_baseline(strategy) {
        // The one absolute time of the column: from it and the ratios the others follow.
        return cell.ns_per_op.map_or_else(
            || format::NONE.to_owned(),
            |time| format!("{} per operation", format::nanoseconds(time.median)),
        );
    }
    let Some(ratio) = grid.ratio(workload, threads, strategy) else {
        return format::NONE.to_owned();
    };
    let said = verdict(&ratio, grid.noise(workload, threads).as_ref());
    let figures =
        if cell.rounds == 1 { format::ratio(ratio.median) } else { format::ratio_and_bounds(&ratio) };
    if said == Verdict::CannotTell || grid.is_control(strategy) { figures } else { format!("**{figures}**") }
}

fn memory(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> String {
    let peak = grid
        .cell(workload, threads, strategy)
        .filter(|cell| cell.status == Status::Ok)
        .and_then(|cell| cell.peak_rss_kib);
    match (peak, grid.rss_ratio(workload, threads, strategy)) {
        (None, _) => format::NONE.to_owned(),
        (Some(peak), Some(ratio)) if !grid.is_baseline(strategy) => {
            format!("{} ({}×)", format::memory(peak), format::ratio(ratio))
        }
        (Some(peak), _) => format::memory(peak),
    }
}

/// Text from data, so that it stays text inside a table, a quote or an HTML element.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out
}
