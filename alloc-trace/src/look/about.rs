//! All that is known of one address.

use core::fmt::{self, Write};
use core::ptr::NonNull;

use alloc_core::{Block, Field, Form, Inspect, Ownership, Step, Visit, Walked, Zone};

use super::account::{NAMES, index};
use super::peek::peek;
use super::{Colour, events, hexdump};
use crate::sink::History;

/// What a strategy shows around an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The strategy's name.
    pub strategy: &'static str,
    /// Whether the strategy owns the address.
    pub ownership: Ownership,
    /// Whether the strategy can be walked; where it cannot, the rest is `None`.
    pub walkable: bool,
    /// The zone that it lies in.
    pub zone: Option<Zone>,
    /// The last block before it that does not contain it.
    pub previous: Option<Block>,
    /// The block that contains it. A block of no bytes contains its own address.
    pub block: Option<Block>,
    /// The first block behind it.
    pub next: Option<Block>,
}

/// Looks for an address. Nothing is read from it.
#[must_use]
pub fn about(strategy: &dyn Inspect, address: usize) -> About {
    let ownership = NonNull::new(core::ptr::without_provenance_mut(address))
        .map_or(Ownership::NotMine, |address| strategy.owns(address));
    let mut about = About {
        strategy: strategy.name(),
        ownership,
        walkable: true,
        zone: None,
        previous: None,
        block: None,
        next: None,
    };
    let walked = strategy.walk(&mut |step| {
        match step {
            Step::Zone(zone) => {
                if about.zone.is_some() {
                    return Visit::Break(());
                }
                about.previous = None;
                if address.wrapping_sub(zone.address) < zone.size {
                    about.zone = Some(zone);
                }
            }
            Step::Block(block) if about.zone.is_some() => {
                if address.wrapping_sub(block.address) < block.size.max(1) {
                    about.block = Some(block);
                } else if block.address > address {
                    about.next = Some(block);
                    return Visit::Break(());
                } else {
                    about.previous = Some(block);
                }
            }
            Step::Block(_) => {}
        }
        Visit::Continue(())
    });
    about.walkable = walked != Walked::Unsupported;
    about
}

/// Tells what is known of an address: its strategy, zone, block, the block's header decoded, and neighbours, what happened to it as far as a history
/// remembers, with the stacks, and the memory around it as a hexdump.
///
/// # Errors
/// What `out` answers.
pub fn explain(
    strategy: &dyn Inspect,
    address: usize,
    history: Option<&History>,
    colour: Colour,
    out: &mut dyn Write,
) -> fmt::Result {
    let about = about(strategy, address);
    let owned = match about.ownership {
        Ownership::Mine => "lies in memory of",
        Ownership::NotMine => "does not lie in memory of",
        Ownership::Unknown => "may lie in memory of",
    };
    writeln!(out, "{address:#x} {owned} the strategy {}", about.strategy)?;
    if !about.walkable {
        writeln!(out, "  its memory cannot be walked")?;
    }
    if let Some(zone) = about.zone {
        let offset = address - zone.address;
        writeln!(out, "  zone {:#x}, {} bytes: {offset} bytes into it", zone.address, zone.size)?;
    }
    let show = |label: &str, block: Option<Block>, out: &mut dyn Write| match block {
        Some(Block { address: start, size, state }) => {
            let state = NAMES.get(index(state)).copied().unwrap_or("?");
            let (distance, word) = match address.checked_sub(start) {
                Some(into) if into < size.max(1) => (into, "into it"),
                Some(into) => (into - size, "behind it"),
                None => (start - address, "before it"),
            };
            writeln!(out, "  {label} {start:#x}, {size} bytes, {state}: {distance} bytes {word}")
        }
        None => Ok(()),
    };
    show("previous block", about.previous, out)?;
    show("block", about.block, out)?;
    if let Some(block) = about.block {
        tell_header(strategy, block, out)?;
    }
    if about.zone.is_some() && about.block.is_none() {
        writeln!(out, "  between blocks")?;
    }
    show("next block", about.next, out)?;
    if let Some(history) = history {
        events(history, Some(address), out)?;
    }
    if about.zone.is_some() { hexdump(strategy, address, colour, out) } else { Ok(()) }
}

/// The fields of a block's header on one line: flags that are set by their names, the others behind `no`.
fn tell_header(strategy: &dyn Inspect, block: Block, out: &mut dyn Write) -> fmt::Result {
    let read = |address: usize, into: &mut [u8]| peek(address, into) == into.len();
    let mut result = Ok(());
    let mut any = false;
    strategy.header(block, &read, &mut |Field { name, value, form }| {
        result = result.and_then(|()| {
            out.write_str(if any { ", " } else { "    header: " })?;
            match form {
                Form::Number => write!(out, "{name} {value}"),
                Form::Word => write!(out, "{name} {value:#x}"),
                Form::Flag if value != 0 => out.write_str(name),
                Form::Flag => write!(out, "no {name}"),
            }
        });
        any = true;
    });
    result?;
    if any { writeln!(out) } else { Ok(()) }
}
