//! Hand-over of live blocks between threads that come and go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Scope};

use super::random::{Random, mean_small_size};
use super::table::Table;
use super::{Job, Outcome, Workload, team};

/// The workload `larson`.
pub(super) struct Larson;

/// Tables per scale.
const UNITS: usize = 16;
/// Threads that a table is handed through, one after the other.
const GENERATIONS: usize = 6;
/// Slots of a table.
const SLOTS: usize = 2048;
/// Replacements that each thread makes before it hands the table on.
const STEPS: usize = 5 * 1024;
const SALT: u64 = u64::from_le_bytes(*b"larson..");

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

/// One generation: works on the table, starts the next with it, and ends, maybe before its successor. The last frees
/// the table, whose blocks were allocated by all before it.
fn generation<'scope>(
    scope: &'scope Scope<'scope, '_>,
    left: usize,
    mut table: Table,
    sum: &'scope AtomicU64,
) {
    table.replace(STEPS, Random::small_size);
    if left == 0 {
        sum.fetch_add(table.empty(), Ordering::Relaxed);
    } else {
        start(scope, left - 1, table, sum);
    }
}

fn start<'scope>(scope: &'scope Scope<'scope, '_>, left: usize, table: Table, sum: &'scope AtomicU64) {
    thread::Builder::new()
        .spawn_scoped(scope, move || generation(scope, left, table, sum))
        .unwrap_or_else(|error| panic!("cannot start a thread: {error}"));
}

impl Workload for Larson {
    fn name(&self) -> &'static str {
        "larson"
    }

    fn about(&self) -> &'static str {
        "Replaces random blocks of 8 to 512 bytes in tables of 2048 that each thread hands to a newly started successor \
         before it ends; one operation allocates a block and frees one (after Larson and Krishnan 1998, as in Hoard's \
         and mimalloc's benchmarks)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        self.operations(job) * mean_small_size()
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |unit| {
            let sum = AtomicU64::new(0);
            // The thread of the team waits here for the chain of threads that work in its place.
            thread::scope(|scope| {
                let table = Table::fill(Random::new(job.seed, SALT, unit), SLOTS, Random::small_size);
                start(scope, GENERATIONS - 1, table, &sum);
            });
            sum.into_inner()
        });
        Outcome { operations: self.operations(job), elapsed: shared.elapsed, checksum: shared.sum }
    }
}

impl Larson {
    fn operations(&self, job: &Job<'_>) -> u64 {
        (units(job) * (SLOTS + GENERATIONS * STEPS)) as u64
    }
}
