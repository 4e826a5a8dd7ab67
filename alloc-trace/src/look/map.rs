//! The map as terminal text.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use alloc_core::{Inspect, Visit};

use super::Colour;
use super::account::{Account, NAMES, account};
use super::cells::{self, Cell, Item};

/// Escape sequences of the states' colours.
pub(crate) const COLOURS: [&str; 7] = ["32", "90", "35", "36", "1;31", "33", "34"];
/// What stands for a cell without live blocks, by state, where there is no colour.
const LETTERS: [char; 7] = ['?', '.', 'c', '?', '!', 'm', '-'];
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Cells of a row.
const COLUMNS: usize = 64;
/// Cells of a map at most, roughly.
const CELLS: u64 = 64 * 512;

/// Draws a heap: a row of blocks for each part of a zone, higher where more of the cell is live; cells without live blocks
/// as `.` free, `c` cached, `m` metadata, `-` between blocks; `!` corrupted. Then the account. `None` where the strategy
/// cannot be walked, which is then said.
///
/// # Errors
/// What `out` answers.
pub fn terminal(
    strategy: &dyn Inspect,
    colour: Colour,
    out: &mut dyn Write,
) -> Result<Option<Account>, fmt::Error> {
    let Some(before) = account(strategy) else {
        writeln!(out, "{}: this strategy's memory cannot be walked", strategy.name())?;
        return Ok(None);
    };
    let size = cells::cell_size(before.bytes, CELLS);
    writeln!(
        out,
        "{}: {} zones, {} bytes; a cell is {size} bytes",
        strategy.name(),
        before.zones,
        before.bytes
    )?;
    let mut row = Row { address: 0, column: 0, size, colour };
    let mut result = Ok(());
    let account = cells::walk(strategy, size, &mut |item| {
        result = row.draw(item, out);
        if result.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    });
    result?;
    if let Some(account) = &account {
        write_account(account, out)?;
    }
    Ok(account)
}

struct Row {
    address: usize,
    column: usize,
    size: usize,
    colour: Colour,
}

impl Row {
    fn draw(&mut self, item: Item, out: &mut dyn Write) -> fmt::Result {
        match item {
            Item::Zone(zone) => {
                (self.address, self.column) = (zone.address, 0);
                writeln!(out, "zone {:#x}, {} bytes", zone.address, zone.size)
            }
            Item::Cell(cell) => {
                if self.column == 0 {
                    write!(out, "  {:#014x} ", self.address)?;
                }
                self.cell(&cell, out)?;
                self.address += self.size;
                self.column += 1;
                if self.column == COLUMNS {
                    self.column = 0;
                    writeln!(out)?;
                }
                Ok(())
            }
            Item::EndOfZone if self.column > 0 => writeln!(out),
            Item::EndOfZone => Ok(()),
        }
    }

    fn cell(&self, cell: &Cell, out: &mut dyn Write) -> fmt::Result {
        let state = cell.state();
        let shown = match cell.fill() {
            _ if state == 4 => '!',
            0 => LETTERS.get(state).copied().unwrap_or('?'),
            fill => LEVELS.get(fill).copied().unwrap_or('█'),
        };
        match self.colour {
            Colour::Never => out.write_char(shown),
            Colour::Always => {
                write!(out, "\x1b[{}m{shown}\x1b[0m", COLOURS.get(state).copied().unwrap_or("0"))
            }
        }
    }
}

/// One line for each state, and whether the sums are right.
fn write_account(account: &Account, out: &mut dyn Write) -> fmt::Result {
    for ((name, bytes), blocks) in NAMES.iter().zip(account.by_state).zip(account.blocks) {
        if bytes > 0 || blocks > 0 {
            writeln!(out, "  {name:<10}{bytes:>14} bytes {blocks:>10} blocks")?;
        }
    }
    let verdict = if account.adds_up() { "every byte is accounted for" } else { "the sums are wrong" };
    write!(out, "  {:<10}{:>14} bytes: {verdict}", "in all", account.bytes)?;
    if account.misplaced > 0 {
        write!(out, "; {} blocks overlap others or leave their zone", account.misplaced)?;
    }
    writeln!(out)
}
