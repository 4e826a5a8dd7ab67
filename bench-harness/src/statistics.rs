//! Medians and intervals of a handful of noisy measurements.
//!
//! The figures here are medians with percentile bootstrap intervals (Efron, "Bootstrap methods: another look at the
//! jackknife", 1979): times have a long upper tail, and a median with resampling assumes no distribution.

#![forbid(unsafe_code)]

use crate::random::SplitMix;
use crate::schema::Interval;

/// How often values are resampled for an interval.
pub const RESAMPLES: usize = 2000;

/// The share of intervals that should contain the true median.
pub const CONFIDENCE: f64 = 0.95;

/// Every interval starts from this seed: the same measurements give the same report.
const SEED: u64 = 0x5EED_0F57_4A7A;

/// The `q`-quantile (0 to 1) of values in ascending order, interpolated between neighbours; `None` without values.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor();
    let low = sorted[below as usize];
    let high = sorted[place.ceil() as usize];
    Some(low + (high - low) * (place - below))
}

/// The median; `None` without values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&ascending(values), 0.5)
}

/// The median of counts, rounded down; `None` without values.
#[must_use]
pub fn median_count(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(lower + (upper - lower) / 2)
}

/// The median with the bounds of its 95 % bootstrap interval; `None` without values.
///
/// The bounds are values that were measured, so the true confidence comes in steps: with 21 values they are as a rule
/// the seventh from either end, which contain the true median in 92 % of cases. Fewer than six values cannot support
/// 95 % at all: see [`coverage_of_range`].
#[must_use]
pub fn interval(values: &[f64]) -> Option<Interval> {
    let middle = median(values)?;
    let mut random = SplitMix::new(SEED);
    let mut resample = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for place in &mut resample {
                *place = values[random.below(values.len())];
            }
            resample.sort_by(f64::total_cmp);
            quantile(&resample, 0.5).unwrap_or(middle)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval {
        median: middle,
        lo: quantile(&medians, tail).unwrap_or(middle),
        hi: quantile(&medians, 1.0 - tail).unwrap_or(middle),
    })
}

/// How often the range from the least to the greatest of `count` independent measurements contains the true median:
/// `1 - 2 / 2^count`. No interval made from them can promise more.
#[must_use]
pub fn coverage_of_range(count: usize) -> f64 {
    match count {
        0 => 0.0,
        _ => 1.0 - 0.5_f64.powi(i32::try_from(count - 1).unwrap_or(i32::MAX)),
    }
}

fn ascending(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_known_values() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert_eq!(quantile(&values, 1.0), Some(4.0));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn medians_of_known_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(median_count(&[5, 1, 9]), Some(5));
        assert_eq!(median_count(&[u64::MAX, u64::MAX - 2]), Some(u64::MAX - 1));
        assert_eq!(median_count(&[]), None);
    }

    #[test]
    fn an_interval_brackets_its_median_and_is_repeatable() {
        let values = [1.00, 1.02, 0.98, 1.10, 0.97, 1.01, 1.50];
        let first = interval(&values).unwrap();
        assert_eq!(first.median, 1.01);
        assert!(first.lo <= first.median && first.median <= first.hi);
        assert!(first.lo >= 0.97 && first.hi <= 1.50);
        assert_eq!(first, interval(&values).unwrap());
        let one = interval(&[2.0]).unwrap();
        assert_eq!((one.lo, one.median, one.hi), (2.0, 2.0, 2.0));
        assert_eq!(interval(&[]), None);
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        let calm = interval(&[1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99]).unwrap();
        let noisy = interval(&[1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 9.0, 0.99]).unwrap();
        assert!((calm.median - noisy.median).abs() < 0.011);
    }

    #[test]
    fn the_range_of_few_values_covers_little() {
        assert_eq!(coverage_of_range(0), 0.0);
        assert_eq!(coverage_of_range(1), 0.0);
        assert_eq!(coverage_of_range(3), 0.75);
        assert!(coverage_of_range(5) < CONFIDENCE);
        assert!(coverage_of_range(6) > CONFIDENCE);
        assert!(coverage_of_range(usize::MAX) <= 1.0);
    }

    /// Draws from a distribution whose median is 1, with a long upper tail as times have.
    fn skewed(random: &mut SplitMix) -> f64 {
        let uniform = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        // The sum of twelve uniform numbers less 6 is close to a standard normal one, and its median is exactly 0.
        let normal: f64 = std::iter::repeat_with(uniform).take(12).sum::<f64>() - 6.0;
        (0.4 * normal).exp()
    }

    #[test]
    fn intervals_of_synthetic_times_cover_the_true_median() {
        let mut random = SplitMix::new(42);
        // What is to be expected is 0.92 for 21 values; the margin is two standard errors of 300 trials.
        for (count, least) in [(9, 0.88), (21, 0.89)] {
            const TRIALS: usize = 300;
            let covered = (0..TRIALS)
                .filter(|_| {
                    let values: Vec<f64> = (0..count).map(|_| skewed(&mut random)).collect();
                    let interval = interval(&values).unwrap();
                    interval.lo <= 1.0 && 1.0 <= interval.hi
                })
                .count();
            let share = covered as f64 / TRIALS as f64;
            assert!(share >= least && share < 1.0, "{share} of the intervals of {count} values");
        }
    }

    #[test]
    fn equal_strategies_are_seldom_told_apart() {
        // Ratios of two draws from one distribution: the interval should exclude 1 in few runs.
        let mut random = SplitMix::new(7);
        const TRIALS: usize = 300;
        let apart = (0..TRIALS)
            .filter(|_| {
                let ratios: Vec<f64> = (0..15).map(|_| skewed(&mut random) / skewed(&mut random)).collect();
                let interval = interval(&ratios).unwrap();
                interval.lo > 1.0 || interval.hi < 1.0
            })
            .count();
        assert!(apart <= TRIALS / 8, "{apart} of {TRIALS} equal pairs told apart");
    }
}
