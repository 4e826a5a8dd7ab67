//! What the cells add up to: verdicts against the noise, geometric means, the noise floor. Nothing here formats.

#![forbid(unsafe_code)]

use super::grid::Grid;
use crate::schema::{Interval, Matrix, Status};

/// What one interval says about one strategy against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval is below 1 and below what the baseline showed against itself.
    Faster,
    /// The whole interval is above 1 and above what the baseline showed against itself.
    Slower,
    /// Neither, or there is no A/A row to say how large the noise was.
    CannotTell,
}

/// Compares a ratio's interval with 1 and with `noise`, the interval of the baseline against itself at the same
/// workload and thread count. An A/A interval that excludes 1 shows a bias of the measurement, so the noise is taken
/// to reach from it to 1.
#[must_use]
pub fn verdict(ratio: &Interval, noise: Option<&Interval>) -> Verdict {
    match noise {
        Some(noise) if ratio.hi < noise.lo.min(1.0) => Verdict::Faster,
        Some(noise) if ratio.lo > noise.hi.max(1.0) => Verdict::Slower,
        _ => Verdict::CannotTell,
    }
}

/// The geometric mean; `None` of no values. All values are positive.
#[must_use]
pub fn geomean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let logs: f64 = values.iter().map(|value| value.ln()).sum();
    Some((logs / values.len() as f64).exp())
}

/// A whole run in figures.
#[derive(Clone, Debug)]
pub struct Summary {
    /// One entry a strategy, the baseline left out, the A/A row last.
    pub strategies: Vec<StrategySummary>,
    /// Pairs of workload and thread count in the run.
    pub places: usize,
    /// Of these, the ones that the baseline and every strategy with any measured cell have a time for.
    pub common_places: usize,
    /// What the A/A row showed; `None` without one.
    pub noise: Option<Noise>,
    /// Cells that ended as `failed`, of all strategies.
    pub failed: usize,
    /// Cells that ended as `unsupported`, of all strategies.
    pub unsupported: usize,
}

/// One strategy over all its cells.
#[derive(Clone, Debug)]
pub struct StrategySummary {
    /// Its name.
    pub strategy: String,
    /// Whether this is the baseline measured again, to which no verdict applies.
    pub control: bool,
    /// Cells with a time ratio: both the strategy and the baseline were measured.
    pub cells: usize,
    /// Geometric mean of the median time ratios over those cells.
    pub time: Option<f64>,
    /// The same over [`Summary::common_places`] alone, where strategies can be compared with each other.
    pub time_common: Option<f64>,
    /// Cells with a ratio of peak resident sets.
    pub rss_cells: usize,
    /// Geometric mean of the ratios of peak resident sets over those cells.
    pub rss: Option<f64>,
    /// Cells where the strategy is faster beyond the noise.
    pub faster: usize,
    /// Cells where it is slower beyond the noise.
    pub slower: usize,
    /// Cells where this run cannot tell.
    pub cannot_tell: usize,
    /// Of those that cannot tell, the cells with no A/A row beside them.
    pub without_noise: usize,
    /// The cell with the highest median ratio.
    pub worst: Option<Place>,
    /// Cells that failed.
    pub failed: usize,
    /// Cells that the strategy cannot do.
    pub unsupported: usize,
}

/// A ratio and where it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The ratio.
    pub ratio: Interval,
    /// The workload.
    pub workload: String,
    /// Threads.
    pub threads: usize,
}

/// How far the baseline strayed from itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Cells of the A/A row.
    pub cells: usize,
    /// Median over the cells of how far the interval reaches from 1, as a fraction: 0.02 is 2 %.
    pub median_reach: f64,
    /// The farthest reach of all, as a fraction.
    pub worst_reach: f64,
    /// Where that was.
    pub worst: Place,
    /// Cells whose interval excludes 1 although nothing differs.
    pub off_centre: usize,
}

/// How far an interval reaches from 1, as a fraction.
#[must_use]
pub fn reach(ratio: &Interval) -> f64 {
    (ratio.hi - 1.0).max(1.0 - ratio.lo).max(0.0)
}

/// Adds up a run.
#[must_use]
pub fn summarize(matrix: &Matrix) -> Summary {
    of_grid(&Grid::new(matrix))
}

pub(super) fn of_grid(grid: &Grid<'_>) -> Summary {
    let places: Vec<_> = grid.places().collect();
    let measured: Vec<&str> = grid
        .contenders()
        .filter(|name| {
            places.iter().any(|&(workload, threads)| grid.ratio(workload, threads, name).is_some())
        })
        .collect();
    let common: Vec<_> = places
        .iter()
        .copied()
        .filter(|&(workload, threads)| {
            !measured.is_empty() && measured.iter().all(|name| grid.ratio(workload, threads, name).is_some())
        })
        .collect();
    let ended = |status| grid.matrix.cells.iter().filter(|cell| cell.status == status).count();
    Summary {
        strategies: grid
            .strategies
            .iter()
            .filter(|name| !grid.is_baseline(name))
            .map(|name| of_strategy(grid, name, &places, &common))
            .collect(),
        places: places.len(),
        common_places: common.len(),
        noise: noise(grid, &places),
        failed: ended(Status::Failed),
        unsupported: ended(Status::Unsupported),
    }
}

fn of_strategy(
    grid: &Grid<'_>,
    name: &str,
    places: &[(&str, usize)],
    common: &[(&str, usize)],
) -> StrategySummary {
    let times = |places: &[(&str, usize)]| -> Vec<Place> {
        places
            .iter()
            .filter_map(|&(workload, threads)| {
                let ratio = grid.ratio(workload, threads, name)?;
                Some(Place { ratio, workload: workload.to_owned(), threads })
            })
            .collect()
    };
    let medians = |places: &[Place]| -> Vec<f64> { places.iter().map(|place| place.ratio.median).collect() };
    let own = times(places);
    let sets: Vec<f64> =
        places.iter().filter_map(|&(workload, threads)| grid.rss_ratio(workload, threads, name)).collect();
    let ended = |status| {
        grid.matrix.cells.iter().filter(|cell| cell.strategy == name && cell.status == status).count()
    };
    let control = grid.is_control(name);
    let (mut faster, mut slower, mut cannot_tell, mut without_noise) = (0, 0, 0, 0);
    for place in own.iter().filter(|_| !control) {
        let noise = grid.noise(&place.workload, place.threads);
        without_noise += usize::from(noise.is_none());
        match verdict(&place.ratio, noise.as_ref()) {
            Verdict::Faster => faster += 1,
            Verdict::Slower => slower += 1,
            Verdict::CannotTell => cannot_tell += 1,
        }
    }
    StrategySummary {
        strategy: name.to_owned(),
        control,
        cells: own.len(),
        time: geomean(&medians(&own)),
        time_common: geomean(&medians(&times(common))),
        rss_cells: sets.len(),
        rss: geomean(&sets),
        faster,
        slower,
        cannot_tell,
        without_noise,
        worst: own.iter().max_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median)).cloned(),
        failed: ended(Status::Failed),
        unsupported: ended(Status::Unsupported),
    }
}

fn noise(grid: &Grid<'_>, places: &[(&str, usize)]) -> Option<Noise> {
    let mut found: Vec<Place> = places
        .iter()
        .filter_map(|&(workload, threads)| {
            let ratio = grid.noise(workload, threads)?;
            Some(Place { ratio, workload: workload.to_owned(), threads })
        })
        .collect();
    found.sort_by(|a, b| reach(&a.ratio).total_cmp(&reach(&b.ratio)));
    let worst = found.last()?.clone();
    let middle = found.len() / 2;
    let median_reach = if found.len() % 2 == 1 {
        reach(&found[middle].ratio)
    } else {
        reach(&found[middle - 1].ratio).midpoint(reach(&found[middle].ratio))
    };
    Some(Noise {
        cells: found.len(),
        median_reach,
        worst_reach: reach(&worst.ratio),
        off_centre: found.iter().filter(|place| place.ratio.lo > 1.0 || place.ratio.hi < 1.0).count(),
        worst,
    })
}
