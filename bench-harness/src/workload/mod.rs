//! The work that every strategy is given: a catalogue of named workloads.
//!
//! A workload takes all its memory from the global allocator, which is the strategy under test, does a fixed amount of
//! work for a given [`Job`], and returns an answer that depends on nothing but the job: not on the strategy, not on how
//! threads were scheduled. Threads share the work, so that the same operations are done whatever their number.

mod aligned;
mod asymmetric;
mod block;
mod churn;
mod fragmentation;
mod json;
mod large;
mod larson;
mod mixed;
mod producer_consumer;
mod queue;
mod random;
mod rayon;
mod regex;
mod table;
mod team;
mod trees;
mod vectors;
mod words;
mod zeroed;

use std::time::Duration;

/// What a workload is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Threads to work with, at least 1.
    pub threads: usize,
    /// How much work: 1 is some 20 to 40 ms of `system` on one thread of an ordinary machine; others are multiples.
    pub scale: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// Real input.
    pub inputs: &'a Inputs,
    /// Whether idle times are waited for. They are in no figure, and seen only where memory is drawn over time.
    pub idle: bool,
}

/// Real input for the workloads that read it. Lives outside the strategy's memory (in the binary or a mapped file).
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// A JSON document.
    pub json: &'static [u8],
    /// Text in any encoding that extends ASCII.
    pub text: &'static [u8],
    /// Regular expressions, one a line.
    pub patterns: &'static [u8],
    /// Text that the expressions are run over, line by line.
    pub lines: &'static [u8],
}

/// What a workload did.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Operations done by all threads together.
    pub operations: u64,
    /// Wall-clock time of the work, from the moment all threads were ready to the end of the last; idle tails and
    /// preparation are left out.
    pub elapsed: Duration,
    /// The answer.
    pub checksum: u64,
}

/// A named pattern of memory use.
pub trait Workload: Sync {
    /// The name users type.
    fn name(&self) -> &'static str;

    /// One sentence: what it does, what one operation is, and where the pattern comes from.
    fn about(&self) -> &'static str;

    /// About how many bytes the job requests in all. A strategy that never reuses memory needs as many.
    fn traffic(&self, job: &Job<'_>) -> u64;

    /// Does the job.
    fn run(&self, job: &Job<'_>) -> Outcome;
}

/// Every workload, in the order that reports show them.
pub fn catalogue() -> &'static [&'static dyn Workload] {
    &[
        &churn::Churn,
        &mixed::Mixed,
        &larson::Larson,
        &producer_consumer::ProducerConsumer,
        &asymmetric::Asymmetric,
        &trees::Trees,
        &vectors::Vectors,
        &fragmentation::Fragmentation,
        &large::Large,
        &zeroed::Zeroed,
        &aligned::Aligned,
        &rayon::Rayon,
        &json::Json,
        &words::Words,
        &regex::Regexes,
    ]
}
