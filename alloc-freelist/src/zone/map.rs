//! Maps of one bit for each granule, or for each pair of granules, in the zone's own memory.

use crate::config::Config;
use crate::header::Header;
use crate::zone::Zone;

/// Words of a map that covers the granules `0..=capacity`.
pub(crate) const fn words<C: Config>(capacity: u32) -> usize {
    (capacity >> C::Header::PAIR) as usize / 64 + 1
}

/// One of the zone's maps, by the place of its first word.
pub(crate) struct Map<C: Config> {
    zone: Zone<C>,
    /// Bytes from the zone's base.
    place: usize,
}

impl<C: Config> Map<C> {
    #[inline(always)]
    pub(crate) fn new(zone: Zone<C>, place: usize) -> Self {
        Self { zone, place }
    }

    #[inline(always)]
    fn word(&self, index: usize) -> u64 {
        self.zone.read_wide(self.place + index * 8)
    }

    #[inline(always)]
    fn set_word(&self, index: usize, value: u64) {
        self.zone.write_wide(self.place + index * 8, value);
    }

    #[inline(always)]
    pub(crate) fn get(&self, at: u32) -> bool {
        let at = at >> C::Header::PAIR;
        self.word(at as usize / 64) >> (at % 64) & 1 != 0
    }

    /// Inverts a bit, and says what it was.
    #[inline(always)]
    pub(crate) fn flip(&self, at: u32) -> bool {
        let at = at >> C::Header::PAIR;
        let word = self.word(at as usize / 64);
        self.set_word(at as usize / 64, word ^ 1 << (at % 64));
        word >> (at % 64) & 1 != 0
    }

    #[inline]
    pub(crate) fn set(&self, at: u32, to: bool) {
        let at = at >> C::Header::PAIR;
        let (index, bit) = (at as usize / 64, 1 << (at % 64));
        let word = self.word(index);
        self.set_word(index, if to { word | bit } else { word & !bit });
    }

    /// The first set bit from `from` on that lies below `end`, all three counted in bits: positions, where each has its own.
    pub(crate) fn next(&self, from: u32, end: u32) -> Option<u32> {
        if from >= end {
            return None;
        }
        let mut index = from as usize / 64;
        let mut word = self.word(index) & !0 << (from % 64);
        loop {
            if word != 0 {
                let at = (index * 64) as u32 + word.trailing_zeros();
                return (at < end).then_some(at);
            }
            index += 1;
            if index * 64 >= end as usize {
                return None;
            }
            word = self.word(index);
        }
    }

    /// The last set bit at or below `from`, as for [`next`](Self::next).
    pub(crate) fn previous(&self, from: u32) -> Option<u32> {
        let mut index = from as usize / 64;
        let mut word = self.word(index) & !0 >> (63 - from % 64);
        loop {
            if word != 0 {
                return Some((index * 64) as u32 + word.ilog2());
            }
            index = index.checked_sub(1)?;
            word = self.word(index);
        }
    }
}
