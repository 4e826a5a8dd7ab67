//! Running the matrix: which cells, in which order, each in a process of its own, until the time is used up.
//!
//! ```text
//! plan (what, how long) ─► rounds (whose turn) ─► process (one cell) ─► ledger (answers, failures) ─► schema::Matrix
//!                                                └► timeline (resident set over time, untimed)
//! ```

mod ledger;
mod notes;
mod plan;
mod process;
mod rounds;
mod timeline;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

pub use plan::{Mode, Settings};

use crate::cell::Order;
use crate::schema::{Matrix, SCHEMA, WorkloadNote};
use crate::{machine, registry::Entry};
use ledger::Ledger;
use plan::{Group, Pace};

/// What a run tells its user while it goes on.
pub trait Progress {
    /// A sentence of its own.
    fn say(&mut self, sentence: &str);
    /// `cells` more cells will be run.
    fn expect(&mut self, cells: usize);
    /// A cell begins.
    fn cell(&mut self, name: &str);
    /// The cell that began last is done.
    fn done(&mut self);
}

/// One row of every group: a strategy, under the name that the report shows.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) label: String,
    pub(crate) entry: &'static Entry,
}

/// Measures the whole matrix. Failures of cells are part of the result.
pub fn run(settings: &Settings, progress: &mut dyn Progress) -> Matrix {
    let started_unix =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let machine = machine::read();
    let mut run = Run::new(settings);
    let began = Instant::now();
    run.measure(progress, began);
    run.sample(progress, began);
    let seconds = began.elapsed().as_secs_f64();
    Matrix {
        schema: SCHEMA,
        baseline: settings.baseline.name.to_owned(),
        notes: notes::all(settings, &machine, &run.ledger, seconds),
        machine,
        command: settings.command.clone(),
        mode: settings.mode.name().to_owned(),
        started_unix,
        seconds,
        workloads: (settings.workloads.iter())
            .map(|work| WorkloadNote { name: work.name().to_owned(), about: work.about().to_owned() })
            .collect(),
        cells: run.ledger.into_cells(),
    }
}

struct Run<'s> {
    settings: &'s Settings,
    contenders: Vec<Contender>,
    groups: Vec<Group>,
    ledger: Ledger,
    /// How long each cell's process took in the first round, by group.
    walls: Vec<Duration>,
    program: PathBuf,
}

impl<'s> Run<'s> {
    fn new(settings: &'s Settings) -> Self {
        let contenders = settings.contenders();
        let groups = settings.groups();
        let labels = contenders.iter().map(|contender| contender.label.clone()).collect();
        let mut ledger = Ledger::new(labels, &groups);
        let available = machine::available_kib() * 1024;
        for (place, group) in groups.iter().enumerate() {
            for (row, contender) in contenders.iter().enumerate() {
                if let Some(reason) = settings.unsupported(contender.entry, group, available) {
                    ledger.leave_out(place, row, reason);
                }
            }
        }
        let walls = vec![Duration::ZERO; groups.len()];
        // The kernel's link leads to this very program even when its file has been replaced since.
        let program = PathBuf::from("/proc/self/exe");
        Self { settings, contenders, groups, ledger, walls, program }
    }

    /// All timed rounds.
    fn measure(&mut self, progress: &mut dyn Progress, began: Instant) {
        let mut pace = Pace::new(self.settings.effort());
        progress.say(&format!(
            "{} cells in each round: strategies (the baseline twice) x workloads x thread counts = {} x {} x {}",
            self.ledger.running(),
            self.contenders.len(),
            self.settings.workloads.len(),
            self.settings.threads.len()
        ));
        while pace.another() {
            progress.expect(self.ledger.running());
            let round = pace.done();
            let start = Instant::now();
            for place in 0..self.groups.len() {
                self.round(round, place, progress);
            }
            pace.finish(start.elapsed(), began.elapsed(), self.walls_of_timelines());
            if round == 0 {
                progress.say(&format!(
                    "round 1 took {:.1} s; {}",
                    start.elapsed().as_secs_f64(),
                    pace.forecast()
                ));
            } else {
                progress.say(&format!("round {} took {:.1} s", round + 1, start.elapsed().as_secs_f64()));
            }
        }
    }

    /// One round of one group: every strategy once, the baseline among them.
    fn round(&mut self, round: usize, place: usize, progress: &mut dyn Progress) {
        let mut answers = Vec::new();
        for row in rounds::order(round, place, self.contenders.len(), self.settings.seed) {
            if !self.ledger.is_running(place, row) {
                continue;
            }
            progress.cell(&self.name(place, row));
            let cell = process::run(&self.program, &self.order(place, row), self.settings.timeout, None);
            if round == 0 {
                self.walls[place] += cell.wall;
            }
            answers.push((row, cell.answer));
            progress.done();
        }
        self.ledger.settle(place, answers);
    }

    /// Resident set over time, from one more run of the cells chosen for it.
    fn sample(&mut self, progress: &mut dyn Progress, began: Instant) {
        let chosen = self.groups_with_timeline();
        let rows = self.contenders.len();
        let cells = |run: &Self| -> usize {
            chosen
                .iter()
                .map(|&place| (0..rows).filter(|&row| run.ledger.is_running(place, row)).count())
                .sum()
        };
        if chosen.is_empty() {
            return;
        }
        progress.expect(cells(self));
        progress.say("sampling memory over time");
        for (turn, &place) in chosen.iter().enumerate() {
            // The most telling workload is drawn in any case.
            if turn > 0 && self.settings.effort().is_over(began.elapsed()) {
                break;
            }
            for row in 0..rows {
                if !self.ledger.is_running(place, row) {
                    continue;
                }
                progress.cell(&self.name(place, row));
                let mut line = timeline::Timeline::new(machine::page_size());
                let order = self.order(place, row);
                let cell = process::run(&self.program, &order, self.settings.timeout, Some(&mut line));
                match cell.answer {
                    Ok(answer) => self.ledger.draw(place, row, answer.checksum, line.into_samples()),
                    Err(reason) => self.ledger.fail(place, row, reason),
                }
                progress.done();
            }
        }
    }

    fn groups_with_timeline(&self) -> Vec<usize> {
        plan::with_timeline(self.settings, &self.groups, &self.walls)
    }

    /// About how long the timelines will take, known after the first round.
    fn walls_of_timelines(&self) -> Duration {
        self.groups_with_timeline().iter().map(|&place| self.walls[place]).sum()
    }

    fn name(&self, place: usize, row: usize) -> String {
        let group = &self.groups[place];
        format!("{} / {} / {}", self.contenders[row].label, group.workload.name(), group.threads)
    }

    fn order(&self, place: usize, row: usize) -> Order {
        self.settings.order(self.contenders[row].entry, &self.groups[place])
    }
}
