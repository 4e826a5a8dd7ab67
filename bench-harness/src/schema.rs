//! The results file, schema 2. Every report is written from one value of [`Matrix`], so that none can disagree with
//! another, and `matrix.json` is that value.
//!
//! Schema 2 added programs as workloads ([`WorkloadNote::command`], [`Cell::threads`] of 0) and [`Cell::cpu_ms`].

use serde::{Deserialize, Serialize};

/// The version of this schema, first field of the file.
pub const SCHEMA: u32 = 2;

/// One run of the matrix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Matrix {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The strategy that ratios are taken against.
    pub baseline: String,
    /// Where and how it was measured.
    pub machine: Machine,
    /// The command line that made this file, as typed.
    pub command: String,
    /// `quick` or `full`.
    pub mode: String,
    /// Seconds since the epoch at the start of the run.
    pub started_unix: u64,
    /// Seconds of measuring, without the build.
    pub seconds: f64,
    /// What users should know before they read the figures, one sentence each.
    pub notes: Vec<String>,
    /// The workloads of this run, in the order shown.
    pub workloads: Vec<WorkloadNote>,
    /// One cell per workload, thread count and strategy, in the order shown.
    pub cells: Vec<Cell>,
}

/// A workload as the report explains it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadNote {
    /// Its name.
    pub name: String,
    /// One sentence: what it does, and what one operation is.
    pub about: String,
    /// The command, where the workload is a program of the user's; empty for one of the catalogue.
    pub command: String,
}

/// The machine and build that a run was made on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Memory that this process may use, in KiB (the cgroup's limit where that is lower).
    pub memory_kib: u64,
    /// Kernel release.
    pub kernel: String,
    /// C library and version, whose allocator `system` is.
    pub libc: String,
    /// Compiler that built the harness.
    pub rustc: String,
    /// Commit of the working tree, with `+` when it had changes; empty outside a checkout.
    pub commit: String,
    /// Bytes in a page.
    pub page_size: usize,
    /// The bracketed word of `/sys/kernel/mm/transparent_hugepage/enabled`.
    pub transparent_huge_pages: String,
    /// Frequency governor of the first processor; empty where there is none to read.
    pub governor: String,
    /// Load averages over 1, 5 and 15 minutes when the run began.
    pub load: [f64; 3],
    /// Strategies and peers with their versions, as `name version`, and preloaded libraries, as `name path`.
    pub allocators: Vec<String>,
}

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Measured, with the right answer and proof of the allocator.
    Ok,
    /// It crashed, gave a wrong answer, could not prove its allocator, or ran out of time; `reason` says which.
    Failed,
    /// The strategy cannot do this work; `reason` says why.
    Unsupported,
}

/// One strategy on one workload with one number of threads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// The strategy's name. `system-again` is the baseline measured a second time: the A/A row.
    pub strategy: String,
    /// The workload's name.
    pub workload: String,
    /// Threads; 0 where the workload is a program, which has as many as it likes.
    pub threads: usize,
    /// How it ended.
    pub status: Status,
    /// Why it is not `ok`; empty when it is.
    pub reason: String,
    /// Rounds kept.
    pub rounds: usize,
    /// Wall-clock nanoseconds per operation, over all threads together.
    pub ns_per_op: Option<Interval>,
    /// Time as a ratio to the baseline's in the same round.
    pub ratio: Option<Interval>,
    /// Processor time of the cell's process, in user and in kernel mode, median over the rounds, in milliseconds. Of a
    /// program, with all processes that it started and waited for.
    pub cpu_ms: Option<f64>,
    /// Highest resident set of the cell's process, median over the rounds, in KiB. Of a program, the highest among the
    /// processes that it started and waited for.
    pub peak_rss_kib: Option<u64>,
    /// Page faults served without I/O, median over the rounds.
    pub minor_faults: Option<u64>,
    /// The workload's answer, as 16 hexadecimal digits; the same for every strategy.
    pub checksum: String,
    /// How the cell proved which allocator served it.
    pub proof: String,
    /// Resident set over time, from one more, untimed round.
    pub timeline: Vec<Sample>,
}

/// A median with the bounds of its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Median.
    pub median: f64,
    /// Lower bound.
    pub lo: f64,
    /// Upper bound.
    pub hi: f64,
}

/// Resident set at one moment of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Milliseconds since the cell's process began its work.
    pub ms: f64,
    /// Resident set in KiB.
    pub rss_kib: u64,
}
