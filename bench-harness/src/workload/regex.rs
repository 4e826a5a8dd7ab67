//! Regular expressions: each compiled, run over lines, and dropped.

use regex::bytes::Regex;

use super::random::{Random, digest};
use super::{Job, Outcome, Workload, team};

/// The workload `regex`.
pub(super) struct Regexes;

/// Bytes of lines that each expression is run over.
const WINDOW: usize = 8 << 10;
/// Bytes requested per expression: measured on the shipped ones.
const TRAFFIC: u64 = 1_000_000;
const SALT: u64 = u64::from_le_bytes(*b"regex...");

/// The expressions, in order.
fn patterns(all: &'static [u8]) -> impl Iterator<Item = &'static str> {
    all.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| std::str::from_utf8(line).expect("the shipped expressions are text"))
}

/// The lines of a window of `text` at random, the first maybe cut short; one line may be as long as the window.
fn window<'a>(text: &'a [u8], random: &mut Random) -> impl Iterator<Item = &'a [u8]> {
    let start = random.below(text.len().saturating_sub(WINDOW) + 1);
    text[start..(start + WINDOW).min(text.len())].split(|byte| *byte == b'\n')
}

/// Runs the expression over the lines and keeps copies of the groups of each first match, as a parser of logs does.
fn run_over<'a>(regex: &Regex, lines: impl Iterator<Item = &'a [u8]>) -> u64 {
    let found: Vec<Vec<Option<Box<[u8]>>>> = lines
        .filter_map(|line| regex.captures(line))
        .map(|groups| groups.iter().map(|group| group.map(|text| Box::from(text.as_bytes()))).collect())
        .collect();
    let groups = found.iter().flatten().enumerate();
    groups.fold(0_u64, |sum, (place, group)| {
        sum.wrapping_add(group.as_deref().map_or(place as u64, |text| digest(text).rotate_left(place as u32)))
    })
}

fn units(job: &Job<'_>) -> usize {
    patterns(job.inputs.patterns).count() * job.scale as usize
}

impl Workload for Regexes {
    fn name(&self) -> &'static str {
        "regex"
    }

    fn about(&self) -> &'static str {
        "Compiles each of a real set of regular expressions, runs it over 8 KiB of real lines, and copies what its groups \
         matched; one operation is one expression (the regex crate, as analysers of web logs use it)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        units(job) as u64 * TRAFFIC
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let patterns: Vec<&str> = patterns(job.inputs.patterns).collect();
        let shared = team::share(job.threads, units(job), |unit| {
            let regex =
                Regex::new(patterns[unit % patterns.len()]).expect("the shipped expressions are valid");
            run_over(&regex, window(job.inputs.lines, &mut Random::new(job.seed, SALT, unit)))
        });
        Outcome { operations: units(job) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_groups_matched_makes_the_answer() {
        let regex = Regex::new("(a+)(b)?").expect("valid");
        let over = |lines: &[&'static [u8]]| run_over(&regex, lines.iter().copied());
        assert_eq!(over(&[b"xx"]), 0);
        assert_ne!(over(&[b"aab"]), over(&[b"ab"]));
        assert_ne!(over(&[b"ab", b"a"]), over(&[b"a", b"ab"]));
    }

    #[test]
    fn a_window_lies_within_any_text() {
        for text in [&b""[..], b"one\ntwo", &[b'x'; 3 * WINDOW]] {
            for unit in 0..100 {
                let bytes: usize =
                    window(text, &mut Random::new(1, 2, unit)).map(|line| line.len() + 1).sum();
                assert_eq!(bytes, text.len().min(WINDOW) + 1);
            }
        }
    }
}
