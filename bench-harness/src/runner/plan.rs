//! What a run consists of and how long it may take.

#![forbid(unsafe_code)]

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::work::{Group, Work};
use crate::contender::Contender;
use crate::programs::Program;
use crate::workload::{Inputs, Workload};

/// Fewer rounds than this give no figure at all.
const LEAST_ROUNDS: usize = 3;

/// A quick run has at most this many rounds.
const MOST_QUICK_ROUNDS: usize = 15;

/// A full run has this many rounds: enough for an interval of a few percent on a quiet machine.
const FULL_ROUNDS: usize = 21;

/// How long a quick run measures. The promise is 90 s; the difference is for a last round that takes longer than the
/// rounds before it, and for a slow machine.
const QUICK_BUDGET: Duration = Duration::from_secs(80);

/// The share of a quick run that timelines may take.
const TIMELINE_SHARE: f64 = 0.15;

/// The thread count whose memory a quick run shows, where it is among those measured.
const TIMELINE_THREADS: usize = 2;

/// Workloads whose memory over time says most, first; a quick run shows as many as it has time for.
const TELLING: [&str; 6] = ["fragmentation", "larson", "producer_consumer", "json", "asymmetric", "words"];

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Small jobs, and as many rounds as fit into the promised time.
    Quick,
    /// Larger jobs and more rounds.
    Full,
}

impl Mode {
    /// The name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    /// The scale of every job.
    pub(super) const fn scale(self) -> u32 {
        match self {
            Self::Quick => 1,
            Self::Full => 4,
        }
    }
}

/// Everything that the user chose.
pub struct Settings {
    /// How much is measured.
    pub mode: Mode,
    /// The row that ratios are taken against.
    pub baseline: Contender,
    /// The other rows, in the order shown.
    pub others: Vec<Contender>,
    /// The workloads, in the order shown.
    pub workloads: Vec<&'static dyn Workload>,
    /// Programs as further workloads.
    pub programs: Vec<Program>,
    /// `libstrata.so`, which puts our strategies under those programs; not needed without any.
    pub library: Option<PathBuf>,
    /// Thread counts, in the order shown.
    pub threads: Vec<usize>,
    /// Rounds, when the user fixed their number.
    pub rounds: Option<usize>,
    /// After how long a cell is taken to hang.
    pub timeout: Duration,
    /// Seed of every random choice, in the jobs and in the order of the cells.
    pub seed: u64,
    /// The user's input files, for the cells' processes.
    pub input_files: Vec<String>,
    /// The same, loaded.
    pub inputs: Inputs,
    /// The command line, for the report.
    pub command: String,
    /// What was found out before the run that users should know, one sentence each.
    pub notes: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategies: Vec<_> = self.others.iter().map(|contender| &contender.label).collect();
        let workloads: Vec<_> = self.workloads.iter().map(|work| work.name()).collect();
        f.debug_struct("Settings")
            .field("mode", &self.mode)
            .field("strategies", &strategies)
            .field("baseline", &self.baseline.label)
            .field("workloads", &workloads)
            .field("programs", &self.programs)
            .field("threads", &self.threads)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The baseline, the baseline again (the A/A row), then the others.
    pub(super) fn contenders(&self) -> Vec<Contender> {
        let baseline = &self.baseline;
        let again = Contender { label: format!("{}-again", baseline.label), ..baseline.clone() };
        let others = self.others.iter().filter(|other| other.label != baseline.label);
        [baseline, &again].into_iter().chain(others).cloned().collect()
    }

    /// Every workload at every thread count, and every program.
    pub(super) fn groups(&self) -> Vec<Group> {
        let at = |&workload| {
            self.threads.iter().map(move |&threads| Group { work: Work::Listed(workload), threads })
        };
        self.workloads.iter().flat_map(at).chain(self.programs.iter().map(Group::program)).collect()
    }

    pub(super) fn effort(&self) -> Effort {
        match (self.rounds, self.mode) {
            (Some(rounds), _) => Effort { least: rounds, most: rounds, budget: None },
            (None, Mode::Quick) => {
                Effort { least: LEAST_ROUNDS, most: MOST_QUICK_ROUNDS, budget: Some(QUICK_BUDGET) }
            }
            (None, Mode::Full) => Effort { least: FULL_ROUNDS, most: FULL_ROUNDS, budget: None },
        }
    }
}

/// How many rounds there may be and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) budget: Option<Duration>,
}

impl Effort {
    /// Whether cells that are settled sit out further rounds, which leaves their time to the others: where time is short.
    pub(super) fn lets_rest(&self) -> bool {
        self.budget.is_some()
    }

    pub(super) fn is_over(&self, spent: Duration) -> bool {
        self.budget.is_some_and(|budget| spent > budget)
    }
}

/// Decides, round by round, whether there is time for another.
#[derive(Debug)]
pub(super) struct Pace {
    effort: Effort,
    done: usize,
    /// How long another round may take.
    next: Duration,
    /// What is left for further rounds; `None` without a budget.
    left: Option<Duration>,
}

impl Pace {
    pub(super) fn new(effort: Effort) -> Self {
        Self { effort, done: 0, next: Duration::ZERO, left: effort.budget }
    }

    /// Rounds finished.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Whether another round is due: always below the least number, never beyond the most, and in between while one
    /// would still fit.
    pub(super) fn another(&self) -> bool {
        let fits = self.left.is_none_or(|left| self.next <= left);
        self.done < self.effort.least || (self.done < self.effort.most && fits)
    }

    /// A round is over and another would take `next`; the run has taken `spent` in all and must keep `reserve` for what
    /// comes after the rounds.
    pub(super) fn finish(&mut self, next: Duration, spent: Duration, reserve: Duration) {
        self.done += 1;
        self.next = next;
        self.left = self.effort.budget.map(|budget| budget.saturating_sub(spent + reserve));
    }

    /// How many rounds are to be expected in all, and how long the rest will take.
    pub(super) fn forecast(&self) -> String {
        let fitting = match (self.left, self.next.as_secs_f64()) {
            (Some(left), next) if next > 0.0 => self.done + (left.as_secs_f64() / next) as usize,
            _ => self.effort.most,
        };
        let rounds = fitting.clamp(self.effort.least, self.effort.most);
        let rest = self.next * u32::try_from(rounds - self.done).unwrap_or(u32::MAX);
        match rest.as_secs() {
            0..120 => format!("expecting {rounds} rounds, about {} s more", rest.as_secs()),
            seconds => format!("expecting {rounds} rounds, about {} min more", seconds.div_ceil(60)),
        }
    }
}

/// The groups that get a timeline, of which `walls` tells how long one round of each took.
///
/// A full run draws all. A quick run draws programs, and workloads at one thread count, the most telling first: that one
/// in any case, and of the others as many as fit into its share of the time.
pub(super) fn with_timeline(settings: &Settings, groups: &[Group], walls: &[Duration]) -> Vec<usize> {
    if settings.mode == Mode::Full {
        return (0..groups.len()).collect();
    }
    let distance = |group: &&Group| group.threads.abs_diff(TIMELINE_THREADS);
    let listed = groups.iter().filter(|group| !group.is_program());
    let threads = listed.min_by_key(distance).map(|group| group.threads);
    let rank = |group: &Group| match group.work {
        Work::Program(_) => 0,
        Work::Listed(workload) => {
            let is = |telling: &&str| workload.name().starts_with(*telling);
            1 + TELLING.iter().position(is).unwrap_or(TELLING.len())
        }
    };
    let chosen = |group: &Group| group.is_program() || Some(group.threads) == threads;
    let mut places: Vec<usize> = (0..groups.len()).filter(|&place| chosen(&groups[place])).collect();
    places.sort_by_key(|&place| rank(&groups[place]));
    let most_telling = places.first().copied();
    let mut left = QUICK_BUDGET.mul_f64(TIMELINE_SHARE);
    places.retain(|&place| match left.checked_sub(walls[place]) {
        Some(rest) => {
            left = rest;
            true
        }
        None => Some(place) == most_telling,
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Effort = Effort { least: 3, most: 15, budget: Some(QUICK_BUDGET) };

    fn rounds(effort: Effort, round: Duration, reserve: Duration) -> (usize, Duration) {
        let mut pace = Pace::new(effort);
        let mut spent = Duration::ZERO;
        while pace.another() {
            spent += round;
            pace.finish(round, spent, reserve);
        }
        (pace.done(), spent + reserve)
    }

    #[test]
    fn quick_rounds_fill_the_budget_and_stay_inside() {
        let (done, spent) = rounds(QUICK, Duration::from_secs(10), Duration::from_secs(8));
        assert_eq!(done, 7);
        assert!(spent <= QUICK_BUDGET);
        let (done, _) = rounds(QUICK, Duration::from_millis(100), Duration::ZERO);
        assert_eq!(done, 15);
    }

    #[test]
    fn three_rounds_are_made_even_when_they_do_not_fit() {
        let (done, _) = rounds(QUICK, Duration::from_secs(60), Duration::from_secs(5));
        assert_eq!(done, 3);
    }

    /// What this promise was once missed by: a first round of 35 s, of which 13 s go to cells that are settled after it.
    #[test]
    fn rounds_that_fit_without_the_cells_that_rest_are_made() {
        let mut pace = Pace::new(QUICK);
        let mut spent = Duration::ZERO;
        for round in [35, 22, 20] {
            assert!(pace.another());
            spent += Duration::from_secs(round);
            pace.finish(Duration::from_secs(20), spent, Duration::from_secs(3));
        }
        assert!(!pace.another());
        let mut pace = Pace::new(QUICK);
        pace.finish(Duration::from_secs(7), Duration::from_secs(20), Duration::from_secs(3));
        assert_eq!(pace.forecast(), "expecting 9 rounds, about 56 s more");
    }

    #[test]
    fn cells_rest_only_where_time_is_short() {
        let full = Effort { least: 21, most: 21, budget: None };
        assert!(QUICK.lets_rest() && !full.lets_rest());
    }

    #[test]
    fn a_fixed_number_of_rounds_is_kept() {
        let effort = Effort { least: 5, most: 5, budget: None };
        assert_eq!(rounds(effort, Duration::from_secs(100), Duration::ZERO).0, 5);
    }

    #[test]
    fn the_forecast_tells_rounds_and_time() {
        let mut pace = Pace::new(QUICK);
        pace.finish(Duration::from_secs(10), Duration::from_secs(10), Duration::from_secs(5));
        assert_eq!(pace.forecast(), "expecting 7 rounds, about 60 s more");
        let mut pace = Pace::new(Effort { least: 21, most: 21, budget: None });
        pace.finish(Duration::from_secs(30), Duration::from_secs(30), Duration::ZERO);
        assert_eq!(pace.forecast(), "expecting 21 rounds, about 10 min more");
    }
}
