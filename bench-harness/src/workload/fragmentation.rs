//! Phases of different sizes over the holes that the phase before left, and an idle tail.

use std::thread;
use std::time::Duration;

use super::block::Block;
use super::random::{Random, mean_log_uniform};
use super::{Job, Outcome, Workload, team};

/// The workload `fragmentation`.
pub(super) struct Fragmentation;

/// Parts that the heap is shared out in; fixed, so that more scale takes more time and not more memory.
const UNITS: usize = 64;
/// Rounds per scale.
const ROUNDS: usize = 2;
/// Small blocks of one unit.
const SMALL: usize = 1024;
/// Range of their sizes.
const SMALL_RANGE: (usize, usize) = (32, 512);
/// One block in so many survives a round.
const SURVIVOR: usize = 10;
/// Larger blocks of one unit: about as many bytes as the small ones that were freed.
const LARGER: usize = 18;
/// Range of their sizes.
const LARGER_RANGE: (usize, usize) = (1 << 10, 32 << 10);
/// Larger blocks are written once in so many bytes.
const PAGE: usize = 4096;
/// How long the threads sleep at the end, with the survivors in place, when memory is drawn over time.
const IDLE: Duration = Duration::from_millis(150);
const SALT: u64 = u64::from_le_bytes(*b"fragment");

/// One part of the heap.
struct Part {
    random: Random,
    blocks: Vec<Block>,
    sum: u64,
}

impl Part {
    fn new(random: Random) -> Part {
        Part { random, blocks: Vec::with_capacity(SMALL + SMALL / SURVIVOR), sum: 0 }
    }

    fn fill(&mut self, count: usize, (least, most): (usize, usize)) {
        for _ in 0..count {
            let size = self.random.log_uniform(least, most);
            let tag = self.random.next();
            let mut block = Block::new(size, tag);
            if size > PAGE {
                block.touch(PAGE, tag);
            }
            self.blocks.push(block);
        }
    }

    /// Frees blocks at random, until `keep` are left.
    fn thin(&mut self, keep: usize) {
        self.random.shuffle(&mut self.blocks);
        for block in self.blocks.drain(keep..) {
            self.sum = self.sum.wrapping_add(block.fold());
        }
    }

    /// Frees the blocks from `first` on in the order that they were allocated in.
    fn cut(&mut self, first: usize) {
        for block in self.blocks.drain(first..) {
            self.sum = self.sum.wrapping_add(block.fold());
        }
    }
}

/// One phase after the other over all parts, so that each phase meets the whole heap as the one before left it. The
/// survivors of a round sit among the small blocks of the next, and some survive again.
fn round(parts: &mut [Part]) {
    let survivors = SMALL / SURVIVOR;
    parts.iter_mut().for_each(|part| part.fill(SMALL, SMALL_RANGE));
    parts.iter_mut().for_each(|part| part.thin(survivors));
    parts.iter_mut().for_each(|part| part.fill(LARGER, LARGER_RANGE));
    parts.iter_mut().for_each(|part| part.cut(survivors));
}

fn rounds(job: &Job<'_>) -> usize {
    ROUNDS * job.scale as usize
}

impl Workload for Fragmentation {
    fn name(&self) -> &'static str {
        "fragmentation"
    }

    fn about(&self) -> &'static str {
        "Fills the heap with blocks of 32 to 511 bytes, frees nine in ten at random, allocates blocks of 1 to 32 KiB and \
         frees them; where memory is drawn over time, 150 ms of idleness follow; one operation allocates a block and frees it \
         (after the ramps and plateaus of Wilson, Johnstone, Neely and Boles 1995)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let small = SMALL as u64 * mean_log_uniform(SMALL_RANGE.0, SMALL_RANGE.1);
        let larger = LARGER as u64 * mean_log_uniform(LARGER_RANGE.0, LARGER_RANGE.1);
        (UNITS * rounds(job)) as u64 * (small + larger)
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::run_then(
            job.threads,
            |member| {
                let units = (member..UNITS).step_by(job.threads);
                let mut parts: Vec<Part> =
                    units.map(|unit| Part::new(Random::new(job.seed, SALT, unit))).collect();
                for _ in 0..rounds(job) {
                    round(&mut parts);
                }
                (0, parts)
            },
            |parts| {
                if job.idle {
                    thread::sleep(IDLE);
                }
                parts.into_iter().fold(0, |sum: u64, mut part| {
                    part.cut(0);
                    sum.wrapping_add(part.sum)
                })
            },
        );
        Outcome {
            operations: (UNITS * rounds(job) * (SMALL + LARGER)) as u64,
            elapsed: shared.elapsed,
            checksum: shared.sum,
        }
    }
}
