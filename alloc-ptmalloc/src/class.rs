//! The classes of chunk sizes that magazines hold.
//!
//! Up to [`MAX_SMALL`] a class is a chunk size, in steps of 16 bytes, and its number is the size divided by 16. Class 1,
//! which no chunk size maps to, holds smallest chunks as well: it serves callers that know their sizes, whose requests of
//! up to 8 bytes map there without a comparison. From there to [`MAX_CACHED`] there are 16 classes to a doubling, and
//! requests are rounded up to them, so that a freed chunk fits the next request of its class exactly, for at most 6.25 %
//! of its size. The grid is that of usable sizes less 8, hence powers of two are classes.

#![forbid(unsafe_code)]

use crate::size::{ALIGN, MIN_CHUNK, OVERHEAD, TO_BLOCK};

/// The class of requests up to 8 bytes by callers that know their sizes.
pub(crate) const TINY: usize = 1;
/// Largest request of the classes of one size each.
pub(crate) const MAX_SMALL: usize = 1032;
/// Largest request of any class.
pub(crate) const MAX_CACHED: usize = (64 << 10) + OVERHEAD;
/// Numbers of classes are below this. Number 0 is unused.
pub(crate) const CLASSES: usize = FIRST_MEDIUM + 16 * 6;

/// The first class that holds several sizes.
pub(crate) const FIRST_MEDIUM: usize = (MAX_SMALL + OVERHEAD) / ALIGN + 1;
/// Below this doubling, classes are small.
const FIRST_DOUBLING: usize = 10;

/// The class of a request of up to [`MAX_SMALL`] bytes, for callers that give the same size back, times 16.
#[inline]
pub(crate) const fn small_at(request: usize) -> usize {
    (request + (OVERHEAD + ALIGN - 1)) & !(ALIGN - 1)
}

/// The class of a request above [`MAX_SMALL`] and up to [`MAX_CACHED`].
#[inline]
pub(crate) const fn medium(request: usize) -> usize {
    let over = request - OVERHEAD - 1;
    let doubling = over.ilog2() as usize;
    FIRST_MEDIUM + (doubling - FIRST_DOUBLING) * 16 + ((over >> (doubling - 4)) - 16)
}

/// The class of any request up to [`MAX_SMALL`], times 16: never [`TINY`].
#[inline]
pub(crate) const fn any_small_at(request: usize) -> usize {
    let size = small_at(request);
    if size < MIN_CHUNK { MIN_CHUNK } else { size }
}

/// The class of any request up to [`MAX_CACHED`]: never [`TINY`].
#[inline]
pub(crate) const fn of_request(request: usize) -> usize {
    if request > MAX_SMALL { medium(request) } else { any_small_at(request) / ALIGN }
}

/// The chunk size of a class.
#[inline]
pub(crate) const fn chunk_size(class: usize) -> usize {
    if class >= FIRST_MEDIUM {
        let step = class - FIRST_MEDIUM;
        ((17 + step % 16) << (step / 16 + FIRST_DOUBLING - 4)) + TO_BLOCK
    } else if class == TINY {
        MIN_CHUNK
    } else {
        class * ALIGN
    }
}

/// The chunk size of the last class.
const LARGEST: usize = chunk_size(CLASSES - 1);

/// Chunks for requests that no class serves are at least so large, so that their size alone tells them from chunks of the
/// last class, which a split may have left 16 bytes too large.
pub(crate) const LEAST_BEYOND: usize = LARGEST + 2 * ALIGN;

/// The largest class whose chunk size is at most `size`; `None` for chunks beyond all classes. A chunk may be 16 bytes
/// larger than its class: what is left of a split is at least a smallest chunk.
#[inline]
pub(crate) const fn of_chunk(size: usize) -> Option<usize> {
    if size < FIRST_MEDIUM * ALIGN {
        Some(size / ALIGN)
    } else if size <= LARGEST + ALIGN {
        let grid = size - TO_BLOCK;
        let doubling = grid.ilog2() as usize;
        Some(FIRST_MEDIUM - 1 + (doubling - FIRST_DOUBLING) * 16 + ((grid >> (doubling - 4)) - 16))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size;
    use proptest::prelude::*;

    #[test]
    fn sizes_rise_with_classes_and_every_class_finds_itself() {
        for class in TINY + 1..CLASSES {
            let chunk = chunk_size(class);
            assert!(chunk % ALIGN == 0 && (class == TINY + 1 || chunk > chunk_size(class - 1)));
            assert_eq!(of_chunk(chunk), Some(class));
            assert_eq!(
                of_request(size::usable(chunk)),
                class,
                "the usable size of a class is a request of it"
            );
        }
        assert_eq!(chunk_size(CLASSES - 1), (64 << 10) + TO_BLOCK);
        assert_eq!(chunk_size(TINY), MIN_CHUNK);
        assert_eq!(of_chunk(LEAST_BEYOND), None);
    }

    proptest! {
        #[test]
        fn a_class_holds_its_requests_and_wastes_little(request in 0..=MAX_CACHED) {
            let class = of_request(request);
            let chunk = chunk_size(class);
            prop_assert!(class < CLASSES && size::usable(chunk) >= request);
            if class > TINY + 1 {
                prop_assert!(size::usable(chunk_size(class - 1)) < request, "a smaller class would do");
            }
            prop_assert!(chunk <= size::chunk_size(request).unwrap() + request / 16 + ALIGN);
        }

        #[test]
        fn a_chunk_is_as_large_as_its_class(chunk in 2_usize..=(64 << 10) / ALIGN + 2) {
            let chunk = chunk * ALIGN;
            let class = of_chunk(chunk).unwrap();
            prop_assert!(chunk_size(class) <= chunk);
            prop_assert!(class + 1 == CLASSES || chunk_size(class + 1) > chunk);
        }

        #[test]
        fn known_sizes_meet_header_sizes(request in 0..=MAX_SMALL) {
            let (known, found) = (small_at(request) / ALIGN, of_request(request));
            prop_assert!(known == found || (known == TINY && request <= 8));
        }
    }
}
