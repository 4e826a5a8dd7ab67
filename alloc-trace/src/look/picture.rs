//! The map as SVG, and as a self-contained page around it.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use alloc_core::{Inspect, Visit};

use super::account::{Account, CORRUPTED, NAMES, account};
use super::cells::{self, Item};

/// Cells of a row, and their size on the picture.
const COLUMNS: usize = 128;
const PIXELS: usize = 7;
const LEFT: usize = 130;
const TOP: usize = 46;
const CELLS: u64 = 128 * 256;
/// The states' colours: readable on light and dark ground.
const COLOURS: [&str; 7] = ["#2e9e5b", "#c9ced6", "#a768c9", "#2a8fbd", "#e02d2d", "#d9a521", "#6f86c9"];

/// Draws a heap as an SVG picture, and answers with the account of it. A strategy that cannot be walked gets a picture that
/// says so.
///
/// # Errors
/// What `out` answers.
pub fn svg(strategy: &dyn Inspect, out: &mut dyn Write) -> Result<Option<Account>, fmt::Error> {
    let width = LEFT + COLUMNS * PIXELS + 10;
    let Some(before) = account(strategy) else {
        head(width, TOP, out)?;
        writeln!(
            out,
            "<text x=\"4\" y=\"16\" fill=\"currentColor\">{}: this strategy's memory cannot be walked</text>\n</svg>",
            strategy.name()
        )?;
        return Ok(None);
    };
    let size = cells::cell_size(before.bytes, CELLS);
    head(width, TOP + height_of(strategy, size) + 10, out)?;
    writeln!(
        out,
        "<text x=\"4\" y=\"16\" fill=\"currentColor\">{}: {} zones, {} bytes; a cell is {size} bytes</text>",
        strategy.name(),
        before.zones,
        before.bytes
    )?;
    legend(out)?;
    let mut pen = Pen { top: TOP, address: 0, column: 0, run: None, size };
    let mut result = Ok(());
    let account = cells::walk(strategy, size, &mut |item| {
        result = pen.draw(item, out);
        if result.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    });
    result?;
    writeln!(out, "</svg>")?;
    Ok(account)
}

fn head(width: usize, height: usize, out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace,monospace\" font-size=\"11\">"
    )
}

/// What the colours say.
fn legend(out: &mut dyn Write) -> fmt::Result {
    for (index, (name, colour)) in NAMES.iter().zip(COLOURS).enumerate() {
        let x = LEFT + index * 100;
        writeln!(
            out,
            "<g><rect x=\"{x}\" y=\"26\" width=\"9\" height=\"9\" fill=\"{colour}\"></rect>\
             <text x=\"{}\" y=\"35\" fill=\"currentColor\">{name}</text></g>",
            x + 14
        )?;
    }
    Ok(())
}

/// The picture's height without margins, in pixels.
fn height_of(strategy: &dyn Inspect, size: usize) -> usize {
    let mut rows = 0;
    let mut gaps = 0;
    let _ = strategy.walk(&mut |step| {
        if let alloc_core::Step::Zone(zone) = step {
            rows += zone.size.div_ceil(size).div_ceil(COLUMNS);
            gaps += 1;
        }
        Visit::Continue(())
    });
    rows * PIXELS + gaps * PIXELS * 2
}

/// Cells of one row that look the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    look: Look,
    from: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    state: usize,
    ground: usize,
    live: usize,
    fill: usize,
}

struct Pen {
    top: usize,
    address: usize,
    column: usize,
    run: Option<Run>,
    size: usize,
}

impl Pen {
    fn draw(&mut self, item: Item, out: &mut dyn Write) -> fmt::Result {
        match item {
            Item::Zone(zone) => {
                self.top += PIXELS;
                self.column = 0;
                self.address = zone.address;
                writeln!(
                    out,
                    "<text x=\"4\" y=\"{}\" fill=\"currentColor\">{:#014x}<title>zone of {} bytes</title></text>",
                    self.top + PIXELS,
                    zone.address,
                    zone.size
                )
            }
            Item::Cell(cell) => {
                let look =
                    Look { state: cell.state(), ground: cell.ground(), live: cell.live(), fill: cell.fill() };
                if self.run.is_none_or(|run| run.look != look) {
                    self.flush(out)?;
                    self.run = Some(Run { look, from: self.column });
                }
                self.column += 1;
                if self.column == COLUMNS {
                    self.new_row(out)?;
                }
                Ok(())
            }
            Item::EndOfZone => {
                if self.column > 0 {
                    self.new_row(out)?;
                }
                self.top += PIXELS;
                Ok(())
            }
        }
    }

    fn new_row(&mut self, out: &mut dyn Write) -> fmt::Result {
        self.flush(out)?;
        self.address += COLUMNS * self.size;
        self.column = 0;
        self.top += PIXELS;
        Ok(())
    }

    fn flush(&mut self, out: &mut dyn Write) -> fmt::Result {
        let Some(Run { look, from }) = self.run.take() else { return Ok(()) };
        let Look { state, ground, live, fill } = look;
        let x = LEFT + from * PIXELS;
        let width = (self.column - from) * PIXELS - 1;
        let address = self.address + from * self.size;
        let name = NAMES.get(state).copied().unwrap_or("?");
        // Of cells that are live in part, the ground is what the rest is; the live part stands on it, as high as it is large.
        let mixed = state != CORRUPTED && (1..8).contains(&fill);
        let below = if mixed { ground } else { state };
        let height = if mixed { ((PIXELS - 1) * fill).div_ceil(8) } else { 0 };
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{}\">\
             <title>{address:#x}: {name}, {fill}/8 live</title></rect>",
            self.top,
            PIXELS - 1,
            COLOURS.get(below).copied().unwrap_or("#000"),
        )?;
        if height == 0 {
            return Ok(());
        }
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"{}\" pointer-events=\"none\"></rect>",
            self.top + PIXELS - 1 - height,
            COLOURS.get(live).copied().unwrap_or("#000"),
        )
    }
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Strata heap map</title><style>\n\
:root{color-scheme:light dark}body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1060px;padding:0 1em}\n\
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em 1em;text-align:right}td:first-child,th:first-child{text-align:left}\n\
tr+tr{border-top:1px solid #8884}i{display:inline-block;width:.8em;height:.8em;margin-right:.6em;border-radius:2px}\n\
svg{max-width:100%;height:auto}\n</style></head><body>\n<h1>Heap map</h1>\n";

/// Draws a heap as a page of its own: the account as a table, and the picture. A strategy that cannot be walked gets a page
/// that says so.
///
/// # Errors
/// What `out` answers.
pub fn html(strategy: &dyn Inspect, out: &mut dyn Write) -> Result<Option<Account>, fmt::Error> {
    out.write_str(HEAD)?;
    let Some(before) = account(strategy) else {
        writeln!(
            out,
            "<p>The memory of the strategy <b>{}</b> cannot be walked.</p></body></html>",
            strategy.name()
        )?;
        return Ok(None);
    };
    writeln!(out, "<table><tr><th>state</th><th>bytes</th><th>blocks</th><th>share</th></tr>")?;
    for (((name, bytes), blocks), colour) in NAMES.iter().zip(before.by_state).zip(before.blocks).zip(COLOURS)
    {
        let share = bytes as u128 * 1000 / u128::from(before.bytes.max(1));
        writeln!(
            out,
            "<tr><td><i style=\"background:{colour}\"></i>{name}</td><td>{bytes}</td><td>{blocks}</td><td>{}.{} %</td></tr>",
            share / 10,
            share % 10
        )?;
    }
    let verdict = if before.adds_up() { "every byte is accounted for" } else { "the sums are wrong" };
    writeln!(out, "<tr><td>in all</td><td>{}</td><td></td><td>{verdict}</td></tr></table>", before.bytes)?;
    let drawn = svg(strategy, out)?;
    writeln!(out, "</body></html>")?;
    Ok(drawn)
}
