//! Reading the binary trace.

use std::borrow::Cow;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::Unreadable;
use super::build::{Input, What, play};
use super::compress::expanded;
use super::snapshot::{Frame, Module, Row, Snapshot};
use crate::format::event::{Last, Record};
use crate::format::varint::{take, unzigzag};
use crate::format::{
    BLOCK_HEADER, BlockHeader, FILE_HEADER, FileHeader, Kind, MAGIC, Mode, TIME_SHIFT, checksum,
};

/// Frames that a file may have: more are damage.
const FRAMES: usize = 1 << 24;

/// Ticks as nanoseconds from the trace's start: by two points where both are known.
struct Scale {
    ticks: u64,
    nanos_per_tick: f64,
}

impl Scale {
    fn nanos(&self, ticks: u64) -> u64 {
        (ticks.saturating_sub(self.ticks) as f64 * self.nanos_per_tick) as u64
    }
}

/// A file's header.
pub(super) fn header(bytes: &[u8]) -> Result<FileHeader, Unreadable> {
    FileHeader::from_bytes(bytes).ok_or_else(|| {
        Unreadable(if bytes.starts_with(&MAGIC) {
            "the trace is of another version, or cut within its header".into()
        } else {
            "no trace: it does not begin with STRATATR".into()
        })
    })
}

/// What follows a file's header.
pub(super) enum Part<'a> {
    /// A whole block.
    Block(BlockHeader, &'a [u8]),
    /// A block with other contents than were written, header and all.
    Damaged(&'a [u8]),
    /// What is no whole block, to the end of the file.
    Cut(&'a [u8]),
}

/// Reads a trace, compressed or not. One that was cut short is read up to its last whole block.
///
/// # Errors
/// When the file is no trace of this version.
pub fn read_trace(bytes: &[u8]) -> Result<Snapshot, Unreadable> {
    let header = header(bytes)?;
    let mut snapshot = Snapshot {
        process: header.process,
        epoch_nanos: header.epoch_nanos,
        rate: header.rate,
        frames: std::vec![Frame::default()],
        ..Snapshot::default()
    };
    let blocks = split(bytes, &mut snapshot);
    let scale = scale(&header, &blocks);
    let mut events: Vec<(u64, Input)> = Vec::new();
    snapshot.problems.unfinished = !blocks.iter().any(|(block, _)| block.kind == Kind::End);
    let mut ordered = blocks;
    // A thread's blocks in their order, whatever their order in the file; all others stay in the file's.
    ordered.sort_by_key(|(block, _)| (block.kind as u32, block.thread, block.number));
    for (block, payload) in ordered {
        let payload = &*payload;
        let whole = match block.kind {
            Kind::Events => read_events(&block, payload, &scale, &mut events),
            Kind::Frames => read_frames(payload, &mut snapshot.frames),
            Kind::Modules => read_modules(payload, &mut snapshot.modules),
            Kind::Counts => read_counts(payload, &mut snapshot),
            Kind::End => read_end(payload, &mut snapshot),
        };
        if whole.is_none() {
            snapshot.problems.damaged_blocks += 1;
        }
    }
    // Stable: events of one thread at one time keep their order.
    events.sort_by_key(|(ticks, _)| *ticks);
    let events: Vec<Input> = events.into_iter().map(|(_, event)| event).collect();
    if header.mode == Mode::Exact {
        play(&mut snapshot, &events);
    } else {
        sum(&mut snapshot);
    }
    Ok(snapshot)
}

/// The parts of a file behind its header, in order.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut rest = bytes.get(FILE_HEADER..).unwrap_or(&[]);
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = BlockHeader::from_bytes(rest).and_then(|header| {
            let payload = rest.get(BLOCK_HEADER..)?.get(..header.length as usize)?;
            Some((header, payload))
        });
        let Some((header, payload)) = whole else { return Some(Part::Cut(core::mem::take(&mut rest))) };
        let (block, behind) = rest.split_at(BLOCK_HEADER + payload.len());
        rest = behind;
        Some(if checksum(payload) == header.checksum {
            Part::Block(header, payload)
        } else {
            Part::Damaged(block)
        })
    })
}

/// The whole blocks of a file.
fn split<'a>(bytes: &'a [u8], snapshot: &mut Snapshot) -> Vec<(BlockHeader, Cow<'a, [u8]>)> {
    let mut blocks = Vec::new();
    for part in parts(bytes) {
        match part {
            Part::Block(header, payload) => match expanded(&header, payload) {
                Some(payload) => blocks.push((header, payload)),
                None => snapshot.problems.damaged_blocks += 1,
            },
            Part::Damaged(_) => snapshot.problems.damaged_blocks += 1,
            Part::Cut(bytes) => snapshot.problems.cut_bytes = bytes.len() as u64,
        }
    }
    blocks
}

fn scale(header: &FileHeader, blocks: &[(BlockHeader, Cow<'_, [u8]>)]) -> Scale {
    let last = blocks.iter().max_by_key(|(block, _)| block.ticks);
    let (ticks, nanos) = last.map_or((0, 0), |(block, _)| {
        (block.ticks.saturating_sub(header.ticks), block.nanos.saturating_sub(header.nanos))
    });
    let nanos_per_tick = if ticks > 0 && nanos > 0 { nanos as f64 / ticks as f64 } else { 1.0 };
    Scale { ticks: header.ticks, nanos_per_tick }
}

fn read_events(
    block: &BlockHeader,
    mut payload: &[u8],
    scale: &Scale,
    events: &mut Vec<(u64, Input)>,
) -> Option<()> {
    let mut last = Last { time: block.base >> TIME_SHIFT, ..Last::default() };
    let thread = block.thread;
    let mut push = |time: u64, what| {
        events.push((time, Input { nanos: scale.nanos(time << TIME_SHIFT), thread, what }));
    };
    while !payload.is_empty() {
        match last.decode(&mut payload)? {
            (time, Record::Alloc { address, size, stack, .. }) => {
                push(time, What::Alloc { address, size, stack });
            }
            (time, Record::Free { address }) => push(time, What::Free { address }),
            (time, Record::Resize { old, before, address, size, stack, .. }) => {
                push(before, What::Free { address: old });
                push(time, What::Alloc { address, size, stack });
            }
            (time, Record::Refused { .. }) => push(time, What::Refused),
        }
    }
    Some(())
}

fn read_frames(mut payload: &[u8], frames: &mut Vec<Frame>) -> Option<()> {
    let mut number = usize::try_from(take(&mut payload)?).ok().filter(|&number| number < FRAMES)?;
    let mut before = 0_i64;
    while !payload.is_empty() {
        let (address, distance) = (unzigzag(take(&mut payload)?), take(&mut payload)?);
        if frames.len() <= number {
            frames.resize(number + 1, Frame::default());
        }
        if distance != 0 {
            before = before.wrapping_add(address);
            let parent = u32::try_from((number as u64).checked_sub(distance)?).ok()?;
            *frames.get_mut(number)? = Frame { parent, address: before as u64 };
        }
        number += 1;
    }
    Some(())
}

fn read_modules(mut payload: &[u8], modules: &mut Vec<Module>) -> Option<()> {
    while !payload.is_empty() {
        let mut bytes = |count: usize| {
            let (taken, rest) = payload.split_at_checked(count)?;
            payload = rest;
            Some(taken)
        };
        let mut word = || Some(u64::from_le_bytes(bytes(8)?.try_into().ok()?));
        let (low, high, bias) = (word()?, word()?, word()?);
        let length = usize::from(*bytes(1)?.first()?);
        let build_id = bytes(length)?.to_vec();
        let length = u16::from_le_bytes(bytes(2)?.try_into().ok()?);
        let path = String::from_utf8_lossy(bytes(length.into())?).into_owned();
        modules.push(Module { low, high, bias, build_id, path });
    }
    Some(())
}

fn read_counts(mut payload: &[u8], snapshot: &mut Snapshot) -> Option<()> {
    while !payload.is_empty() {
        let stack = u32::try_from(take(&mut payload)?).ok()?;
        let row = Row {
            allocs: take(&mut payload)?,
            alloc_bytes: take(&mut payload)?,
            live: take(&mut payload)?,
            live_bytes: take(&mut payload)?,
            max_bytes: take(&mut payload)?,
            max_blocks: take(&mut payload)?,
            ..Row::default()
        };
        snapshot.rows.insert(stack, row);
    }
    Some(())
}

fn read_end(mut payload: &[u8], snapshot: &mut Snapshot) -> Option<()> {
    snapshot.problems.cut_stacks = take(&mut payload)?;
    // Traces of counts have the overall peak here: bytes, blocks, nanoseconds from the start, and the end's.
    if let Some(peak_bytes) = take(&mut payload) {
        snapshot.totals.peak_bytes = peak_bytes;
        snapshot.totals.peak_blocks = take(&mut payload)?;
        snapshot.totals.peak_nanos = take(&mut payload)?;
        snapshot.totals.nanos = take(&mut payload)?;
        snapshot.totals.refused = take(&mut payload)?;
    }
    Some(())
}

/// Totals of a trace that holds counts.
fn sum(snapshot: &mut Snapshot) {
    let totals = &mut snapshot.totals;
    for row in snapshot.rows.values() {
        totals.allocs = totals.allocs.wrapping_add(row.allocs);
        totals.alloc_bytes = totals.alloc_bytes.wrapping_add(row.alloc_bytes);
        totals.live = totals.live.wrapping_add(row.live);
        totals.live_bytes = totals.live_bytes.wrapping_add(row.live_bytes);
    }
    totals.frees = totals.allocs.saturating_sub(totals.live);
    totals.peak_bytes = totals.peak_bytes.max(totals.live_bytes);
}

/// What a file says at its start that it is, for messages.
#[must_use]
pub(super) fn describe(bytes: &[u8]) -> String {
    let start: String = bytes.iter().take(12).flat_map(|&byte| char::from(byte).escape_default()).collect();
    format!("`{start}`")
}
