//! Reading the log.

use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::Unreadable;
use super::build::{Input, What, play};
use super::snapshot::{Frame, Module, Snapshot};
use super::trace::describe;
use crate::sink::log::HEADER;

/// Reads a log. It has no times: each event counts as a nanosecond after the one before it. A record that is cut at the
/// end of the text is left out.
///
/// # Errors
/// When the text is no log, naming the line.
pub fn read_log(text: &str) -> Result<Snapshot, Unreadable> {
    let Some(body) = text.strip_prefix(HEADER) else {
        return Err(Unreadable(format!("no log: it begins with {}", describe(text.as_bytes()))));
    };
    let mut reader = Reader {
        snapshot: Snapshot { frames: std::vec![Frame::default()], ..Snapshot::default() },
        nodes: HashMap::new(),
        events: Vec::new(),
    };
    let mut lines = body.split_inclusive('\n').enumerate();
    while let Some((number, line)) = lines.next() {
        let bad = |number: usize| Unreadable(format!("line {} of the log is not understood", number + 2));
        let Some(line) = line.strip_suffix('\n') else {
            reader.snapshot.problems.cut_bytes = line.len() as u64;
            break;
        };
        if let Some(module) = line.strip_prefix("module ") {
            reader.snapshot.modules.push(module_of(module).ok_or_else(|| bad(number))?);
            continue;
        }
        if let Some(leaving) = line.strip_prefix("leaving ") {
            let (address, thread) = leaving.split_once(" thread ").ok_or_else(|| bad(number))?;
            let nanos = reader.events.len() as u64;
            let address = hex(address).ok_or_else(|| bad(number))?;
            let thread = thread.parse().map_err(|_| bad(number))?;
            reader.events.push(Input { nanos, thread, what: What::Leave { address } });
            continue;
        }
        let mut stack = Vec::new();
        let ended = loop {
            match lines.next() {
                Some((_, "end\n")) => break true,
                Some((number, frame)) if frame.ends_with('\n') => {
                    let address = frame.strip_prefix("  ").and_then(|frame| hex(frame.trim_end()));
                    stack.push(address.ok_or_else(|| bad(number))?);
                }
                _ => break false,
            }
        };
        if !ended {
            reader.snapshot.problems.cut_bytes = 1;
            break;
        }
        reader.record(line, &stack).ok_or_else(|| bad(number))?;
    }
    reader.snapshot.problems.unfinished = reader.snapshot.problems.cut_bytes > 0;
    play(&mut reader.snapshot, &reader.events);
    Ok(reader.snapshot)
}

struct Reader {
    snapshot: Snapshot,
    nodes: HashMap<(u32, u64), u32>,
    events: Vec<Input>,
}

impl Reader {
    fn node(&mut self, stack: &[u64]) -> u32 {
        let mut node = 0;
        for &address in stack.iter().rev() {
            let frames = &mut self.snapshot.frames;
            node = *self.nodes.entry((node, address)).or_insert_with(|| {
                frames.push(Frame { parent: node, address });
                (frames.len() - 1) as u32
            });
        }
        node
    }

    fn record(&mut self, line: &str, stack: &[u64]) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let (words, count) = (words.get(..words.len().checked_sub(4)?)?, words.last()?);
        if count.parse() != Ok(stack.len()) {
            return None;
        }
        let thread = line.rsplit(' ').nth(2)?.parse().ok()?;
        let nanos = self.events.len() as u64;
        let stack = self.node(stack);
        let mut push = |what| self.events.push(Input { nanos, thread, what });
        match *words {
            ["alloc", address, "align", _, "size", size] => {
                push(What::Alloc { address: hex(address)?, size: size.parse().ok()?, stack });
            }
            ["free", address, ..] => push(What::Free { address: hex(address)? }),
            ["resize", old, "to", new, "align", _, "size", size] => {
                push(What::Left { address: hex(old)? });
                push(What::Alloc { address: hex(new)?, size: size.parse().ok()?, stack });
            }
            ["refused", "keeps", address, ..] => {
                push(What::Stay { address: hex(address)? });
                push(What::Refused);
            }
            ["refused", ..] => push(What::Refused),
            _ => return None,
        }
        Some(())
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn module_of(line: &str) -> Option<Module> {
    let mut words = line.splitn(5, ' ');
    let (low, high, bias) = (hex(words.next()?)?, hex(words.next()?)?, hex(words.next()?)?);
    let id = words.next()?;
    let build_id = id
        .as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok());
    Some(Module { low, high, bias, build_id: build_id.collect(), path: String::from(words.next()?) })
}
