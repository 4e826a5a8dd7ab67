//! A zone in cells of equal size, for pictures.

#![forbid(unsafe_code)]

use alloc_core::{Inspect, Visit, Zone};

use super::account::{self, Account, BETWEEN, CORRUPTED, Entry, STATES};

/// The states of live blocks: used and mapped.
const LIVE: [usize; 2] = [0, 3];

/// The bytes of a cell, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) by_state: [usize; STATES],
}

impl Cell {
    fn total(&self) -> usize {
        self.by_state.iter().sum()
    }

    /// The state to colour it by: corrupted where any byte is, else that of most bytes.
    pub(crate) fn state(&self) -> usize {
        if self.by_state.get(CORRUPTED).is_some_and(|&bytes| bytes > 0) {
            return CORRUPTED;
        }
        let most = self.by_state.iter().enumerate().rev().max_by_key(|&(_, bytes)| bytes);
        most.map_or(BETWEEN, |(state, _)| state)
    }

    /// The state of most of its bytes that are not live.
    pub(crate) fn ground(&self) -> usize {
        let dead = self.by_state.iter().enumerate().rev().filter(|&(state, _)| !LIVE.contains(&state));
        dead.max_by_key(|&(_, bytes)| bytes).map_or(BETWEEN, |(state, _)| state)
    }

    /// The state of most of its live bytes.
    pub(crate) fn live(&self) -> usize {
        let [used, _, _, mapped, ..] = self.by_state;
        if mapped > used { 3 } else { 0 }
    }

    /// How much of it live blocks take, in eighths: 0 for none, at least 1 for any.
    pub(crate) fn fill(&self) -> usize {
        let [used, _, _, mapped, ..] = self.by_state;
        ((used + mapped) * 8).div_ceil(self.total().max(1))
    }
}

/// What is drawn, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Zone(Zone),
    Cell(Cell),
    EndOfZone,
}

/// The size of cells with which a heap of `bytes` takes about `most` of them: a power of two, at least a page.
pub(crate) fn cell_size(bytes: u64, most: u64) -> usize {
    let size = (bytes / most.max(1)).next_power_of_two().max(4096);
    usize::try_from(size).unwrap_or(1 << 62)
}

/// Walks over a heap in cells of `size` bytes. The last one of a zone may be smaller.
pub(crate) fn walk(
    strategy: &dyn Inspect,
    size: usize,
    draw: &mut dyn FnMut(Item) -> Visit,
) -> Option<Account> {
    let mut cell = Cell::default();
    let mut filled = 0;
    account::walk(strategy, &mut |entry| match entry {
        Entry::Zone(zone) => draw(Item::Zone(zone)),
        Entry::Range { size: mut left, state } => {
            while left > 0 {
                let part = left.min(size - filled);
                if let Some(bytes) = cell.by_state.get_mut(state) {
                    *bytes += part;
                }
                filled += part;
                left -= part;
                if filled == size {
                    filled = 0;
                    draw(Item::Cell(core::mem::take(&mut cell)))?;
                }
            }
            Visit::Continue(())
        }
        Entry::EndOfZone => {
            if filled > 0 {
                filled = 0;
                draw(Item::Cell(core::mem::take(&mut cell)))?;
            }
            draw(Item::EndOfZone)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_coloured_by_what_matters() {
        let cell = |by_state| Cell { by_state };
        assert_eq!(cell([10, 20, 0, 0, 0, 0, 5]).state(), 1);
        assert_eq!(cell([10, 20, 0, 0, 1, 0, 5]).state(), 4);
        assert_eq!(cell([10, 10, 0, 0, 0, 0, 10]).state(), 0);
        assert_eq!(cell([1, 4095, 0, 0, 0, 0, 0]).fill(), 1);
        assert_eq!(cell([4096, 0, 0, 0, 0, 0, 0]).fill(), 8);
        assert_eq!(cell([0, 4096, 0, 0, 0, 0, 0]).fill(), 0);
        assert_eq!((cell([10, 20, 0, 0, 0, 0, 5]).ground(), cell([10, 20, 0, 0, 0, 0, 5]).live()), (1, 0));
        assert_eq!(
            (cell([10, 0, 30, 20, 0, 40, 5]).ground(), cell([10, 0, 30, 20, 0, 40, 5]).live()),
            (5, 3)
        );
        assert_eq!(cell_size(1 << 20, 1000), 4096);
        assert_eq!(cell_size(1 << 40, 1 << 12), 1 << 28);
    }
}
