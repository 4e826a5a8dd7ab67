//! A table of slots that hold blocks: the core of several workloads.

use super::block::Block;
use super::random::Random;

/// Slots, each with a block, and the sum of what the blocks freed so far said.
pub(super) struct Table {
    slots: Vec<Block>,
    random: Random,
    sum: u64,
}

impl Table {
    /// A table of `slots` blocks whose sizes `draw` says.
    pub(super) fn fill(mut random: Random, slots: usize, draw: impl Fn(&mut Random) -> usize) -> Table {
        let slots = (0..slots)
            .map(|_| {
                let size = draw(&mut random);
                Block::new(size, random.next())
            })
            .collect();
        Table { slots, random, sum: 0 }
    }

    /// Frees the block of a random slot and puts a new one there, `steps` times.
    pub(super) fn replace(&mut self, steps: usize, draw: impl Fn(&mut Random) -> usize) {
        for _ in 0..steps {
            let slot = self.random.below(self.slots.len());
            let block = Block::new(draw(&mut self.random), self.random.next());
            let old = std::mem::replace(&mut self.slots[slot], block);
            self.sum = self.sum.wrapping_add(old.fold());
        }
    }

    /// Frees all blocks, in the order of their slots. What all the table's blocks said, in sum.
    pub(super) fn empty(self) -> u64 {
        self.slots.into_iter().fold(self.sum, |sum, block| sum.wrapping_add(block.fold()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_ever_made_counts_once() {
        let one = |random: &mut Random| 8 + random.below(100);
        let table = || Table::fill(Random::new(1, 2, 3), 50, one);
        let mut replaced = table();
        replaced.replace(1000, one);
        let mut in_parts = table();
        in_parts.replace(400, one);
        in_parts.replace(600, one);
        let sum = replaced.empty();
        assert_eq!(in_parts.empty(), sum);
        assert_ne!(table().empty(), sum);
    }
}
