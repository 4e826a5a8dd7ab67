//! Sizes in granules, and the bins that free blocks of a size belong to. Pure arithmetic.
//!
//! ```text
//!   granules   0    1    2   ...   31 | 32-33 34-35 ... 62-63 | 64-67 68-71 ... 124-127 | ...
//!   bin        -    1    2   ...   31 |  32    33   ...   47  |  48    49   ...    63   | ...
//!              one size each          |  16 bins for each doubling
//! ```

#![forbid(unsafe_code)]

/// What spans, zones' entries and wide blocks are aligned to; and the granule of all zones but packed ones: blocks start and
/// end on multiples of it, counted from the zone's base.
pub(crate) const ALIGN: usize = 16;

/// Granules in the largest zone, 16 GiB of 16 bytes each: places in steps of four bytes have 32 bits.
pub(crate) const MAX_ZONE: u32 = 1 << 30;

/// log2 of the bins for each doubling.
const FINE: u32 = 4;

/// Bins of a zone of [`MAX_ZONE`] granules.
pub(crate) const BINS: usize = bin_of(MAX_ZONE) + 1;

/// By how much sizes like this one are shifted to count bins: 0 below 32. Without a branch, as sizes come in no order.
#[inline(always)]
const fn shift_of(size: u32) -> u32 {
    (size | 1 << FINE).ilog2() - FINE
}

/// Sizes below this one, in granules, are classes of their own.
pub(crate) const ONE_SIZE_EACH: usize = 2 << FINE;

/// Granules in the largest block of a class: 31 KiB of 16 bytes each, the least of a bin.
pub(crate) const LARGEST_CLASS: usize = 31 << 6;

/// Granules of a block for a request of `size` granules, in heaps with thread caches: the least of a bin, up to the largest
/// size that threads cache.
#[inline(always)]
pub(crate) const fn class_size(size: usize) -> usize {
    if size < ONE_SIZE_EACH || size > LARGEST_CLASS {
        return size;
    }
    let step = 1 << shift_of(size as u32);
    (size + step - 1) & !(step - 1)
}

/// Granules of the smallest block of a bin. `bin` is not 0.
pub(crate) const fn least_of_bin(bin: usize) -> u32 {
    let bin = bin as u32;
    if bin < 2 << FINE {
        return bin;
    }
    let shift = (bin >> FINE) - 1;
    (bin - (shift << FINE)) << shift
}

/// The bin that a free block of `size` granules belongs to. `size` is not 0.
#[inline(always)]
pub(crate) const fn bin_of(size: u32) -> usize {
    let shift = shift_of(size);
    ((shift << FINE) + (size >> shift)) as usize
}

/// The lowest bin whose blocks all hold `size` granules: 0 for 0. `size` is at most [`MAX_ZONE`].
#[inline(always)]
pub(crate) const fn bin_for(size: u32) -> usize {
    let shift = shift_of(size);
    // Rounded up, the last size before a doubling comes to the first bin behind it.
    (shift << FINE).wrapping_add(size.wrapping_sub(1) >> shift).wrapping_add(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bins_rise_one_by_one() {
        let mut last = 0;
        for size in 1..1 << 18 {
            let bin = bin_of(size);
            assert!(bin == last || bin == last + 1, "size {size}: bin {bin} after {last}");
            last = bin;
        }
        assert_eq!((bin_of(31), bin_of(32), bin_of(33), bin_of(34), bin_of(64)), (31, 32, 32, 33, 48));
        assert_eq!(bin_of(MAX_ZONE), BINS - 1);
        assert_eq!((bin_for(0), bin_for(1), bin_for(32), bin_for(33), bin_for(63)), (0, 1, 32, 33, 48));
    }

    #[test]
    fn the_least_of_a_bin_is_in_it_and_nothing_less() {
        for bin in 1..BINS {
            let least = least_of_bin(bin);
            assert_eq!(bin_of(least), bin);
            assert!(least == 1 || bin_of(least - 1) == bin - 1, "bin {bin} from {least}");
        }
    }

    proptest! {
        #[test]
        fn every_block_of_a_bin_that_is_searched_holds_the_request(size in 1_u32..MAX_ZONE / 2) {
            let bin = bin_for(size);
            // The least size of that bin, found by bisection over the sizes below it.
            let (mut low, mut high) = (1_u32, MAX_ZONE);
            while low < high {
                let middle = low + (high - low) / 2;
                if bin_of(middle) < bin { low = middle + 1 } else { high = middle }
            }
            prop_assert!(low >= size, "bin {} has blocks of {}", bin, low);
            prop_assert!(bin - bin_of(size) <= 1, "a bin was left out");
        }
    }
}
