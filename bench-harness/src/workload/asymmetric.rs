//! Batches that are freed in another order than they were allocated in, and by whichever thread comes by.

use std::sync::{Mutex, PoisonError};

use super::block::Block;
use super::random::Random;
use super::{Job, Outcome, Workload, team};

/// The workload `asymmetric`.
pub(super) struct Asymmetric;

/// Units per scale. One unit allocates one batch of each length.
const UNITS: usize = 320;
/// Lengths of the batches, as in bench-malloc-simple.
const LENGTHS: [usize; 4] = [25, 100, 400, 1600];
/// Blocks of one unit.
const BLOCKS: usize = LENGTHS[0] + LENGTHS[1] + LENGTHS[2] + LENGTHS[3];
/// Batches that wait for somebody to free them.
const WAITING: usize = 32;
/// The size of most blocks; the others, one in four, are up to eight times as large.
const SIZE: usize = 16;
const SALT: u64 = u64::from_le_bytes(*b"asymmetr");

struct Batch {
    blocks: Vec<Block>,
    random: Random,
}

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

fn allocate(mut random: Random, length: usize) -> Batch {
    let blocks = (0..length)
        .map(|place| {
            let size = if place % 4 == 3 { SIZE + random.below(SIZE * 7 + 1) } else { SIZE };
            Block::new(size, random.next())
        })
        .collect();
    Batch { blocks, random }
}

/// Frees a batch: the first half in the order of allocation and the second half in the reverse, or all at random.
fn free(mut batch: Batch) -> u64 {
    if batch.random.below(4) == 0 {
        batch.random.shuffle(&mut batch.blocks);
    }
    let second = batch.blocks.split_off(batch.blocks.len() / 2);
    let order = batch.blocks.into_iter().chain(second.into_iter().rev());
    order.fold(0, |sum, block| sum.wrapping_add(block.fold()))
}

impl Workload for Asymmetric {
    fn name(&self) -> &'static str {
        "asymmetric"
    }

    fn about(&self) -> &'static str {
        "Allocates batches of 25 to 1600 blocks of 16 to 128 bytes and frees older ones, whoever allocated them, half \
         first-in first-out and half last-in first-out, or at random; one operation allocates a block and frees it \
         (after glibc's bench-malloc-simple and sh8bench of MicroQuill)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let large = SIZE + SIZE * 7 / 2;
        // A batch's list is allocated once in full and its second half once more.
        let list = size_of::<Block>() * 3 / 2;
        (units(job) * BLOCKS * ((3 * SIZE + large) / 4 + list)) as u64
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let waiting = Mutex::new(Vec::with_capacity(WAITING + 1));
        let shared = team::share(job.threads, units(job), |unit| {
            let mut sum = 0_u64;
            for (number, length) in LENGTHS.into_iter().enumerate() {
                let batch = allocate(Random::new(job.seed, SALT, unit * LENGTHS.len() + number), length);
                let other = {
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    waiting.push(batch);
                    // Any but the last, which this thread has just made.
                    (waiting.len() > WAITING).then(|| waiting.swap_remove(unit % WAITING))
                };
                sum = other.map_or(sum, |batch| sum.wrapping_add(free(batch)));
            }
            sum
        });
        let left = waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
        let checksum = left.into_iter().fold(shared.sum, |sum, batch| sum.wrapping_add(free(batch)));
        Outcome { operations: (units(job) * BLOCKS) as u64, elapsed: shared.elapsed, checksum }
    }
}
