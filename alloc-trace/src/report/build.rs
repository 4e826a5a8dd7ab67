//! From events to a snapshot.

use std::collections::HashMap;
use std::vec::Vec;

use super::snapshot::{Change, Row, Snapshot};

/// An event on its way into a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) nanos: u64,
    pub(super) thread: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Alloc {
        address: u64,
        size: u64,
        stack: u32,
    },
    Free {
        address: u64,
    },
    /// The thread is about to resize the block there: from now on, another may be there.
    Leave {
        address: u64,
    },
    /// The block that the thread left there is gone.
    Left {
        address: u64,
    },
    /// The block that the thread was about to leave there stays.
    Stay {
        address: u64,
    },
    Refused,
}

struct Live {
    stack: u32,
    size: u64,
    since: u64,
}

/// Plays events, in order, and fills rows, changes and totals. Sums wrap: sizes that could make them do so are in damaged
/// files only, of which nothing is right but that they are read to the end.
pub(super) fn play(snapshot: &mut Snapshot, events: &[Input]) {
    let mut live: HashMap<u64, Live> = HashMap::new();
    let mut leaving: HashMap<(u32, u64), Live> = HashMap::new();
    let (mut bytes, mut peak_at) = (0_u64, 0_usize);
    let mut changes: Vec<Change> = Vec::with_capacity(events.len());
    for event in events {
        let Input { nanos, thread, what } = *event;
        match what {
            What::Refused => snapshot.totals.refused += 1,
            What::Leave { address } => {
                if let Some(block) = live.remove(&address) {
                    leaving.insert((thread, address), block);
                }
            }
            What::Stay { address } => {
                if let Some(block) = leaving.remove(&(thread, address)) {
                    live.insert(address, block);
                }
            }
            What::Free { address } | What::Left { address } => match leaving
                .remove(&(thread, address))
                .filter(|_| matches!(what, What::Left { .. }))
                .or_else(|| live.remove(&address))
            {
                Some(block) => {
                    snapshot.totals.frees += 1;
                    bytes = bytes.wrapping_sub(block.size);
                    let row = snapshot.rows.entry(block.stack).or_default();
                    gone(row, &block, nanos);
                    changes.push(Change {
                        nanos,
                        thread,
                        stack: block.stack,
                        address,
                        size: block.size,
                        alloc: false,
                    });
                }
                None => snapshot.problems.unknown_frees += 1,
            },
            What::Alloc { address, size, stack } => {
                if let Some(block) = live.insert(address, Live { stack, size, since: nanos }) {
                    snapshot.problems.missed_frees += 1;
                    bytes = bytes.wrapping_sub(block.size);
                    gone(snapshot.rows.entry(block.stack).or_default(), &block, nanos);
                    changes.push(Change {
                        nanos,
                        thread,
                        stack: block.stack,
                        address,
                        size: block.size,
                        alloc: false,
                    });
                }
                snapshot.totals.allocs += 1;
                snapshot.totals.alloc_bytes = snapshot.totals.alloc_bytes.wrapping_add(size);
                bytes = bytes.wrapping_add(size);
                let row = snapshot.rows.entry(stack).or_default();
                row.allocs += 1;
                row.alloc_bytes = row.alloc_bytes.wrapping_add(size);
                row.live += 1;
                row.live_bytes = row.live_bytes.wrapping_add(size);
                if row.live_bytes > row.max_bytes {
                    (row.max_bytes, row.max_blocks) = (row.live_bytes, row.live);
                }
                changes.push(Change { nanos, thread, stack, address, size, alloc: true });
                if bytes > snapshot.totals.peak_bytes {
                    snapshot.totals.peak_bytes = bytes;
                    snapshot.totals.peak_nanos = nanos;
                    peak_at = changes.len();
                }
            }
        }
        snapshot.totals.nanos = snapshot.totals.nanos.max(nanos);
    }
    for block in live.values().chain(leaving.values()) {
        snapshot.totals.live += 1;
        snapshot.totals.live_bytes = snapshot.totals.live_bytes.wrapping_add(block.size);
        let row = snapshot.rows.entry(block.stack).or_default();
        row.lifetime = row.lifetime.wrapping_add(snapshot.totals.nanos.saturating_sub(block.since));
    }
    for change in changes.iter().take(peak_at) {
        let row = snapshot.rows.entry(change.stack).or_default();
        let (blocks, bytes) = (&mut row.peak_blocks, &mut row.peak_bytes);
        if change.alloc {
            (*blocks, *bytes) = (*blocks + 1, bytes.wrapping_add(change.size));
            snapshot.totals.peak_blocks += 1;
        } else {
            (*blocks, *bytes) = (*blocks - 1, bytes.wrapping_sub(change.size));
            snapshot.totals.peak_blocks -= 1;
        }
    }
    let frames = &snapshot.frames;
    snapshot.problems.lost_frames = snapshot
        .rows
        .keys()
        .filter(|&&stack| stack != 0 && frames.get(stack as usize).is_none_or(|frame| frame.address == 0))
        .count() as u64;
    snapshot.changes = changes;
}

fn gone(row: &mut Row, block: &Live, nanos: u64) {
    row.live -= 1;
    row.live_bytes = row.live_bytes.wrapping_sub(block.size);
    row.lifetime = row.lifetime.wrapping_add(nanos.saturating_sub(block.since));
}
