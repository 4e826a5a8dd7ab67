//! What a history remembers, as text.

use core::fmt::{self, Write};

use super::frames::frames;
use crate::event::{Event, Place};
use crate::sink::{Entry, History};

/// Tells the events that a history remembers, from the oldest on: those about a block that contained `address`, or all.
///
/// # Errors
/// What `out` answers.
pub fn events(history: &History, address: Option<usize>, out: &mut dyn Write) -> fmt::Result {
    let mut result = Ok(());
    let mut show = |entry: &Entry| result = result.and_then(|()| tell(entry, out));
    match address {
        Some(address) => history.of(address, &mut show),
        None => history.all(&mut show),
    }
    result
}

fn tell(entry: &Entry, out: &mut dyn Write) -> fmt::Result {
    let sizes = |place: Place, out: &mut dyn Write| match place.align {
        0 => Ok(()),
        align => write!(out, ", {} bytes aligned to {align}", place.size),
    };
    match entry.event {
        Event::Alloc(place) => {
            write!(out, "  allocated at {:#x}", place.address)?;
            sizes(place, out)?;
        }
        Event::Free(place) => {
            write!(out, "  freed at {:#x}", place.address)?;
            sizes(place, out)?;
        }
        Event::Resize { old, new, .. } => {
            write!(out, "  resized from {:#x} to {:#x}", old.address, new.address)?;
            sizes(new, out)?;
        }
        Event::Refused { size, align, .. } => {
            write!(out, "  refused {size} bytes aligned to {align}")?;
        }
    }
    writeln!(out, " (event {}, thread {}):", entry.number, entry.thread)?;
    frames(entry.stack, out)
}
