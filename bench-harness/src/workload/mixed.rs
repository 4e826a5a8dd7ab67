//! Random replacement of blocks whose sizes span four orders of magnitude.

use super::random::{Random, mean_inverse_square};
use super::table::Table;
use super::{Job, Outcome, Workload, team};

/// The workload `mixed`.
pub(super) struct Mixed;

/// Tables per scale.
const UNITS: usize = 64;
/// Slots of a table.
const SLOTS: usize = 1024;
/// Replacements in a table.
const STEPS: usize = 17 * 1024;
const SMALLEST: usize = 16;
const LARGEST: usize = 64 * 1024;
const SALT: u64 = u64::from_le_bytes(*b"mixed...");

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

fn size(random: &mut Random) -> usize {
    random.inverse_square(SMALLEST, LARGEST)
}

impl Workload for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn about(&self) -> &'static str {
        "Replaces random blocks of 16 bytes to 64 KiB, in number inverse to the square of the size, in tables of 1024; \
         one operation allocates a block and frees one (after glibc's bench-malloc-thread)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        (units(job) * (SLOTS + STEPS)) as u64 * mean_inverse_square(SMALLEST, LARGEST)
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |unit| {
            let mut table = Table::fill(Random::new(job.seed, SALT, unit), SLOTS, size);
            table.replace(STEPS, size);
            table.empty()
        });
        Outcome {
            operations: (units(job) * (SLOTS + STEPS)) as u64,
            elapsed: shared.elapsed,
            checksum: shared.sum,
        }
    }
}
