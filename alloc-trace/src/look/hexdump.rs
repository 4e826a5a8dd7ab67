//! The memory around an address, byte for byte, with what each byte is.

use core::fmt::{self, Write};

use alloc_core::{Inspect, Visit};

use super::Colour;
use super::account::{self, Entry, STATES};
use super::map::COLOURS;
use super::peek::peek;

const ROW: usize = 16;
const ROWS: usize = 17;
const SPAN: usize = ROW * ROWS;
/// Outside all zones.
const OUTSIDE: u8 = STATES as u8;
const LETTERS: [char; STATES + 1] = ['u', '.', 'c', 'U', '!', 'm', '-', ' '];

/// Shows 17 rows of 16 bytes, the middle one with the address: hexadecimal, text, and a letter for the state of each byte
/// (`u` used, `U` mapped, `.` free, `c` cached, `m` metadata, `-` between blocks, `!` corrupted), in the manner of
/// AddressSanitizer's shadow. Bytes outside the strategy's zones, and such as cannot be read, are not shown.
///
/// # Errors
/// What `out` answers.
pub fn hexdump(strategy: &dyn Inspect, address: usize, colour: Colour, out: &mut dyn Write) -> fmt::Result {
    let first = (address & !(ROW - 1)).saturating_sub(ROW * (ROWS / 2));
    let states = states(strategy, first);
    for (row, states) in states.chunks(ROW).enumerate() {
        if states.iter().all(|&state| state == OUTSIDE) {
            continue;
        }
        let start = first + row * ROW;
        let mut bytes = [0; ROW];
        let readable = peek(start, &mut bytes);
        let mark = if start == address & !(ROW - 1) { "=>" } else { "  " };
        write!(out, "{mark}{start:#014x} ")?;
        for (offset, (byte, &state)) in bytes.iter().zip(states).enumerate() {
            let before = if start + offset == address { '[' } else { ' ' };
            let before = if start + offset == address + 1 && offset > 0 { ']' } else { before };
            out.write_char(before)?;
            if offset >= readable || state == OUTSIDE {
                out.write_str("..")?;
            } else {
                coloured(colour, state, out, format_args!("{byte:02x}"))?;
            }
        }
        out.write_str(if address == start + ROW - 1 { "] |" } else { "  |" })?;
        for (offset, &byte) in bytes.iter().enumerate() {
            let shown = offset < readable && (0x20..0x7f).contains(&byte);
            out.write_char(if shown { byte.into() } else { '.' })?;
        }
        out.write_str("| ")?;
        for &state in states {
            let letter = LETTERS.get(usize::from(state)).copied().unwrap_or('?');
            coloured(colour, state, out, format_args!("{letter}"))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn coloured(colour: Colour, state: u8, out: &mut dyn Write, text: fmt::Arguments<'_>) -> fmt::Result {
    match (colour, COLOURS.get(usize::from(state))) {
        (Colour::Always, Some(sequence)) => write!(out, "\x1b[{sequence}m{text}\x1b[0m"),
        _ => out.write_fmt(text),
    }
}

/// The states of the bytes from `first` on.
fn states(strategy: &dyn Inspect, first: usize) -> [u8; SPAN] {
    let mut states = [OUTSIDE; SPAN];
    let mut at = 0_usize;
    let _ = account::walk(strategy, &mut |entry| {
        match entry {
            Entry::Zone(zone) => at = zone.address,
            Entry::Range { size, state } => {
                let from = at.max(first);
                let to = (at + size).min(first.saturating_add(SPAN));
                if from < to {
                    let part = states.get_mut(from - first..to - first).unwrap_or(&mut []);
                    part.fill(state as u8);
                }
                at += size;
            }
            Entry::EndOfZone => {}
        }
        Visit::Continue(())
    });
    states
}
