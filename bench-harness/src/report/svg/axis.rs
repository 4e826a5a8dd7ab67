//! Where a value falls on a plot, and which values get a tick.

/// No axis reaches farther than this factor from 1.
const FARTHEST: f64 = 100.0;
/// How much farther from 1 than nine tenths of the values (in logarithms) an axis reaches.
const BEYOND: f64 = 1.5;

/// A logarithmic axis around 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogAxis {
    lo: f64,
    hi: f64,
    left: f64,
    right: f64,
}

impl LogAxis {
    /// Holds 1 and the `values`, but for a few far ones, which would crowd the others and belong at the edge. Never
    /// less than 0.8 to 1.25, so that noise does not look large.
    pub(super) fn around_one(values: impl Iterator<Item = f64>, left: f64, right: f64) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(|a, b| a.ln().abs().total_cmp(&b.ln().abs()));
        let nine_tenths = values
            .get((values.len() * 9).div_ceil(10).saturating_sub(1))
            .map_or(0.0, |value| value.ln().abs());
        let farthest = (nine_tenths * BEYOND).exp().clamp(1.5, FARTHEST);
        let (mut lo, mut hi) = (1.0 / 1.2, 1.2);
        for value in values {
            lo = value.max(1.0 / farthest).min(lo);
            hi = value.min(farthest).max(hi);
        }
        Self { lo: lo / 1.04, hi: hi * 1.04, left, right }
    }

    /// Holds `lo` to `hi`, both positive.
    pub(super) fn between(lo: f64, hi: f64, left: f64, right: f64) -> Self {
        Self { lo, hi: hi.max(lo * 1.5), left, right }
    }

    /// The place of `value`, at the edge if it lies outside.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value / self.lo).ln() / (self.hi / self.lo).ln();
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Whether `value` has a place of its own.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.lo..=self.hi).contains(&value)
    }

    /// Round values, at least `apart` units from each other: the finest of some scales that keeps this distance.
    pub(super) fn ticks(&self, apart: f64) -> Vec<f64> {
        const SCALES: [&[f64]; 6] = [
            &[0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25],
            &[0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0],
            &[0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5],
            &[0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0],
            &[0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0],
            &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        ];
        for scale in SCALES {
            let reaches = scale[0] <= self.lo * 1.3 && scale[scale.len() - 1] >= self.hi / 1.3;
            let ticks: Vec<f64> = scale.iter().copied().filter(|tick| self.holds(*tick)).collect();
            if reaches && self.spaced(&ticks, apart) {
                return ticks;
            }
        }
        self.decades(apart)
    }

    /// Powers of ten, or of a hundred where those stand too close; ones, twos and fives where few powers fit.
    pub(super) fn decades(&self, apart: f64) -> Vec<f64> {
        let exponents = self.lo.log10().floor() as i32..=self.hi.log10().ceil() as i32;
        let with = |factors: &[f64], step: i32| -> Vec<f64> {
            exponents
                .clone()
                .filter(|exponent| exponent % step == 0)
                .flat_map(|exponent| factors.iter().map(move |factor| factor * 10f64.powi(exponent)))
                .filter(|tick| self.holds(*tick))
                .collect()
        };
        [with(&[1.0, 2.0, 5.0], 1), with(&[1.0, 3.0], 1), with(&[1.0], 1)]
            .into_iter()
            .find(|ticks| self.spaced(ticks, apart))
            .unwrap_or_else(|| with(&[1.0], 2))
    }

    fn spaced(&self, ticks: &[f64], apart: f64) -> bool {
        ticks.windows(2).all(|pair| (self.at(pair[1]) - self.at(pair[0])).abs() >= apart)
    }
}

/// A linear axis from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinearAxis {
    hi: f64,
    left: f64,
    right: f64,
}

impl LinearAxis {
    /// From 0 at `left` to `hi` at `right`.
    pub(super) fn new(hi: f64, left: f64, right: f64) -> Self {
        Self { hi: if hi > 0.0 { hi } else { 1.0 }, left, right }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.left + (value / self.hi).clamp(0.0, 1.0) * (self.right - self.left)
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        value <= self.hi
    }

    /// 0 and its multiples of a round step, at most `most` steps.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        let rough = self.hi / most.max(1) as f64;
        let decade = 10f64.powi(rough.log10().floor() as i32);
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .iter()
            .map(|factor| factor * decade)
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * decade);
        (0..=most).map(|index| index as f64 * step).take_while(|tick| *tick <= self.hi * 1.000_001).collect()
    }
}

/// A tick's value without needless zeros: `0.85`, `1.4`, `20`.
pub(super) fn tick_label(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_always_on_a_log_axis_and_has_a_tick() {
        for values in [&[0.99, 1.01][..], &[0.5, 1.6], &[0.03, 1.0], &[1.0, 70.0], &[0.01, 900.0]] {
            let axis = LogAxis::around_one(values.iter().copied(), 100.0, 340.0);
            let ticks = axis.ticks(30.0);
            assert!(ticks.iter().any(|tick| (tick - 1.0).abs() < 1e-9), "{values:?} gives {ticks:?}");
            assert!((3..=9).contains(&ticks.len()), "{values:?} gives {ticks:?}");
            assert!(ticks.windows(2).all(|pair| axis.at(pair[1]) - axis.at(pair[0]) >= 30.0));
        }
    }

    #[test]
    fn a_far_value_does_not_crowd_the_others() {
        let near = (0..20).map(|index| 0.8 + 0.02 * f64::from(index));
        let axis = LogAxis::around_one(near.chain([9.0]), 100.0, 340.0);
        assert!(axis.holds(0.8) && axis.holds(1.18) && !axis.holds(9.0));
        assert_eq!(axis.at(9.0), 340.0);
        let all = LogAxis::around_one([0.5, 0.9, 3.0].into_iter(), 100.0, 340.0);
        assert!(all.holds(0.5) && all.holds(3.0));
    }

    #[test]
    fn a_log_axis_is_even_in_factors() {
        let axis = LogAxis::between(0.25, 4.0, 0.0, 100.0);
        assert!((axis.at(1.0) - 50.0).abs() < 1e-9);
        assert!((axis.at(2.0) - 75.0).abs() < 1e-9);
        assert_eq!(axis.at(9.0), 100.0);
    }

    #[test]
    fn linear_ticks_are_round_and_within() {
        assert_eq!(LinearAxis::new(11.3, 0.0, 1.0).ticks(4), [0.0, 5.0, 10.0]);
        assert_eq!(LinearAxis::new(100.0, 0.0, 1.0).ticks(4), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(tick_label(0.85), "0.85");
        assert_eq!(tick_label(20.0), "20");
    }
}
