//! What is known of every cell so far: answers round by round, or why there are none.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::work::Group;
use crate::cell::Answer;
use crate::schema::{Cell, Sample, Status};
use crate::statistics::{interval, median, median_count};

/// The row of the baseline in every group.
const BASELINE: usize = 0;

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

    /// Rounds of the cells that are running: the least and the most; `None` when there is no such cell.
    pub(super) fn rounds(&self) -> Option<(usize, usize)> {
        let rows = self.groups.iter().flat_map(|page| &page.rows);
        let counts = rows.filter(|row| row.ended.is_none()).map(|row| row.answers.len());
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
