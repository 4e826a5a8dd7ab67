//! The books of a heap: which bytes are what.

#![forbid(unsafe_code)]

use alloc_core::{Block, BlockState, Inspect, Step, Visit, Walked, Zone};

/// States, and a last one for bytes of a zone that no block covers.
pub(crate) const STATES: usize = 7;
/// The state of bytes between blocks: headers, padding, and what the strategy does not show.
pub(crate) const BETWEEN: usize = 6;
/// The number of what contradicts itself.
pub(crate) const CORRUPTED: usize = 4;

/// A state's place in tables.
pub(crate) const fn index(state: BlockState) -> usize {
    match state {
        BlockState::Used => 0,
        BlockState::Free => 1,
        BlockState::Cached => 2,
        BlockState::Mapped => 3,
        BlockState::Corrupted => 4,
        BlockState::Metadata => 5,
    }
}

/// The states' names, in that order.
pub(crate) const NAMES: [&str; STATES] =
    ["used", "free", "cached", "mapped", "corrupted", "metadata", "between"];

/// Every byte of a heap's zones, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Zones.
    pub zones: u64,
    /// Bytes of all zones.
    pub bytes: u64,
    /// Bytes by state: used, free, cached, mapped, corrupted, metadata, and those between blocks.
    pub by_state: [u64; STATES],
    /// Blocks by state, likewise; ranges between blocks are not counted.
    pub blocks: [u64; STATES],
    /// Blocks that overlap the one before them, or leave their zone: their bytes are in no sum.
    pub misplaced: u64,
}

impl Account {
    /// Whether each byte of the zones is in exactly one sum.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.misplaced == 0 && self.by_state.iter().sum::<u64>() == self.bytes
    }
}

/// Turns a walk into ranges without gaps: what each byte of each zone is, from low to high addresses.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) account: Account,
    zone: Option<Zone>,
    at: usize,
}

/// What a ledger makes of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Zone(Zone),
    /// `size` bytes (not 0) in one state.
    Range {
        size: usize,
        state: usize,
    },
    EndOfZone,
}

impl Ledger {
    /// Takes a step and says what it means.
    pub(crate) fn step(&mut self, step: Step, tell: &mut dyn FnMut(Entry) -> Visit) -> Visit {
        match step {
            Step::Zone(zone) => {
                self.end_of_zone(tell)?;
                self.account.zones += 1;
                self.account.bytes += zone.size as u64;
                self.at = zone.address;
                self.zone = Some(zone);
                tell(Entry::Zone(zone))
            }
            Step::Block(block) => self.block(block, tell),
        }
    }

    /// Ends the last zone.
    pub(crate) fn end_of_zone(&mut self, tell: &mut dyn FnMut(Entry) -> Visit) -> Visit {
        let Some(zone) = self.zone.take() else { return Visit::Continue(()) };
        self.range((zone.address + zone.size).saturating_sub(self.at), BETWEEN, tell)?;
        tell(Entry::EndOfZone)
    }

    fn block(&mut self, block: Block, tell: &mut dyn FnMut(Entry) -> Visit) -> Visit {
        let state = index(block.state);
        let fits = self.zone.is_some_and(|zone| {
            block.address >= self.at
                && block.address.checked_add(block.size).is_some_and(|end| end <= zone.address + zone.size)
        });
        if !fits {
            self.account.misplaced += 1;
            return Visit::Continue(());
        }
        if let Some(blocks) = self.account.blocks.get_mut(state) {
            *blocks += 1;
        }
        self.range(block.address - self.at, BETWEEN, tell)?;
        self.range(block.size, state, tell)
    }

    fn range(&mut self, size: usize, state: usize, tell: &mut dyn FnMut(Entry) -> Visit) -> Visit {
        if size == 0 {
            return Visit::Continue(());
        }
        self.at += size;
        if let Some(bytes) = self.account.by_state.get_mut(state) {
            *bytes += size as u64;
        }
        tell(Entry::Range { size, state })
    }
}

/// Walks over a heap with a ledger. `None` where the strategy cannot be walked.
pub(crate) fn walk(strategy: &dyn Inspect, tell: &mut dyn FnMut(Entry) -> Visit) -> Option<Account> {
    let mut ledger = Ledger::default();
    match strategy.walk(&mut |step| ledger.step(step, tell)) {
        Walked::Unsupported => return None,
        Walked::Complete => {
            let _ = ledger.end_of_zone(tell);
        }
        Walked::Stopped => {}
    }
    Some(ledger.account)
}

/// The books of a heap; `None` where the strategy cannot be walked.
#[must_use]
pub fn account(strategy: &dyn Inspect) -> Option<Account> {
    walk(strategy, &mut |_| Visit::Continue(()))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn run(steps: &[Step]) -> (Account, Vec<Entry>) {
        let mut ledger = Ledger::default();
        let mut entries = Vec::new();
        for &step in steps {
            let _ = ledger.step(step, &mut |entry| {
                entries.push(entry);
                Visit::Continue(())
            });
        }
        let _ = ledger.end_of_zone(&mut |entry| {
            entries.push(entry);
            Visit::Continue(())
        });
        (ledger.account, entries)
    }

    fn block(address: usize, size: usize, state: BlockState) -> Step {
        Step::Block(Block { address, size, state })
    }

    #[test]
    fn every_byte_is_in_one_sum() {
        let zone = Zone { address: 1000, size: 100 };
        let (account, entries) = run(&[
            Step::Zone(zone),
            block(1010, 20, BlockState::Used),
            block(1030, 0, BlockState::Used),
            block(1040, 50, BlockState::Free),
        ]);
        assert!(account.adds_up());
        assert_eq!((account.bytes, account.by_state), (100, [20, 50, 0, 0, 0, 0, 30]));
        assert_eq!(account.blocks, [2, 1, 0, 0, 0, 0, 0]);
        let range = |size, state| Entry::Range { size, state };
        let expected = [
            Entry::Zone(zone),
            range(10, 6),
            range(20, 0),
            range(10, 6),
            range(50, 1),
            range(10, 6),
            Entry::EndOfZone,
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn what_overlaps_or_leaves_its_zone_is_told() {
        let zone = Step::Zone(Zone { address: 1000, size: 100 });
        for steps in [
            [zone, block(1000, 50, BlockState::Used), block(1049, 10, BlockState::Used)],
            [zone, block(1000, 50, BlockState::Used), block(1090, 11, BlockState::Used)],
            [zone, block(990, 5, BlockState::Used), block(usize::MAX, 2, BlockState::Used)],
        ] {
            let (account, _) = run(&steps);
            assert!(account.misplaced > 0 && !account.adds_up(), "{steps:?}");
            assert_eq!(account.by_state.iter().sum::<u64>(), account.bytes, "{steps:?}");
        }
    }
}
