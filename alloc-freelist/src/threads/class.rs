//! Classes of blocks that threads cache, and how many of each. Pure arithmetic.
//!
//! A class is the lower end of a bin: every size below 32 granules, and 16 for each doubling above. Blocks of a heap with
//! thread caches have these sizes, so that one that was freed serves every later request of its class.

#![forbid(unsafe_code)]

use crate::size::{LARGEST_CLASS, bin_for};

/// Classes, a power of two of them, since an index into them is masked. Class 0 is not used.
pub(crate) const CLASSES: usize = 128;

const _: () = assert!(bin_for(LARGEST_CLASS as u32) == CLASSES - 1);

/// Bytes of one class that a thread may cache.
const MOST_BYTES: usize = 64 << 10;
/// Blocks of one class that a thread may cache.
const MOST_BLOCKS: usize = 2048;
/// Bytes that go to or come from the heap at once, and blocks.
const BATCH_BYTES: usize = 8 << 10;
const BATCH_BLOCKS: usize = 64;

/// The class of blocks for `size` granules, header included, and `least` at least. `None` for sizes that are not cached.
#[inline(always)]
pub(crate) fn class_for(size: usize, least: u32) -> Option<usize> {
    if size > LARGEST_CLASS {
        return None;
    }
    Some(bin_for((size as u32).max(least)))
}

/// The class of blocks of `size` granules, where there is one.
#[inline(always)]
pub(crate) fn class_of(size: u32) -> Option<usize> {
    (size != 0 && size as usize <= LARGEST_CLASS).then(|| bin_for(size))
}

/// Granules of the blocks of a class.
pub(crate) fn size_of_class(class: usize) -> u32 {
    crate::size::least_of_bin(class)
}

/// Blocks of so many bytes, all of one class, that a thread caches at most.
pub(crate) fn most(bytes: usize) -> u32 {
    (MOST_BYTES / bytes).clamp(1, MOST_BLOCKS) as u32
}

/// Blocks of so many bytes that come from the heap at once.
pub(crate) fn batch(bytes: usize) -> u32 {
    (BATCH_BYTES / bytes).clamp(1, BATCH_BLOCKS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::{ALIGN, class_size};

    fn granules(size: usize) -> usize {
        size.div_ceil(ALIGN)
    }

    fn bytes(granules: u32) -> usize {
        granules as usize * ALIGN
    }

    #[test]
    fn a_class_holds_its_sizes_and_wastes_little() {
        let mut last = 0;
        for size in 1..=bytes(LARGEST_CLASS as u32) {
            let class = class_for(granules(size), 1).expect("small enough");
            let held = bytes(size_of_class(class));
            assert!(class == last || class == last + 1, "size {size}: class {class} after {last}");
            assert!(
                held >= size && (held - size < 16 || (held - size) * 16 <= size + 256),
                "{size} in {held}"
            );
            assert_eq!(granules(held), class_size(granules(size)), "heap and caches agree on {size}");
            last = class;
        }
        assert_eq!(last, CLASSES - 1);
        assert_eq!(class_for(LARGEST_CLASS + 1, 1), None);
        assert_eq!((class_for(0, 1), class_for(1, 1), class_for(0, 2)), (Some(1), Some(1), Some(2)));
        assert_eq!((class_of(0), class_of(u32::MAX)), (None, None));
    }

    #[test]
    fn every_class_may_be_cached_and_none_without_end() {
        for class in 1..CLASSES {
            assert_eq!(class_of(size_of_class(class)), Some(class));
            let size = bytes(size_of_class(class));
            assert!(batch(size) >= 1 && batch(size) <= most(size), "class {class}");
            assert!(size * most(size) as usize <= MOST_BYTES);
        }
    }
}
