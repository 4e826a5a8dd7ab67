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

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        crate::key::mix(self.0)
    }
}

/// The countdown. Valid when all bytes are zero, which makes the first allocation begin it.
#[derive(Debug)]
pub(crate) struct Countdown {
    left: Cell<i64>,
    /// The trace that it belongs to.
    session: Cell<u32>,
    random: Cell<Random>,
}

impl Countdown {
    /// Takes an allocation's bytes off. Whether it needs a closer look.
    #[inline]
    pub(crate) fn pass(&self, size: usize) -> bool {
        let left = self.left.get().wrapping_sub_unsigned(size as u64);
        self.left.set(left);
        left < 0
    }

    /// The closer look at an allocation that [`pass`](Self::pass) said needs one: whether it is a sample.
    pub(crate) fn sample(&self, session: u32, size: usize, rate: u64, seed: u64) -> bool {
        let mut random = self.random.get();
        let begun = self.session.get() == session;
        if !begun {
            random = Random::new(seed);
            self.session.set(session);
            let first = maths::distance(random.next(), rate);
            self.left.set(first.wrapping_sub_unsigned(size as u64));
        }
        let hit = self.left.get() < 0;
        if hit {
            self.left.set(maths::distance(random.next(), rate));
        }
        self.random.set(random);
        hit
    }
}
