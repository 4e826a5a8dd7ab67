//! Running the matrix: which cells, in which order, each in a process of its own, until the time is used up.
//!
//! ```text
//! plan (what, how long) ─► rounds (whose turn) ─► launch (how) ─► process (one cell) ─► ledger (answers, failures)
//!                                                                 └► timeline (resident set over time, untimed)
//! ```
//!
//! Programs have two more untimed runs: a rehearsal before everything, and one for each row that shows who serves.
//!
//! ```text
//! ledger ─► schema::Matrix
//! ```

mod launch;
mod ledger;
mod notes;
mod plan;
mod process;
mod rehearsal;
mod rounds;
mod timeline;
mod work;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

pub use plan::{Mode, Settings};
pub use rehearsal::rehearse;

use crate::contender::{Contender, Server};
use crate::machine;
use crate::schema::{Machine, Matrix, SCHEMA, WorkloadNote};
use launch::Purpose;
use ledger::Ledger;
use plan::Pace;
use work::{Group, Work};

/// The kernel's link leads to this very program even when its file has been replaced since.
const ITSELF: &str = "/proc/self/exe";

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

/// Measures the whole matrix. Failures of cells are part of the result.
pub fn run(settings: &Settings, progress: &mut dyn Progress) -> Matrix {
    let started_unix =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut machine = machine::read();
    name_libraries(&mut machine, settings);
    let mut run = Run::new(settings);
    let began = Instant::now();
    run.prove(progress);
    run.measure(progress, began);
    run.sample(progress, began);
    let seconds = began.elapsed().as_secs_f64();
    Matrix {
        schema: SCHEMA,
        baseline: settings.baseline.label.clone(),
        notes: notes::all(settings, &machine, &run.ledger, seconds),
        machine,
        command: settings.command.clone(),
        mode: settings.mode.name().to_owned(),
        started_unix,
        seconds,
        workloads: workloads(settings),
        cells: run.ledger.into_cells(),
    }
}

/// The workloads as the report explains them.
fn workloads(settings: &Settings) -> Vec<WorkloadNote> {
    let listed = settings.workloads.iter().map(|work| WorkloadNote {
        name: work.name().to_owned(),
        about: work.about().to_owned(),
        command: String::new(),
    });
    let programs = settings.programs.iter().map(|program| WorkloadNote {
        name: program.name.clone(),
        about: format!("Runs {} with the allocator preloaded; one operation is a run.", program.command),
        command: program.command.clone(),
    });
    listed.chain(programs).collect()
}

/// Adds the libraries of preloaded rows to the list of allocators.
fn name_libraries(machine: &mut Machine, settings: &Settings) {
    for contender in std::iter::once(&settings.baseline).chain(&settings.others) {
        if let Server::Preloaded(preload) = &contender.server {
            machine.allocators.push(format!("{} {}", contender.label, preload.library.display()));
        }
    }
}

struct Run<'s> {
    settings: &'s Settings,
    contenders: Vec<Contender>,
    groups: Vec<Group>,
    ledger: Ledger,
    /// The longest time that each cell's process took in a round, by group and row.
    walls: Vec<Vec<Duration>>,
    /// Bytes of memory that could be had when the run began.
    available: u64,
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
                if let Some(reason) = settings.unsupported(contender, group, available) {
                    ledger.leave_out(place, row, reason);
                }
            }
        }
        let walls = vec![vec![Duration::ZERO; contenders.len()]; groups.len()];
        Self { settings, contenders, groups, ledger, walls, available }
    }

    /// Programs once on every row, untimed, so that what serves may take the time to say so.
    fn prove(&mut self, progress: &mut dyn Progress) {
        let places: Vec<usize> =
            (0..self.groups.len()).filter(|&place| self.groups[place].is_program()).collect();
        if places.is_empty() {
            return;
        }
        progress.say("showing for each program that every row's allocator serves it");
        progress.expect(places.iter().map(|&place| self.running(place)).sum());
        let served: Vec<_> = self.contenders.iter().map(|contender| self.serves(contender)).collect();
        for place in places {
            for (row, served) in served.iter().enumerate() {
                if !self.ledger.is_running(place, row) {
                    continue;
                }
                progress.cell(&self.name(place, row));
                if let Err(reason) = served {
                    self.ledger.fail(place, row, reason.clone());
                    progress.done();
                    continue;
                }
                match self.run(place, row, Purpose::Proof, None).answer {
                    Ok(answer) => self.ledger.prove(place, row, answer.proof),
                    Err(reason) => self.ledger.fail(place, row, reason),
                }
                progress.done();
            }
        }
    }

    /// Whether a library serves at all, and not the C library behind it: shown in a process of the harness's own, because
    /// nobody can ask that of a program.
    fn serves(&self, contender: &Contender) -> Result<(), String> {
        let Server::Preloaded(preload) = &contender.server else { return Ok(()) };
        let launch = launch::Launch::proof(preload);
        process::run(Path::new(ITSELF), &launch, self.settings.timeout, None).answer.map(|_| ())
    }

    /// All timed rounds.
    fn measure(&mut self, progress: &mut dyn Progress, began: Instant) {
        let mut pace = Pace::new(self.settings.effort());
        progress.say(&format!("{} cells in each round: {}", self.ledger.running(), self.dimensions()));
        while pace.another() {
            progress.expect(self.due().count());
            let round = pace.done();
            let start = Instant::now();
            for place in 0..self.groups.len() {
                self.round(round, place, progress);
            }
            let next = self.due().map(|(place, row)| self.walls[place][row]).sum();
            pace.finish(next, began.elapsed(), self.walls_of_timelines());
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

    /// The cells of another round.
    fn due(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.contenders.len();
        let cells = (0..self.groups.len()).flat_map(move |place| (0..rows).map(move |row| (place, row)));
        cells.filter(|&(place, row)| self.ledger.is_running(place, row) && !self.rests(place, row))
    }

    fn rests(&self, place: usize, row: usize) -> bool {
        let effort = self.settings.effort();
        effort.lets_rest() && self.ledger.is_settled(place, row, effort.least)
    }

    /// One round of one group: every strategy once, the baseline among them, but those that rest.
    fn round(&mut self, round: usize, place: usize, progress: &mut dyn Progress) {
        let mut answers = Vec::new();
        for row in rounds::order(round, place, self.contenders.len(), self.settings.seed) {
            if !self.ledger.is_running(place, row) {
                continue;
            }
            if self.rests(place, row) {
                self.ledger.rest(place, row);
                continue;
            }
            progress.cell(&self.name(place, row));
            let cell = self.run(place, row, Purpose::Timing, None);
            let wall = &mut self.walls[place][row];
            *wall = cell.wall.max(*wall);
            answers.push((row, cell.answer));
            progress.done();
        }
        self.ledger.settle(place, answers);
    }

    /// Resident set over time, from one more run of the cells chosen for it.
    fn sample(&mut self, progress: &mut dyn Progress, began: Instant) {
        let chosen = self.groups_with_timeline();
        let rows = self.contenders.len();
        if chosen.is_empty() {
            return;
        }
        progress.expect(chosen.iter().map(|&place| self.running(place)).sum());
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
                match self.run(place, row, Purpose::Drawing, Some(&mut line)).answer {
                    Ok(answer) => self.ledger.draw(place, row, &answer, line.into_samples()),
                    Err(reason) => self.ledger.fail(place, row, reason),
                }
                progress.done();
            }
        }
    }

    fn groups_with_timeline(&self) -> Vec<usize> {
        let walls: Vec<Duration> = self.walls.iter().map(|rows| rows.iter().sum()).collect();
        plan::with_timeline(self.settings, &self.groups, &walls)
    }

    /// About how long the timelines will take, known after the first round.
    fn walls_of_timelines(&self) -> Duration {
        self.groups_with_timeline().iter().flat_map(|&place| &self.walls[place]).sum()
    }

    fn name(&self, place: usize, row: usize) -> String {
        let group = &self.groups[place];
        let label = &self.contenders[row].label;
        match group.work {
            Work::Listed(_) => format!("{label} / {} / {}", group.name(), group.threads),
            Work::Program(_) => format!("{label} / {}", group.name()),
        }
    }

    /// How the number of cells comes about.
    fn dimensions(&self) -> String {
        let rows = self.contenders.len();
        let Settings { workloads, threads, programs, .. } = self.settings;
        let listed = (!workloads.is_empty()).then(|| {
            format!(
                "strategies (the baseline twice) x workloads x thread counts = {rows} x {} x {}",
                workloads.len(),
                threads.len()
            )
        });
        let programs = (!programs.is_empty())
            .then(|| format!("strategies (the baseline twice) x programs = {rows} x {}", programs.len()));
        listed.into_iter().chain(programs).collect::<Vec<_>>().join(", and ")
    }

    fn running(&self, place: usize) -> usize {
        (0..self.contenders.len()).filter(|&row| self.ledger.is_running(place, row)).count()
    }

    fn run(
        &self,
        place: usize,
        row: usize,
        purpose: Purpose,
        line: Option<&mut timeline::Timeline>,
    ) -> process::Cell {
        let (contender, group) = (&self.contenders[row], &self.groups[place]);
        match self.settings.launch(contender, group, self.available, purpose) {
            Ok(launch) => process::run(Path::new(ITSELF), &launch, self.settings.timeout, line),
            Err(reason) => process::Cell { answer: Err(reason), wall: Duration::ZERO },
        }
    }
}
