//! The arguments, as clap reads them.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::colour::Colour;
use crate::cell::program::ProgramOrder;
use crate::cell::{Order, Preloaded};

/// Measures allocation strategies on identical work.
#[derive(Debug, Parser)]
#[command(name = "strata", bin_name = "cargo", version, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run every strategy on every workload at every thread count, and report.
    Matrix(MatrixArgs),
    /// Show what this machine and build do to a measurement, or what would happen to a program under libstrata.so.
    Doctor(DoctorArgs),
    /// Run one cell and print its measurements: what the matrix starts for each.
    #[command(hide = true)]
    Cell(Order),
    /// Show that a preloaded library serves this process.
    #[command(hide = true)]
    Serves(Preloaded),
    /// Run a program once and print its measurements: what the matrix starts for each.
    #[command(hide = true)]
    Program(ProgramOrder),
}

#[derive(Args, Debug)]
pub(super) struct MatrixArgs {
    /// Small jobs and as many rounds as fit into 90 seconds.
    #[arg(long)]
    pub(super) quick: bool,
    /// Workloads, separated by commas [default: all; with --program, none].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Strategies, separated by commas; the baseline is measured in any case [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) strategies: Vec<String>,
    /// One more row: an allocator library by its path, or a strategy of our own libstrata.so as NAME=strata:STRATEGY; may be
    /// given again.
    #[arg(long, value_name = "NAME=PATH")]
    pub(super) preload: Vec<String>,
    /// A program as one more workload, run under every row that can be preloaded; may be given again.
    #[arg(long, value_name = "COMMAND")]
    pub(super) program: Vec<String>,
    /// Thread counts, separated by commas.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,2,8",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Vec<u16>,
    /// Rounds per cell [default: 21; with --quick, as many as there is time for].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) rounds: Option<u16>,
    /// The strategy, or the name of a --preload, that ratios are taken against.
    #[arg(long, value_name = "NAME", default_value = crate::registry::BASELINE)]
    pub(super) baseline: String,
    /// A JSON document or a text to work on in place of the ones that come along; may be given again.
    #[arg(long, value_name = "FILE")]
    pub(super) input: Vec<PathBuf>,
    /// Where to write matrix.json, matrix.csv, matrix.md and index.html.
    #[arg(long, short, value_name = "FOLDER", default_value = "target/strata")]
    pub(super) output: PathBuf,
    /// Print matrix.json instead of the table.
    #[arg(long)]
    pub(super) json: bool,
    /// Show workloads and strategies, and measure nothing.
    #[arg(long)]
    pub(super) list: bool,
    /// Seconds after which a cell is taken to hang and is killed [default: 120; with --quick, 30].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(super) timeout: Option<u32>,
    /// Seed of every random choice.
    #[arg(long, value_name = "NUMBER", default_value_t = 0x5EED)]
    pub(super) seed: u64,
    /// Cargo features to build with first: `peers`, or some of mimalloc, jemalloc, snmalloc, rpmalloc.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) features: Vec<String>,
    /// When to use colour.
    #[arg(long = "color", value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub(super) colour: Colour,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// A program to examine instead of the machine, by path or by name. The status is 0 if libstrata.so would serve it, 1 if
    /// not, 2 if it cannot be examined.
    #[arg(value_name = "PROGRAM")]
    pub(super) program: Option<PathBuf>,
    /// Print the findings as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// When to use colour.
    #[arg(long = "color", value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub(super) colour: Colour,
}

/// The command as its user typed it, for the header of the report.
pub(super) fn as_typed(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,/:+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    std::iter::once("cargo".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults() {
        let Verb::Matrix(args) = Cli::try_parse_from(["strata", "matrix"]).unwrap().verb else {
            panic!("not the matrix")
        };
        assert_eq!(args.threads, [1, 2, 8]);
        assert_eq!((args.baseline.as_str(), args.quick, args.rounds), ("system", false, None));
        assert!(args.only.is_empty() && args.strategies.is_empty());
    }

    #[test]
    fn the_command_can_be_typed_again() {
        let words = ["strata", "matrix", "--only", "churn,json", "--input", "my file.json", "it's"];
        let typed = as_typed(&words.map(OsString::from));
        assert_eq!(typed, r"cargo matrix --only churn,json --input 'my file.json' 'it'\''s'");
    }
}
