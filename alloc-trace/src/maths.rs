//! The mathematics of sampling, without a floating-point library.
//!
//! **Poisson sampling by bytes.** Lay all allocated bytes of a thread end to end and drop marks on them as a Poisson
//! process with one mark in `R` bytes on average; an allocation with a mark on it is a sample. The distance to the next
//! mark is exponential with mean `R` and, having no memory, may be drawn anew after each sample. An allocation of `Z`
//! bytes is sampled with probability `p(Z) = 1 - e^(-Z/R)`. Counting each sample as `1/p(Z)` blocks and `Z/p(Z)` bytes
//! makes the expected sums those of all allocations (the estimator of Horvitz and Thompson, *A Generalization of Sampling
//! Without Replacement from a Finite Universe*, 1952), for each stack by itself, since samples are weighted before they are
//! added up. tcmalloc and Go's heap profiles sample so; they weight afterwards, by mean sizes, which is biased where the
//! sizes of one stack differ. The variance of a sum is `sum of Z^2 (1 - p)/p`: a stack with `k` samples in it is known to
//! about one in `sqrt(k)`.

#![forbid(unsafe_code)]

/// `e^-x` for `x >= 0`.
pub(crate) fn exp_neg(x: f64) -> f64 {
    if x > 700.0 {
        return 0.0;
    }
    // e^-x = 2^-k e^-r with r = x - k ln 2 below ln 2: the series ends after few terms.
    let k = (x / core::f64::consts::LN_2) as u32;
    let r = x - f64::from(k) * core::f64::consts::LN_2;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..20 {
        term *= -r / f64::from(n);
        sum += term;
    }
    sum * f64::from_bits((1023 - u64::from(k)) << 52)
}

/// `1 - e^-x` for `x >= 0`, exact for small `x` too.
pub(crate) fn one_minus_exp_neg(x: f64) -> f64 {
    if x > 0.5 {
        return 1.0 - exp_neg(x);
    }
    let (mut term, mut sum) = (x, x);
    for n in 2..18 {
        term *= -x / f64::from(n);
        sum += term;
    }
    sum
}

/// The natural logarithm of a positive, normal number.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    // In [1, 2): ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most a third.
    let m = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let t = (m - 1.0) / (m + 1.0);
    let square = t * t;
    let (mut power, mut sum) = (t, 0.0);
    for n in 0..18 {
        sum += power / f64::from(2 * n + 1);
        power *= square;
    }
    f64::from(exponent) * core::f64::consts::LN_2 + 2.0 * sum
}

/// How many blocks a sample of `size` bytes stands for, at a mean of `rate` bytes between marks.
pub(crate) fn weight(size: usize, rate: u64) -> f64 {
    1.0 / one_minus_exp_neg(size as f64 / rate as f64)
}

/// The distance to the next mark in whole bytes, from 64 random bits.
pub(crate) fn distance(random: u64, rate: u64) -> i64 {
    // In (0, 1]: never 0, whose logarithm is not finite.
    let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-ln(uniform) * rate as f64) as i64
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn functions_agree_with_the_libraries() {
        let close = |mine: f64, other: f64| (mine - other).abs() <= 1e-13 * other.abs().max(1e-300);
        for step in 1..20_000 {
            let x = f64::from(step) * 0.001;
            assert!(close(exp_neg(x), (-x).exp()), "e^-{x}");
            assert!(close(one_minus_exp_neg(x), -(-x).exp_m1()), "1 - e^-{x}");
            let tiny = x * 1e-9;
            assert!(close(one_minus_exp_neg(tiny), -(-tiny).exp_m1()), "1 - e^-{tiny}");
            assert!((ln(x) - x.ln()).abs() < 1e-13, "ln {x}");
        }
        assert_eq!(exp_neg(1e6), 0.0);
    }

    /// Sums over blocks: bytes and blocks.
    #[derive(Clone, Copy, Debug, Default)]
    struct Sums {
        bytes: f64,
        blocks: f64,
    }

    impl Sums {
        fn add(&mut self, size: f64, weight: f64) {
            self.bytes += size * weight;
            self.blocks += weight;
        }

        /// Whether both are within five of their deviations of the truth, which chance never leaves.
        fn is(self, truth: Self, deviation: Self) -> bool {
            (self.bytes - truth.bytes).abs() < 5.0 * deviation.bytes
                && (self.blocks - truth.blocks).abs() < 5.0 * deviation.blocks
        }
    }

    #[test]
    fn estimates_are_those_of_all_allocations() {
        // Half a million blocks of mixed sizes, below and above the rate; the estimate's deviation is known.
        const RATE: u64 = 16 << 10;
        let mut random = crate::countdown::Random::new(42);
        let mut left = distance(random.next(), RATE);
        let (mut truth, mut variance, mut estimate) = (Sums::default(), Sums::default(), Sums::default());
        // What others do, or what one might do wrong.
        let (mut by_rate, mut samples, mut undrawn) = (Sums::default(), Sums::default(), Sums::default());
        let mut left_undrawn = RATE as i64;
        for index in 0..500_000_u64 {
            let size = [24, 100, 700, 5000, 90_000][(index * index % 5) as usize];
            let bytes = size as f64;
            let probability = one_minus_exp_neg(bytes / RATE as f64);
            truth.add(bytes, 1.0);
            variance.bytes += bytes * bytes * (1.0 - probability) / probability;
            variance.blocks += (1.0 - probability) / probability;
            left -= size;
            if left < 0 {
                left = distance(random.next(), RATE);
                estimate.add(bytes, weight(size as usize, RATE));
                by_rate.add(bytes, RATE as f64 / bytes);
                samples.add(bytes, 1.0);
            }
            // The next mark as far behind the last as the rate says, and not drawn at all.
            left_undrawn -= size;
            if left_undrawn < 0 {
                left_undrawn = RATE as i64;
                undrawn.add(bytes, weight(size as usize, RATE));
            }
        }
        let deviation = Sums { bytes: variance.bytes.sqrt(), blocks: variance.blocks.sqrt() };
        assert!(estimate.is(truth, deviation), "{estimate:?} of {truth:?}");
        // The bound is narrow enough to find each of these out.
        let mean = one_minus_exp_neg(samples.bytes / samples.blocks / RATE as f64);
        let by_mean = Sums { bytes: samples.bytes / mean, blocks: samples.blocks / mean };
        for (biased, name) in [
            (samples, "samples that stand for themselves"),
            (by_rate, "samples that stand for the rate"),
            (by_mean, "samples weighted by their mean size"),
            (undrawn, "samples at equal distances"),
        ] {
            assert!(!biased.is(truth, deviation), "{name}: {biased:?} of {truth:?} passes");
        }
    }
}
