//! Size distributions over the harness's generator, and hashing. Pure arithmetic.

#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

pub(super) use crate::random::mix;
use crate::random::{STEP, SplitMix};

/// The generator of one unit of one workload: a few cycles a number, so that drawing a size costs little beside the
/// allocation it is for.
#[derive(Clone, Debug)]
pub(super) struct Random(SplitMix);

impl Deref for Random {
    type Target = SplitMix;

    fn deref(&self) -> &SplitMix {
        &self.0
    }
}

impl DerefMut for Random {
    fn deref_mut(&mut self) -> &mut SplitMix {
        &mut self.0
    }
}

impl Random {
    /// The sequence of one unit of one workload: `salt` tells workloads apart, `unit` their units.
    pub(super) fn new(seed: u64, salt: u64, unit: usize) -> Random {
        Random(SplitMix::new(mix(mix(seed ^ salt) ^ unit as u64)))
    }

    /// A small size, 8 to 512: each doubling is half as likely as the one before it, as in most programs.
    pub(super) fn small_size(&mut self) -> usize {
        let bits = self.next();
        let base = 8_usize << (bits.trailing_zeros() % 6);
        base + (((bits >> 32) * (base as u64 + 1)) >> 32) as usize
    }

    /// A size in `min..=max` with probability proportional to its inverse square. `min * max` is less than 2^63.
    pub(super) fn inverse_square(&mut self, min: usize, max: usize) -> usize {
        let spread = ((self.next() >> 32) * (max - min) as u64) >> 32;
        min * max / (max - spread as usize)
    }

    /// A size in `min..max` such that every doubling is equally likely. Both are powers of two, and `min < max`.
    pub(super) fn log_uniform(&mut self, min: usize, max: usize) -> usize {
        let base = min << self.below((max / min).ilog2() as usize);
        base + self.below(base)
    }
}

/// Mean of [`Random::small_size`]: the sum over its six doublings of probability times middle.
pub(super) fn mean_small_size() -> u64 {
    // Doubling k has probability 2^-(k+1) and middle 12 * 2^k: each adds 6. The trailing zeros 6, 7, ... wrap to the
    // first doublings and add 1/64 of the same again, and so on: 36 * 64 / 63.
    37
}

/// Mean of [`Random::inverse_square`].
pub(super) fn mean_inverse_square(min: usize, max: usize) -> u64 {
    let (min, max) = (min as f64, max as f64);
    (min * max / (max - min) * (max / min).ln()) as u64
}

/// Mean of [`Random::log_uniform`]: one and a half times the mean of the doublings' lower ends.
pub(super) fn mean_log_uniform(min: usize, max: usize) -> u64 {
    ((max - min) as u64 * 3) / (2 * u64::from((max / min).ilog2()))
}

/// A number that depends on every byte of `bytes`, their order and their count.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = mix(bytes.len() as u64 ^ STEP);
    for word in words {
        hash = mix(hash ^ u64::from_le_bytes(*word));
    }
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 100_000;

    fn mean(mut draw: impl FnMut(&mut Random) -> usize) -> u64 {
        let mut random = Random::new(7, 7, 7);
        (0..DRAWS).map(|_| draw(&mut random) as u64).sum::<u64>() / DRAWS
    }

    #[test]
    fn means_are_those_of_the_draws() {
        let within = |found: u64, said: u64| found.abs_diff(said) * 20 <= said;
        assert!(within(mean(Random::small_size), mean_small_size()));
        assert!(within(mean(|r| r.inverse_square(16, 65_536)), mean_inverse_square(16, 65_536)));
        assert!(within(mean(|r| r.log_uniform(1 << 18, 1 << 24)), mean_log_uniform(1 << 18, 1 << 24)));
    }

    #[test]
    fn sizes_keep_to_their_range_and_reach_both_ends_of_it() {
        let mut random = Random::new(1, 2, 3);
        let small: Vec<usize> = (0..DRAWS).map(|_| random.small_size()).collect();
        assert_eq!((small.iter().min(), small.iter().max()), (Some(&8), Some(&512)));
        for _ in 0..DRAWS {
            assert!((16..=65_536).contains(&random.inverse_square(16, 65_536)));
            assert!((64..1024).contains(&random.log_uniform(64, 1024)));
            assert!(random.below(3) < 3);
        }
    }

    #[test]
    fn a_digest_depends_on_every_byte_and_on_the_length() {
        let bytes = *b"seventeen bytes!!";
        let whole = digest(&bytes);
        for place in 0..bytes.len() {
            let mut other = bytes;
            other[place] ^= 1;
            assert_ne!(digest(&other), whole);
        }
        assert_ne!(digest(b"a"), digest(b"a\0"));
        assert_ne!(digest(b""), digest(b"\0"));
    }
}
