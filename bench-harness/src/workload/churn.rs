//! Random replacement of small blocks.

use super::random::{Random, mean_small_size};
use super::table::Table;
use super::{Job, Outcome, Workload, team};

/// The workload `churn`.
pub(super) struct Churn;

/// Tables per scale: enough to share among many threads.
const UNITS: usize = 32;
/// Slots of a table.
const SLOTS: usize = 4096;
/// Replacements in a table.
const STEPS: usize = 28 * 1024;
const SALT: u64 = u64::from_le_bytes(*b"churn...");

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

impl Workload for Churn {
    fn name(&self) -> &'static str {
        "churn"
    }

    fn about(&self) -> &'static str {
        "Replaces random blocks of 8 to 512 bytes, mostly the smallest, in tables of 4096; one operation allocates a \
         block and frees one (after alloc-test of ITHare, in mimalloc-bench)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        (units(job) * (SLOTS + STEPS)) as u64 * mean_small_size()
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |unit| {
            let mut table = Table::fill(Random::new(job.seed, SALT, unit), SLOTS, Random::small_size);
            table.replace(STEPS, Random::small_size);
            table.empty()
        });
        Outcome {
            operations: (units(job) * (SLOTS + STEPS)) as u64,
            elapsed: shared.elapsed,
            checksum: shared.sum,
        }
    }
}
