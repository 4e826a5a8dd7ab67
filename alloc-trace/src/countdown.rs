//! A thread's distance to its next sample.

#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::maths;

/// Random numbers: Vigna's SplitMix64.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn is_unseeded(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::key::mix(self.0)
    }
}

/// Where what is left is kept: each allocation takes its bytes off there, and is looked at where less than nothing is left.
pub(crate) trait Left {
    /// What is left, the allocation that is being looked at taken off.
    fn get(&self) -> i64;
    /// Sets it.
    fn set(&self, left: i64);
}

/// What a thread knows of its countdown but for how much is left. Valid when all bytes are zero, which makes the first closer
/// look begin it.
#[derive(Debug)]
pub(crate) struct Countdown {
    /// The trace that it belongs to.
    session: Cell<u32>,
    random: Cell<Random>,
}

impl Countdown {
    /// Forgets the distance: the next closer look begins a new one, and takes its allocation off it. Distances have no
    /// memory, so that where one is broken off makes no difference, if nothing is left then. The random numbers go on.
    pub(crate) fn forget(&self) {
        self.session.set(0);
    }

    /// The closer look at an allocation behind which less than nothing is left: whether it is a sample.
    pub(crate) fn sample(&self, left: &impl Left, session: u32, size: usize, rate: u64, seed: u64) -> bool {
        let mut random = self.random.get();
        let begun = self.session.get() == session;
        if !begun {
            if random.is_unseeded() {
                random = Random::new(seed);
            }
            self.session.set(session);
            let first = maths::distance(random.next(), rate);
            left.set(first.wrapping_sub_unsigned(size as u64));
        }
        let hit = left.get() < 0;
        if hit {
            left.set(maths::distance(random.next(), rate));
        }
        self.random.set(random);
        hit
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    impl Left for Cell<i64> {
        fn get(&self) -> i64 {
            self.get()
        }

        fn set(&self, left: i64) {
            self.set(left);
        }
    }

    /// Hits among 200 000 allocations of one byte at a rate of 4: a share of 1 - exp(-1/4), 44 240, with a standard deviation
    /// of 186.
    fn hits(mut each: impl FnMut(&Countdown, &Cell<i64>) -> bool) -> u32 {
        let countdown = Countdown { session: Cell::new(0), random: Cell::new(Random::default()) };
        let left = Cell::new(0);
        (0..200_000).map(|_| u32::from(each(&countdown, &left))).sum()
    }

    #[test]
    fn samples_are_as_many_as_they_should_be() {
        let hits = hits(|countdown, left| {
            left.set(left.get() - 1);
            left.get() < 0 && countdown.sample(left, 1, 1, 4, 7)
        });
        assert!(hits.abs_diff(44_240) < 1_000, "{hits}");
    }

    /// What threads do whose record is another's by turns, those that allocate while they end above all.
    #[test]
    fn a_countdown_that_is_broken_off_each_time_is_as_fair() {
        let hits = hits(|countdown, left| {
            left.set(-1);
            countdown.forget();
            countdown.sample(left, 1, 1, 4, 7)
        });
        assert!(hits.abs_diff(44_240) < 1_000, "{hits}");
    }
}
