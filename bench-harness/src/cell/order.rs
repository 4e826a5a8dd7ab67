//! What the harness asks of a cell's process, and what that answers.

#![forbid(unsafe_code)]

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::contender::{Preload, Server};
use crate::workload::{Inputs, Job};

/// One run of one workload on one strategy, as the arguments of the hidden verb `cell`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The row's name; the environment must name the same strategy where no library is preloaded.
    #[arg(long)]
    pub strategy: String,
    /// The workload's name.
    #[arg(long)]
    pub workload: String,
    /// Threads to work with.
    #[arg(long)]
    pub threads: usize,
    /// How much work.
    #[arg(long)]
    pub scale: u32,
    /// Seed of every random choice.
    #[arg(long)]
    pub seed: u64,
    /// Whether idle times are waited for, which only a drawing of memory over time shows.
    #[arg(long)]
    pub idle: bool,
    /// The user's input files.
    #[arg(long = "input", allow_hyphen_values = true)]
    pub inputs: Vec<String>,
    /// The library that is preloaded into this process, if any.
    #[command(flatten)]
    pub preloaded: Option<Preloaded>,
}

/// The library that must serve a cell.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[group(id = "preloaded")]
pub struct Preloaded {
    /// Its full path.
    #[arg(long = "preloaded", value_name = "LIBRARY", required = false)]
    pub library: String,
    /// The strategy of `libstrata.so` that must be at work.
    #[arg(id = "at_work", long = "at-work", value_name = "STRATEGY", requires = "library")]
    pub strategy: Option<String>,
}

impl Preloaded {
    /// What a contender's library is to show; `None` where nothing is preloaded.
    #[must_use]
    pub fn of(server: &Server) -> Option<Self> {
        match server {
            Server::Preloaded(preload) => Some(Self::from(preload)),
            Server::Linked(_) => None,
        }
    }

    /// The arguments that say this to the binary.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--preloaded".to_owned(), self.library.clone()];
        if let Some(strategy) = &self.strategy {
            arguments.extend(["--at-work".to_owned(), strategy.clone()]);
        }
        arguments
    }
}

impl Order {
    /// The job, on inputs that have been loaded.
    #[must_use]
    pub fn job<'a>(&self, inputs: &'a Inputs) -> Job<'a> {
        Job { threads: self.threads, scale: self.scale, seed: self.seed, inputs, idle: self.idle }
    }

    /// The arguments that give this order to the binary.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["cell".to_owned()];
        let mut put = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        put("--strategy", self.strategy.clone());
        put("--workload", self.workload.clone());
        put("--threads", self.threads.to_string());
        put("--scale", self.scale.to_string());
        put("--seed", self.seed.to_string());
        for input in &self.inputs {
            put("--input", input.clone());
        }
        if self.idle {
            arguments.push("--idle".to_owned());
        }
        if let Some(preloaded) = &self.preloaded {
            arguments.extend(preloaded.arguments());
        }
        arguments
    }
}

impl From<&Preload> for Preloaded {
    fn from(preload: &Preload) -> Self {
        Self {
            library: preload.library.to_string_lossy().into_owned(),
            strategy: preload.strategy.map(|ours| ours.strategy.to_owned()),
        }
    }
}

/// What a cell's process measured, printed as one line of JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Operations done by all threads together.
    pub operations: u64,
    /// Wall-clock nanoseconds of the work.
    pub elapsed_ns: u64,
    /// The workload's answer.
    pub checksum: u64,
    /// Processor time, in nanoseconds, since the process began.
    pub cpu_ns: u64,
    /// Highest resident set of the process, in KiB.
    pub peak_rss_kib: u64,
    /// Page faults served without I/O, since the process began.
    pub minor_faults: u64,
    /// How the cell proved its allocator.
    pub proof: String,
    /// How a program ended and how much it printed, in words; empty for workloads of the catalogue. The checksum is of
    /// the same.
    #[serde(default)]
    pub ended: String,
}

impl Answer {
    /// Nanoseconds per operation.
    #[must_use]
    pub fn ns_per_op(&self) -> f64 {
        self.elapsed_ns as f64 / self.operations.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Verb {
        #[command(flatten)]
        order: Order,
    }

    #[test]
    fn an_order_survives_the_command_line() {
        let order = Order {
            strategy: "bump".to_owned(),
            workload: "churn".to_owned(),
            threads: 8,
            scale: 4,
            seed: u64::MAX,
            idle: true,
            inputs: vec!["a b.json".to_owned(), "-odd-name".to_owned()],
            preloaded: None,
        };
        // The verb's own name takes the place of the program's.
        let arguments = order.arguments();
        assert_eq!(arguments[0], "cell");
        let parsed = Verb::try_parse_from(arguments).unwrap();
        assert_eq!(parsed.order, order);
        for strategy in [None, Some("freelist".to_owned())] {
            let preloaded = Some(Preloaded { library: "/lib/libstrata.so".to_owned(), strategy });
            let order = Order { preloaded, idle: false, ..order.clone() };
            assert_eq!(Verb::try_parse_from(order.arguments()).unwrap().order, order);
        }
    }

    #[test]
    fn time_per_operation() {
        let mut answer = Answer {
            operations: 8,
            elapsed_ns: 100,
            checksum: 1,
            cpu_ns: 1,
            peak_rss_kib: 1,
            minor_faults: 1,
            proof: String::new(),
            ended: String::new(),
        };
        assert_eq!(answer.ns_per_op(), 12.5);
        answer.operations = 0;
        assert!(answer.ns_per_op().is_finite());
    }
}
