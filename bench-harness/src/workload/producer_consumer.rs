//! Blocks that are allocated by some threads and freed by others, always in one direction.

use super::block::Block;
use super::queue::Queue;
use super::random::Random;
use super::{Job, Outcome, Workload, team};

/// The workload `producer_consumer`.
pub(super) struct ProducerConsumer;

/// Batches per scale.
const BATCHES: usize = 1024;
/// Blocks of a batch: so many that the queue's lock is taken seldom.
const BATCH: usize = 768;
/// Batches that wait in the queue at most.
const BOUND: usize = 16;
const SMALLEST: usize = 16;
const LARGEST: usize = 128;
const SALT: u64 = u64::from_le_bytes(*b"producer");

fn batches(job: &Job<'_>) -> usize {
    BATCHES * job.scale as usize
}

fn produce(job: &Job<'_>, number: usize) -> Vec<Block> {
    let mut random = Random::new(job.seed, SALT, number);
    let mut batch = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let size = SMALLEST + random.below(LARGEST - SMALLEST);
        batch.push(Block::new(size, random.next()));
    }
    batch
}

fn consume(batch: Vec<Block>) -> u64 {
    batch.into_iter().fold(0, |sum, block| sum.wrapping_add(block.fold()))
}

/// Half of the threads, rounded down, produce and the others consume.
fn together(job: &Job<'_>) -> team::Shared {
    let producers = job.threads / 2;
    let queue = Queue::new(BOUND, producers);
    team::run(job.threads, |member| {
        if member < producers {
            for number in (member..batches(job)).step_by(producers) {
                queue.send(produce(job, number));
            }
            queue.leave();
            0
        } else {
            std::iter::from_fn(|| queue.receive()).fold(0, |sum: u64, batch| sum.wrapping_add(consume(batch)))
        }
    })
}

/// One thread produces as much as the queue would hold, consumes it, and so on.
fn alone(job: &Job<'_>) -> team::Shared {
    team::run(1, |_| {
        let mut sum = 0_u64;
        for first in (0..batches(job)).step_by(BOUND) {
            let waiting: Vec<Vec<Block>> =
                (first..batches(job).min(first + BOUND)).map(|number| produce(job, number)).collect();
            sum = waiting.into_iter().fold(sum, |sum, batch| sum.wrapping_add(consume(batch)));
        }
        sum
    })
}

impl Workload for ProducerConsumer {
    fn name(&self) -> &'static str {
        "producer_consumer"
    }

    fn about(&self) -> &'static str {
        "Half of the threads allocate batches of 768 blocks of 16 to 127 bytes, the others free them; one operation \
         allocates a block and frees it (after xmalloc-test of Lever and Boreham 2000)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let blocks = BATCH * (SMALLEST + LARGEST - 1) / 2;
        (batches(job) * (blocks + BATCH * size_of::<Block>())) as u64
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = if job.threads == 1 { alone(job) } else { together(job) };
        Outcome { operations: (batches(job) * BATCH) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}
