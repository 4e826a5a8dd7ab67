//! The table in the terminal: one block a thread count, as many strategies side by side as the width holds.

use std::fmt::Write;

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, presets};

use super::Written;
use super::format;
use super::grid::Grid;
use super::summary::{self, Summary, Verdict, verdict};
use super::words;
use crate::schema::{Matrix, Status};

/// Narrower than this, tables are drawn as wide as their first two columns need.
const NARROWEST: usize = 40;

/// What a cell of the table says; the colour only repeats it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Faster,
    Slower,
    Failed,
    Faint,
}

type Row = Vec<(String, Tone)>;

/// The whole report for a terminal of `width` characters, with ANSI colours if `colour`. A `width` of 0 means that
/// there is no limit. Ends with what the figures do not tell; [`closing`] says what comes after.
#[must_use]
pub fn table(matrix: &Matrix, width: usize, colour: bool) -> String {
    let width = if width == 0 { usize::MAX } else { width.max(NARROWEST) };
    let grid = Grid::new(matrix);
    let summary = summary::of_grid(&grid);
    let page = Page { width, colour };
    let mut out = String::new();

    let about = format!(
        "Time as a ratio to {}, median ± the longer side of its 95 % interval, or [bounds] where it is wide; the ratio alone where there is one round. < faster, > slower, beyond the noise; no mark: cannot tell.",
        matrix.baseline
    );
    page.paragraph(&mut out, &about);
    for &threads in &grid.threads {
        page.heading(&mut out, &format!("Time, {}", format::thread_count(threads)));
        let contenders: Vec<&str> =
            grid.strategies.iter().copied().filter(|name| !grid.is_baseline(name)).collect();
        page.table(&mut out, "workload", &contenders, &grid.workloads_at(threads), |workload, strategy| {
            time(&grid, workload, threads, strategy)
        });
    }
    for &threads in &grid.threads {
        page.heading(
            &mut out,
            &format!(
                "Peak resident memory as a ratio to {}, {}",
                matrix.baseline,
                format::thread_count(threads)
            ),
        );
        page.table(
            &mut out,
            "workload",
            &grid.strategies,
            &grid.workloads_at(threads),
            |workload, strategy| memory(&grid, workload, threads, strategy),
        );
    }
    programs(&page, &mut out, &grid);
    totals(&page, &mut out, &grid, &summary);
    page.paragraph(&mut out, &words::noise(&summary, matrix));
    page.paragraph(&mut out, &words::rule(matrix));
    for note in &matrix.notes {
        page.paragraph(&mut out, &format!("Note: {}", plain(note)));
    }
    troubles(&page, &mut out, &grid);
    page.heading(&mut out, words::LIMITS_HEADING);
    for limit in words::limits(&grid, &summary) {
        page.item(&mut out, &plain(&limit));
    }
    out
}

/// Where the files are and what to type next, for the end of a run.
#[must_use]
pub fn closing(matrix: &Matrix, written: &Written) -> String {
    let mut out = String::new();
    for path in written.paths() {
        let _ = writeln!(out, "wrote {}", path.display());
    }
    let _ = writeln!(out, "next: {}", plain(&words::next_command(&Grid::new(matrix))));
    out
}

fn time(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> (String, Tone) {
    let Some(cell) = grid.cell(workload, threads, strategy) else {
        return (format::NONE.to_owned(), Tone::Faint);
    };
    match cell.status {
        Status::Failed => return ("FAILED".to_owned(), Tone::Failed),
        Status::Unsupported => return ("n/a".to_owned(), Tone::Faint),
        Status::Ok => {}
    }
    let Some(ratio) = grid.ratio(workload, threads, strategy) else {
        return (format::NONE.to_owned(), Tone::Faint);
    };
    let figures =
        if cell.rounds == 1 { format::ratio(ratio.median) } else { format::ratio_and_reach(&ratio) };
    // Two columns are kept for the mark, so that figures stay below each other.
    match verdict(&ratio, grid.noise(workload, threads).as_ref()) {
        _ if grid.is_control(strategy) => (format!("{figures}  "), Tone::Faint),
        Verdict::Faster => (format!("{figures} <"), Tone::Faster),
        Verdict::Slower => (format!("{figures} >"), Tone::Slower),
        Verdict::CannotTell => (format!("{figures}  "), Tone::Plain),
    }
}

fn memory(grid: &Grid<'_>, workload: &str, threads: usize, strategy: &str) -> (String, Tone) {
    let cell = grid.cell(workload, threads, strategy);
    match cell.map(|cell| (cell.status, cell.peak_rss_kib)) {
        Some((Status::Failed, _)) => ("FAILED".to_owned(), Tone::Failed),
        Some((Status::Unsupported, _)) => ("n/a".to_owned(), Tone::Faint),
        Some((Status::Ok, Some(peak))) if grid.is_baseline(strategy) => (format::memory(peak), Tone::Plain),
        _ => match grid.rss_ratio(workload, threads, strategy) {
            Some(ratio) => (format::ratio(ratio), Tone::Plain),
            None => (format::NONE.to_owned(), Tone::Faint),
        },
    }
}

/// Processor time of programs, which runs on more than one processor where wall-clock time may hide it.
fn programs(page: &Page, out: &mut String, grid: &Grid<'_>) {
    let programs = grid.workloads_at(0);
    if programs.is_empty() {
        return;
    }
    page.heading(out, "Processor time of programs");
    page.table(out, "workload", &grid.strategies, &programs, |workload, strategy| {
        match grid.cell(workload, 0, strategy).and_then(|cell| cell.cpu_ms) {
            Some(cpu) => (format::milliseconds(cpu), Tone::Plain),
            None => (format::NONE.to_owned(), Tone::Faint),
        }
    });
}

fn totals(page: &Page, out: &mut String, grid: &Grid<'_>, summary: &Summary) {
    page.heading(out, "Over all cells");
    let rows = [
        "time, geomean",
        "time, n cells",
        "time, common cells",
        "memory, geomean",
        "memory, n cells",
        "failed",
    ];
    let strategies: Vec<&str> =
        summary.strategies.iter().map(|strategy| strategy.strategy.as_str()).collect();
    let mean = |value: Option<f64>| value.map_or_else(|| format::NONE.to_owned(), format::ratio);
    page.table(out, "", &strategies, &rows, |row, name| {
        let Some(strategy) = summary.strategies.iter().find(|strategy| strategy.strategy == name) else {
            return (format::NONE.to_owned(), Tone::Faint);
        };
        let tone = if strategy.control { Tone::Faint } else { Tone::Plain };
        let text = match row {
            "time, geomean" => mean(strategy.time),
            "time, n cells" => strategy.cells.to_string(),
            "time, common cells" => mean(strategy.time_common),
            "memory, geomean" => mean(strategy.rss),
            "memory, n cells" => strategy.rss_cells.to_string(),
            _ if strategy.failed > 0 => return (strategy.failed.to_string(), Tone::Failed),
            _ => "0".to_owned(),
        };
        (text, tone)
    });
    for strategy in summary.strategies.iter().filter(|strategy| !strategy.control) {
        let mut line = format!("{}: {}", plain(&strategy.strategy), words::verdicts(strategy));
        if let Some(worst) = &strategy.worst {
            let _ = write!(
                line,
                "; worst {} ({}, {})",
                format::ratio(worst.ratio.median),
                plain(&worst.workload),
                format::thread_count(worst.threads)
            );
        }
        page.item(out, &line);
    }
    page.paragraph(out, &words::geomeans(summary, grid.matrix));
}

fn troubles(page: &Page, out: &mut String, grid: &Grid<'_>) {
    for (status, heading) in [(Status::Failed, "FAILED"), (Status::Unsupported, "n/a: unsupported")] {
        let list = words::troubles(grid, status);
        if list.is_empty() {
            continue;
        }
        page.heading(out, heading);
        for trouble in list {
            let line = format!(
                "{}, {}, {}: {}",
                trouble.strategy,
                trouble.workload,
                trouble.threads(),
                trouble.reason()
            );
            page.item(out, &plain(&line));
        }
    }
}

/// Data must not move the cursor: control characters become spaces.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A terminal to set text on.
struct Page {
    width: usize,
    colour: bool,
}

impl Page {
    fn heading(&self, out: &mut String, text: &str) {
        let text = words::wrap(text, self.width, "");
        let _ =
            if self.colour { writeln!(out, "\n\u{1b}[1m{text}\u{1b}[0m") } else { writeln!(out, "\n{text}") };
    }

    fn paragraph(&self, out: &mut String, text: &str) {
        let _ = writeln!(out, "\n{}", words::wrap(text, self.width.min(110), ""));
    }

    fn item(&self, out: &mut String, text: &str) {
        let _ = writeln!(out, "  {}", words::wrap(text, self.width.min(112).saturating_sub(2), "    "));
    }

    /// A table of `rows` by `columns`, cut into several below each other where the width asks for it.
    fn table(
        &self,
        out: &mut String,
        corner: &str,
        columns: &[&str],
        rows: &[&str],
        cell: impl Fn(&str, &str) -> (String, Tone),
    ) {
        let contents: Vec<Row> =
            columns.iter().map(|name| rows.iter().map(|row| cell(row, name)).collect()).collect();
        let first = rows.iter().map(|row| length(row)).max().unwrap_or(0).max(length(corner)) + 2;
        let mut from = 0;
        while from < columns.len() {
            let mut used = first;
            let mut to = from;
            while to < columns.len() {
                let widest = contents[to].iter().map(|(text, _)| length(text)).max().unwrap_or(0);
                // A blank on both sides, and the place where the rules of two columns meet.
                used += widest.max(length(columns[to])) + 3;
                if used > self.width && to > from {
                    break;
                }
                to += 1;
            }
            if from > 0 {
                out.push('\n');
            }
            self.block(out, corner, &columns[from..to], rows, &contents[from..to]);
            from = to;
        }
    }

    fn block(&self, out: &mut String, corner: &str, columns: &[&str], rows: &[&str], contents: &[Row]) {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()))
            .set_content_arrangement(ContentArrangement::Disabled)
            .force_no_tty();
        if self.colour {
            table.enforce_styling();
        }
        let head = |text: &str| Cell::new(plain(text)).add_attribute(Attribute::Bold);
        let heads = std::iter::once(head(corner))
            .chain(columns.iter().map(|name| head(name).set_alignment(CellAlignment::Right)));
        table.set_header(heads.collect::<Vec<_>>());
        for (index, row) in rows.iter().enumerate() {
            let figures = contents.iter().map(|column| {
                let (text, tone) = &column[index];
                styled(text, *tone).set_alignment(CellAlignment::Right)
            });
            table.add_row(std::iter::once(Cell::new(plain(row))).chain(figures).collect::<Vec<_>>());
        }
        let _ = writeln!(out, "{}", table.trim_fmt());
    }
}

/// Blue-green and yellow are told apart by readers of every colour vision, on dark and on light terminals.
fn styled(text: &str, tone: Tone) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Faster => cell.fg(Color::DarkCyan),
        Tone::Slower => cell.fg(Color::DarkYellow),
        Tone::Failed => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Faint => cell.fg(Color::DarkGrey),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}
