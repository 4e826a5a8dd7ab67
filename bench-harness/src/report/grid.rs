//! The cells of a matrix by what they are of, and the order in which reports show them.

use std::collections::BTreeMap;

use crate::schema::{Cell, Interval, Matrix, Status};

/// A matrix with its three axes.
pub(super) struct Grid<'a> {
    pub(super) matrix: &'a Matrix,
    /// The baseline, then the others as the run had them, then the A/A row.
    pub(super) strategies: Vec<&'a str>,
    /// As the run lists them, then any that only cells name.
    pub(super) workloads: Vec<&'a str>,
    /// Ascending; 0, which stands for programs, last.
    pub(super) threads: Vec<usize>,
    cells: BTreeMap<(&'a str, usize, &'a str), &'a Cell>,
    again: String,
}

impl<'a> Grid<'a> {
    pub(super) fn new(matrix: &'a Matrix) -> Self {
        let again = format!("{}-again", matrix.baseline);
        let mut strategies = Vec::new();
        let mut workloads = Vec::new();
        let mut threads = Vec::new();
        let mut cells = BTreeMap::new();
        for note in &matrix.workloads {
            push_new(&mut workloads, note.name.as_str());
        }
        for cell in &matrix.cells {
            push_new(&mut strategies, cell.strategy.as_str());
            push_new(&mut workloads, cell.workload.as_str());
            push_new(&mut threads, cell.threads);
            cells.entry((cell.workload.as_str(), cell.threads, cell.strategy.as_str())).or_insert(cell);
        }
        workloads.retain(|&workload| matrix.cells.iter().any(|cell| cell.workload == workload));
        threads.sort_unstable_by_key(|&count| (count == 0, count));
        // A stable sort: the order of the run is kept among the strategies that are neither.
        strategies.sort_by_key(|&name| match name {
            _ if name == matrix.baseline => 0,
            _ if name == again => 2,
            _ => 1,
        });
        Self { matrix, strategies, workloads, threads, cells, again }
    }

    /// Whether this is the strategy that ratios are taken against.
    pub(super) fn is_baseline(&self, strategy: &str) -> bool {
        strategy == self.matrix.baseline
    }

    /// Whether this is the baseline measured a second time.
    pub(super) fn is_control(&self, strategy: &str) -> bool {
        strategy == self.again
    }

    /// The strategies that are compared: neither the baseline nor its second measurement.
    pub(super) fn contenders(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.strategies.iter().copied().filter(|name| !self.is_baseline(name) && !self.is_control(name))
    }

    pub(super) fn cell(&self, workload: &str, threads: usize, strategy: &str) -> Option<&'a Cell> {
        self.cells.get(&(workload, threads, strategy)).copied()
    }

    /// The cell, if it and the baseline's were both measured.
    pub(super) fn comparable(
        &self,
        workload: &str,
        threads: usize,
        strategy: &str,
    ) -> Option<(&'a Cell, &'a Cell)> {
        let ok = |name| self.cell(workload, threads, name).filter(|cell| cell.status == Status::Ok);
        Some((ok(strategy)?, ok(&self.matrix.baseline)?))
    }

    /// Time as a ratio to the baseline's.
    pub(super) fn ratio(&self, workload: &str, threads: usize, strategy: &str) -> Option<Interval> {
        self.comparable(workload, threads, strategy)?.0.ratio.filter(usable)
    }

    /// What the baseline showed against itself: the noise of this workload with this many threads.
    pub(super) fn noise(&self, workload: &str, threads: usize) -> Option<Interval> {
        self.ratio(workload, threads, &self.again)
    }

    /// Peak resident set as a ratio to the baseline's.
    pub(super) fn rss_ratio(&self, workload: &str, threads: usize, strategy: &str) -> Option<f64> {
        let (cell, baseline) = self.comparable(workload, threads, strategy)?;
        match (cell.peak_rss_kib?, baseline.peak_rss_kib?) {
            (0, _) | (_, 0) => None,
            (mine, theirs) => Some(mine as f64 / theirs as f64),
        }
    }

    /// What the workload does, if the run says.
    pub(super) fn about(&self, workload: &str) -> &'a str {
        self.matrix.workloads.iter().find(|note| note.name == workload).map_or("", |note| note.about.as_str())
    }

    /// All pairs of workload and thread count that the run has cells for, in the order shown.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'a str, usize)> + '_ {
        self.workloads
            .iter()
            .flat_map(|&workload| self.threads_of(workload).map(move |threads| (workload, threads)))
    }

    /// The thread counts of a workload: a program has none of the run's, and a workload not that of programs.
    pub(super) fn threads_of(&self, workload: &str) -> impl Iterator<Item = usize> + '_ {
        let has = |&threads: &usize| {
            self.matrix.cells.iter().any(|cell| cell.workload == workload && cell.threads == threads)
        };
        self.threads.iter().copied().filter(has).collect::<Vec<_>>().into_iter()
    }

    /// The workloads of a thread count, in the order shown.
    pub(super) fn workloads_at(&self, threads: usize) -> Vec<&'a str> {
        let has = |workload: &&str| self.threads_of(workload).any(|count| count == threads);
        self.workloads.iter().copied().filter(has).collect()
    }
}

/// Ratios are positive and finite; a file made by other hands may hold something else, which no logarithm may meet.
fn usable(ratio: &Interval) -> bool {
    [ratio.median, ratio.lo, ratio.hi].iter().all(|value| value.is_finite() && *value > 0.0)
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
