//! What is known of every cell so far: answers round by round, or why there are none.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::work::Group;
use crate::cell::Answer;
use crate::schema::{Cell, Sample, Status};
use crate::statistics::{interval, median, median_count};

/// The row of the baseline in every group.
const BASELINE: usize = 0;

/// The row of the baseline measured again.
const AGAIN: usize = 1;

/// A cell that is slower than this many times the baseline in every round is slower beyond what noise does.
const SLOW: f64 = 2.0;

/// Memory that a process is the first to touch costs what the machine makes it cost, which differs from one process to
/// the next by more than [`SLOW`] where a host lends the memory. A cell with so many times the baseline's peak memory is
/// not taken to be slow on the word of one round.
const FRESH: f64 = 1.5;

/// All cells of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    labels: Vec<String>,
    groups: Vec<Page>,
}

/// One group's cells.
#[derive(Debug)]
struct Page {
    workload: String,
    threads: usize,
    /// The answer that all must give, how a program ended that gave it, and the row that gave it: the baseline, or the
    /// first one to answer where the baseline has failed.
    expected: Option<(u64, String, usize)>,
    rounds: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    /// Answers by round.
    answers: BTreeMap<usize, Answer>,
    timeline: Vec<Sample>,
    /// Whether it sat out a round.
    rested: bool,
    /// Of a program, from the run that was made for it.
    proof: Option<String>,
    ended: Option<(Status, String)>,
}

impl Ledger {
    pub(super) fn new(labels: Vec<String>, groups: &[Group]) -> Self {
        let page = |group: &Group| Page {
            workload: group.name().to_owned(),
            threads: group.threads,
            expected: None,
            rounds: 0,
            rows: labels.iter().map(|_| Row::default()).collect(),
        };
        let groups = groups.iter().map(page).collect();
        Self { labels, groups }
    }

    /// The strategy cannot do this work.
    pub(super) fn leave_out(&mut self, group: usize, row: usize, reason: String) {
        self.groups[group].rows[row].ended = Some((Status::Unsupported, reason));
    }

    /// The cell failed: it is not run again, and its figures are dropped.
    pub(super) fn fail(&mut self, group: usize, row: usize, reason: String) {
        self.groups[group].rows[row].ended = Some((Status::Failed, reason));
    }

    /// Whether the cell has neither failed nor been left out.
    pub(super) fn is_running(&self, group: usize, row: usize) -> bool {
        self.groups[group].rows[row].ended.is_none()
    }

    /// Whether further rounds of a cell would tell little: it has been measured for as long as the baseline will be in
    /// `least` rounds, and each of its own says that it is slower than noise could make it.
    pub(super) fn is_settled(&self, group: usize, row: usize, least: usize) -> bool {
        let rows = &self.groups[group].rows;
        if row <= AGAIN || rows[BASELINE].ended.is_some() {
            return false;
        }
        let (mut ratios, mut fresh) = (Vec::new(), false);
        for (round, answer) in &rows[row].answers {
            let Some(baseline) = rows[BASELINE].answers.get(round) else { continue };
            ratios.push(answer.ns_per_op() / baseline.ns_per_op());
            fresh |= answer.peak_rss_kib as f64 > FRESH * baseline.peak_rss_kib as f64;
        }
        let measured: f64 = ratios.iter().sum();
        measured >= least as f64 && ratios.iter().all(|&ratio| ratio >= SLOW) && (ratios.len() > 1 || !fresh)
    }

    /// The cell sits out a round.
    pub(super) fn rest(&mut self, group: usize, row: usize) {
        self.groups[group].rows[row].rested = true;
    }

    /// How many rounds the cells have that sat some out: how many such cells, the least and the most; `None` without any.
    pub(super) fn rested(&self) -> Option<(usize, usize, usize)> {
        let rows = self.groups.iter().flat_map(|page| &page.rows);
        let counts = rows.filter(|row| row.ended.is_none() && row.rested).map(|row| row.answers.len());
        Some((counts.clone().count(), counts.clone().min()?, counts.max()?))
    }

    /// How many cells are running.
    pub(super) fn running(&self) -> usize {
        self.groups.iter().flat_map(|page| &page.rows).filter(|row| row.ended.is_none()).count()
    }

    /// Enters one round of a group: an answer is kept if it is the right one.
    pub(super) fn settle(&mut self, group: usize, mut answers: Vec<(usize, Result<Answer, String>)>) {
        // The baseline's answer comes first, whatever its turn was.
        answers.sort_by_key(|&(row, _)| row);
        let round = self.groups[group].rounds;
        self.groups[group].rounds += 1;
        for (row, answer) in answers {
            match answer {
                Err(reason) => self.fail(group, row, reason),
                Ok(answer) if answer.operations == 0 || answer.elapsed_ns == 0 => {
                    self.fail(group, row, "did no work, or none that took time".to_owned());
                }
                Ok(answer) => {
                    if self.check(group, row, &answer) {
                        self.groups[group].rows[row].answers.insert(round, answer);
                    }
                }
            }
        }
    }

    /// Enters the timeline of a cell.
    pub(super) fn draw(&mut self, group: usize, row: usize, answer: &Answer, timeline: Vec<Sample>) {
        if self.check(group, row, answer) {
            self.groups[group].rows[row].timeline = timeline;
        }
    }

    /// Enters what showed who serves a program. The output of that run counts for nothing: what serves said its part in
    /// it, and a program may have had that printed.
    pub(super) fn prove(&mut self, group: usize, row: usize, proof: String) {
        self.groups[group].rows[row].proof = Some(proof);
    }

    /// Whether an answer is the one expected; the cell fails otherwise.
    fn check(&mut self, group: usize, row: usize, answer: &Answer) -> bool {
        let first = || (answer.checksum, answer.ended.clone(), row);
        let (expected, ended, giver) = self.groups[group].expected.get_or_insert_with(first);
        if answer.checksum == *expected {
            return true;
        }
        let (one, other) = (hex(answer.checksum), hex(*expected));
        let giver = if *giver == row { "it gave before" } else { &format!("{} gave", self.labels[*giver]) };
        let reason = if ended.is_empty() {
            format!("wrong answer: {one} is not the {other} that {giver}")
        } else {
            format!("{} (digest {one}) is not the {ended} (digest {other}) that {giver}", answer.ended)
        };
        self.fail(group, row, reason);
        false
    }

    /// Rounds of the cells that are running and sat none out: the least and the most; `None` when there is no such cell.
    pub(super) fn rounds(&self) -> Option<(usize, usize)> {
        let rows = self.groups.iter().flat_map(|page| &page.rows);
        let counts = rows.filter(|row| row.ended.is_none() && !row.rested).map(|row| row.answers.len());
        Some((counts.clone().min()?, counts.max()?))
    }

    /// Whether any cell that is running has a timeline, or none is running.
    pub(super) fn has_timelines(&self) -> bool {
        let mut running = self.groups.iter().flat_map(|page| &page.rows).filter(|row| row.ended.is_none());
        self.running() == 0 || running.any(|row| !row.timeline.is_empty())
    }

    /// The groups whose baseline has failed or was left out, as `churn at 2 threads`, or as a program's name.
    pub(super) fn without_baseline(&self) -> Vec<String> {
        let failed = self.groups.iter().filter(|page| page.rows[BASELINE].ended.is_some());
        failed
            .map(|page| {
                if page.threads == 0 {
                    return page.workload.clone();
                }
                let plural = if page.threads == 1 { "" } else { "s" };
                format!("{} at {} thread{plural}", page.workload, page.threads)
            })
            .collect()
    }

    /// Every cell, in the order shown.
    pub(super) fn into_cells(self) -> Vec<Cell> {
        let Self { labels, groups } = self;
        groups
            .iter()
            .flat_map(|page| labels.iter().zip(&page.rows).map(|(label, row)| cell(label, page, row)))
            .collect()
    }
}

fn cell(label: &str, page: &Page, row: &Row) -> Cell {
    let mut cell = Cell {
        strategy: label.to_owned(),
        workload: page.workload.clone(),
        threads: page.threads,
        status: Status::Ok,
        reason: String::new(),
        rounds: row.answers.len(),
        ns_per_op: None,
        ratio: None,
        cpu_ms: None,
        peak_rss_kib: None,
        minor_faults: None,
        checksum: String::new(),
        proof: String::new(),
        timeline: row.timeline.clone(),
    };
    if let Some((status, reason)) = &row.ended {
        cell.status = *status;
        cell.reason.clone_from(reason);
        return cell;
    }
    let answers = || row.answers.values();
    let baseline = &page.rows[BASELINE];
    let ratios: Vec<f64> = match baseline.ended {
        Some(_) => Vec::new(),
        None => (row.answers.iter())
            .filter_map(|(round, answer)| Some(answer.ns_per_op() / baseline.answers.get(round)?.ns_per_op()))
            .collect(),
    };
    cell.ns_per_op = interval(&answers().map(Answer::ns_per_op).collect::<Vec<_>>());
    cell.ratio = interval(&ratios);
    cell.cpu_ms = median(&answers().map(|answer| answer.cpu_ns as f64 / 1e6).collect::<Vec<_>>());
    cell.peak_rss_kib = median_count(&answers().map(|answer| answer.peak_rss_kib).collect::<Vec<_>>());
    cell.minor_faults = median_count(&answers().map(|answer| answer.minor_faults).collect::<Vec<_>>());
    if let Some(answer) = answers().next() {
        cell.checksum = hex(answer.checksum);
        cell.proof.clone_from(row.proof.as_ref().unwrap_or(&answer.proof));
    }
    cell
}

fn hex(checksum: u64) -> String {
    format!("{checksum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Program;
    use crate::runner::work::Work;
    use crate::workload::{Job, Outcome, Workload};

    struct Nothing;

    impl Workload for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn about(&self) -> &'static str {
            "for these tests"
        }

        fn traffic(&self, _job: &Job<'_>) -> u64 {
            0
        }

        fn run(&self, _job: &Job<'_>) -> Outcome {
            unreachable!("the ledger runs nothing")
        }
    }

    fn ledger() -> Ledger {
        let labels = ["system", "system-again", "bump"].map(str::to_owned).to_vec();
        Ledger::new(labels, &[Group { work: Work::Listed(&Nothing), threads: 2 }])
    }

    fn answer(elapsed_ns: u64, checksum: u64) -> Result<Answer, String> {
        let (proof, ended) = ("shown".to_owned(), String::new());
        Ok(Answer {
            operations: 10,
            elapsed_ns,
            checksum,
            cpu_ns: 4_500_000,
            peak_rss_kib: 5,
            minor_faults: 6,
            proof,
            ended,
        })
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut ledger = ledger();
        // The machine is ten times slower in the second round; the ratio does not notice.
        ledger.settle(0, vec![(2, answer(50, 7)), (0, answer(100, 7)), (1, answer(100, 7))]);
        ledger.settle(0, vec![(1, answer(1000, 7)), (0, answer(1000, 7)), (2, answer(500, 7))]);
        let cells = ledger.into_cells();
        let bump = &cells[2];
        assert_eq!((bump.status, bump.rounds, bump.strategy.as_str()), (Status::Ok, 2, "bump"));
        let ratio = bump.ratio.unwrap();
        assert_eq!((ratio.lo, ratio.median, ratio.hi), (0.5, 0.5, 0.5));
        assert_eq!(bump.ns_per_op.unwrap().median, 27.5);
        assert_eq!((bump.peak_rss_kib, bump.minor_faults, bump.cpu_ms), (Some(5), Some(6), Some(4.5)));
        assert_eq!((bump.checksum.as_str(), bump.proof.as_str()), ("0000000000000007", "shown"));
        assert_eq!(cells[0].ratio.unwrap().median, 1.0);
    }

    #[test]
    fn a_wrong_answer_fails_with_both_values() {
        let mut ledger = ledger();
        ledger.settle(0, vec![(2, answer(1, 8)), (0, answer(1, 7)), (1, answer(1, 7))]);
        assert!(!ledger.is_running(0, 2));
        assert_eq!(ledger.running(), 2);
        assert!(!ledger.has_timelines());
        let cells = ledger.into_cells();
        assert_eq!(
            cells[2].reason,
            "wrong answer: 0000000000000008 is not the 0000000000000007 that system gave"
        );
        assert_eq!((cells[2].status, cells[2].ns_per_op), (Status::Failed, None));
        assert_eq!(cells[1].status, Status::Ok);
    }

    #[test]
    fn a_program_that_ends_otherwise_fails_with_both_ends() {
        let program = Program { name: "p".to_owned(), command: "p x".to_owned(), words: Vec::new() };
        let labels = ["system", "system-again", "bump"].map(str::to_owned).to_vec();
        let mut ledger = Ledger::new(labels, &[Group::program(&program)]);
        let ended =
            |checksum, ended: &str| Answer { ended: ended.to_owned(), ..answer(1, checksum).unwrap() };
        ledger.prove(0, 0, "said so".to_owned());
        ledger.settle(
            0,
            vec![
                (0, Ok(ended(7, "exit status 0 and 5 bytes of output"))),
                (2, Ok(ended(8, "exit status 1 and 0 bytes of output"))),
            ],
        );
        let cells = ledger.into_cells();
        assert_eq!((cells[0].proof.as_str(), cells[0].threads), ("said so", 0));
        assert_eq!(
            cells[2].reason,
            "exit status 1 and 0 bytes of output (digest 0000000000000008) is not the exit status 0 and 5 bytes of output (digest 0000000000000007) that system gave"
        );
    }

    #[test]
    fn an_answer_that_changes_fails() {
        let mut ledger = ledger();
        ledger.settle(0, vec![(0, answer(1, 7))]);
        ledger.settle(0, vec![(0, answer(1, 9))]);
        let cells = ledger.into_cells();
        assert!(cells[0].reason.ends_with("that it gave before"), "{}", cells[0].reason);
        assert_eq!(cells[0].rounds, 1);
    }

    #[test]
    fn without_a_baseline_times_are_kept_and_ratios_are_not() {
        let mut ledger = ledger();
        ledger.settle(0, vec![(0, Err("killed".to_owned())), (1, answer(4, 7)), (2, answer(2, 7))]);
        assert_eq!(ledger.without_baseline(), ["nothing at 2 threads"]);
        assert_eq!(ledger.rounds(), Some((1, 1)));
        let cells = ledger.into_cells();
        assert_eq!((cells[0].status, cells[0].reason.as_str()), (Status::Failed, "killed"));
        assert_eq!(cells[2].status, Status::Ok);
        assert!(cells[2].ns_per_op.is_some() && cells[2].ratio.is_none());
    }

    /// A ledger of rounds in which the baseline takes 100 ns and 10 KiB, and the third row the ratios and KiB given.
    fn rounds_of(ratios: &[u64], peak_rss_kib: u64) -> Ledger {
        let mut ledger = ledger();
        for ratio in ratios {
            let taking =
                |elapsed_ns, peak_rss_kib| Ok(Answer { peak_rss_kib, ..answer(elapsed_ns, 7).unwrap() });
            // The A/A row strays as far as any.
            let rows = [taking(100, 10), taking(100 * ratio, 10), taking(100 * ratio, peak_rss_kib)];
            ledger.settle(0, rows.into_iter().enumerate().collect());
        }
        ledger
    }

    #[test]
    fn a_cell_is_settled_when_it_was_measured_for_long_and_slow_in_every_round() {
        let settled = |ratios: &[u64], peak| rounds_of(ratios, peak).is_settled(0, 2, 3);
        assert!(!settled(&[], 10));
        assert!(!settled(&[2], 10), "two thirds of the time that the baseline gets in three rounds");
        assert!(settled(&[3], 10) && settled(&[18], 10) && settled(&[2, 2], 10));
        assert!(!settled(&[1, 9], 10), "one of two rounds says that it is as fast as the baseline");
        assert!(settled(&[9], 15) && !settled(&[9], 16), "the time may have gone to fresh memory");
        assert!(settled(&[9, 9], 1000), "twice is no accident");
        assert!(!settled(&[9, 1], 1000));
    }

    #[test]
    fn neither_the_baseline_nor_its_noise_nor_a_row_without_ratios_is_ever_settled() {
        let ledger = rounds_of(&[5, 5], 10);
        assert!(!ledger.is_settled(0, 0, 3) && !ledger.is_settled(0, 1, 3));
        let mut ledger = rounds_of(&[5, 5], 10);
        ledger.fail(0, 0, "killed".to_owned());
        assert!(!ledger.is_settled(0, 2, 3));
    }

    #[test]
    fn rounds_of_cells_that_rested_are_told_apart() {
        let mut ledger = ledger();
        assert_eq!(ledger.rested(), None);
        ledger.settle(0, vec![(0, answer(100, 7)), (1, answer(100, 7)), (2, answer(500, 7))]);
        ledger.rest(0, 2);
        ledger.settle(0, vec![(0, answer(100, 7)), (1, answer(100, 7))]);
        assert_eq!((ledger.rounds(), ledger.rested()), (Some((2, 2)), Some((1, 1, 1))));
        let cells = ledger.into_cells();
        assert_eq!((cells[2].rounds, cells[2].ratio.unwrap().median), (1, 5.0));
    }

    #[test]
    fn a_cell_that_is_left_out_does_not_run() {
        let mut ledger = ledger();
        ledger.leave_out(0, 2, "too much".to_owned());
        assert!(!ledger.is_running(0, 2));
        assert_eq!(ledger.into_cells()[2].status, Status::Unsupported);
    }

    #[test]
    fn no_work_is_no_answer() {
        let mut ledger = ledger();
        ledger.settle(0, vec![(0, answer(0, 7))]);
        assert!(!ledger.is_running(0, 0));
    }

    #[test]
    fn a_timeline_must_have_the_right_answer_too() {
        let mut ledger = ledger();
        ledger.settle(0, vec![(0, answer(1, 7)), (1, answer(1, 7)), (2, answer(1, 7))]);
        let line = vec![Sample { ms: 1.0, rss_kib: 2 }];
        ledger.draw(0, 1, &answer(1, 7).unwrap(), line.clone());
        ledger.draw(0, 2, &answer(1, 8).unwrap(), line.clone());
        assert!(ledger.has_timelines());
        let cells = ledger.into_cells();
        assert_eq!(cells[1].timeline, line);
        assert_eq!((cells[2].status, cells[2].timeline.len()), (Status::Failed, 0));
    }
}
