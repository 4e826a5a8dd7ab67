//! Large blocks, written all over.

use super::block::Block;
use super::random::Random;
use super::{Job, Outcome, Workload, team};

/// The workload `large`.
pub(super) struct Large;

/// Units per scale.
const UNITS: usize = 32;
/// Blocks of one unit.
const BLOCKS: usize = 4;
/// Blocks that live at once in one unit.
const LIVE: usize = 2;
const SMALLEST: usize = 256 << 10;
const LARGEST: usize = 16 << 20;
/// A byte is written in each so many: in every page, and often enough that the block counts as used.
const STRIDE: usize = 512;
const SALT: u64 = u64::from_le_bytes(*b"large...");

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

/// The size and tag of the next block.
fn draw(random: &mut Random) -> (usize, u64) {
    (random.log_uniform(SMALLEST, LARGEST), random.next())
}

fn unit(mut random: Random) -> u64 {
    let mut live: [Option<Block>; LIVE] = [const { None }; LIVE];
    let mut sum = 0_u64;
    for number in 0..BLOCKS {
        let (size, tag) = draw(&mut random);
        if let Some(old) = live[number % LIVE].take() {
            sum = sum.wrapping_add(old.fold());
        }
        let mut block = Block::new(size, tag);
        block.touch(STRIDE, tag);
        live[number % LIVE] = Some(block);
    }
    live.into_iter().flatten().fold(sum, |sum, block| sum.wrapping_add(block.fold()))
}

impl Workload for Large {
    fn name(&self) -> &'static str {
        "large"
    }

    fn about(&self) -> &'static str {
        "Allocates blocks of 256 KiB to 16 MiB, every doubling as often, writes all over them and frees them, \
         two living at once; one operation is one block (after malloc-large of mimalloc-bench, with smaller blocks)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        // So few blocks that their mean would mislead: the sizes are drawn as in the run.
        (0..units(job))
            .map(|unit| {
                let mut random = Random::new(job.seed, SALT, unit);
                (0..BLOCKS).map(|_| draw(&mut random).0 as u64).sum::<u64>()
            })
            .sum()
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |number| unit(Random::new(job.seed, SALT, number)));
        Outcome { operations: (units(job) * BLOCKS) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}
