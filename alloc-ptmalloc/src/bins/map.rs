//! Which bin a size belongs to, and which bins are not empty.
//!
//! ```text
//!  bin   0        1          2 .. 63           64 .. 79        80 .. 95      ...   304 .. 319
//!        unused   unsorted   32, 48 .. 1008    1024 .. 2047    2048 .. 4095  ...   32 MiB .. 64 MiB
//!                            one size each     16 bins to a doubling, each sorted
//!
//!  map   [ word 0: bins 0..64 | word 1 | word 2 | word 3 | word 4 | 0 | 0 | 0 ]
//! ```
//!
//! glibc spaces its 63 large bins unevenly; 16 to a doubling is finer, is found by two shifts, and best fit is the same,
//! since every large bin is sorted. The map is exact: a bit is cleared with the last chunk of its bin.

#![forbid(unsafe_code)]

use crate::size::ALIGN;

/// The unsorted bin. It has no bit in the map.
pub(crate) const UNSORTED: usize = 1;
/// The smallest chunk size of large bins.
pub(crate) const MIN_LARGE: usize = 1024;
/// The first large bin.
pub(crate) const FIRST_LARGE: usize = MIN_LARGE / ALIGN;
/// Bins, of which number 0 is unused. Chunks lie in heaps of 64 MiB, so that this is beyond every size's bin.
pub(crate) const BINS: usize = FIRST_LARGE + 16 * 16;

/// Words of the map: a power of two above the five that it takes, so that no index needs a check.
const WORDS: usize = 8;
const WORD_BITS: usize = 64;

const _: () = assert!(BINS <= WORDS * WORD_BITS);

/// The bin for chunks of `size`.
#[inline]
pub(crate) const fn index(size: usize) -> usize {
    if size < MIN_LARGE { size / ALIGN } else { large_index(size) }
}

/// The bin for chunks of `size`, which is large.
#[inline]
pub(crate) const fn large_index(size: usize) -> usize {
    let doubling = size.ilog2() as usize;
    let index = FIRST_LARGE + (doubling - MIN_LARGE.ilog2() as usize) * 16 + ((size >> (doubling - 4)) & 15);
    if index < BINS { index } else { BINS - 1 }
}

/// A bit for each bin that holds a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binmap {
    words: [u64; WORDS],
}

impl Binmap {
    /// The map of empty bins.
    pub(crate) const EMPTY: Self = Self { words: [0; WORDS] };

    /// Notes that a bin holds a chunk.
    #[inline]
    pub(crate) fn set(&mut self, bin: usize) {
        self.words[bin / WORD_BITS % WORDS] |= 1 << (bin % WORD_BITS);
    }

    /// Notes that a bin is empty.
    #[inline]
    pub(crate) fn clear(&mut self, bin: usize) {
        self.words[bin / WORD_BITS % WORDS] &= !(1 << (bin % WORD_BITS));
    }

    /// Whether a bin holds a chunk.
    #[inline]
    pub(crate) fn get(&self, bin: usize) -> bool {
        self.words[bin / WORD_BITS % WORDS] >> (bin % WORD_BITS) & 1 != 0
    }

    /// The first bin from `bin` on that holds a chunk.
    #[inline]
    pub(crate) fn next(&self, bin: usize) -> Option<usize> {
        let mut word = bin / WORD_BITS;
        let mut bits = self.words[word % WORDS] & (u64::MAX << (bin % WORD_BITS));
        while bits == 0 {
            word += 1;
            if word >= WORDS {
                return None;
            }
            bits = self.words[word % WORDS];
        }
        Some(word * WORD_BITS + bits.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::MIN_CHUNK;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn edges_of_bins() {
        let bins = [32, 48, 1008, 1024, 1072, 1088, 2032, 2048, 4096, (64 << 20) - 16].map(index);
        assert_eq!(bins, [2, 3, 63, 64, 64, 65, 79, 80, 96, BINS - 1]);
        assert_eq!(index(usize::MAX), BINS - 1, "even a size that cannot be has a bin");
    }

    proptest! {
        #[test]
        fn larger_chunks_are_never_in_lower_bins(a in 2_usize..1 << 22, b in 2_usize..1 << 22) {
            let (small, large) = (a.min(b) * ALIGN, a.max(b) * ALIGN);
            prop_assert!(small >= MIN_CHUNK && index(small) <= index(large));
            prop_assert!(index(large) > UNSORTED && index(large) < BINS);
        }

        #[test]
        fn small_bins_hold_one_size(size in 2_usize..64) {
            prop_assert_eq!(index(size * ALIGN), size);
        }

        #[test]
        fn the_map_is_a_set(changes in proptest::collection::vec((2..BINS, any::<bool>()), 0..64), from in 0..BINS) {
            let (mut map, mut set) = (Binmap::EMPTY, BTreeSet::new());
            for (bin, on) in changes {
                if on {
                    map.set(bin);
                    set.insert(bin);
                } else {
                    map.clear(bin);
                    set.remove(&bin);
                }
                prop_assert_eq!(map.get(bin), on);
            }
            prop_assert_eq!(map.next(from), set.range(from..).next().copied());
        }
    }
}
