//! Random numbers, and the sizes that all measurements use.

/// xorshift64* (Vigna): the same sequence for every allocator.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// `0..bound`.
    #[inline(always)]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A size of 1 to `most`, with each doubling as likely as the next: most are small.
    #[inline(always)]
    pub(crate) fn size(&mut self, most: usize) -> usize {
        let shift = self.below(most.ilog2() as usize - 2);
        1 + self.below(most >> shift)
    }

    /// Mostly 8, every fourth 16, every sixteenth 32 and so on.
    #[inline(always)]
    pub(crate) fn align(&mut self) -> usize {
        8 << ((self.next() | 1 << 16).trailing_zeros() / 2)
    }
}
