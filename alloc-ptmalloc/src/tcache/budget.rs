//! How many blocks a magazine holds: few at first, more where a class goes back and forth.

#![forbid(unsafe_code)]

use crate::class;

/// Bytes of a class's first magazine.
const FIRST: usize = 2 << 10;
/// Bytes of a magazine that grew because its class is only ever refilled.
const STEADY: usize = 8 << 10;
/// Bytes of the largest magazine.
const LARGEST: usize = 32 << 10;
/// Blocks of the largest magazine.
const MOST: usize = 1024;

/// Blocks of a first magazine of `class`.
#[inline]
pub(crate) fn first(class: usize) -> u32 {
    let size = class::chunk_size(class);
    (FIRST / size).clamp(1, 64) as u32
}

/// Blocks that the next magazine may hold after one of `cap`, refilled from the arena; `flushed` since the last refill.
#[inline]
pub(crate) fn next(class: usize, cap: u32, flushed: bool) -> u32 {
    let size = class::chunk_size(class);
    let bound = if flushed { LARGEST } else { STEADY };
    let most = (bound / size).clamp(1, MOST) as u32;
    cap.saturating_mul(2).min(most).max(cap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{CLASSES, TINY};
    use crate::magazine::MAX_COUNT;

    #[test]
    fn magazines_grow_to_their_bounds_and_never_shrink() {
        for class in TINY..CLASSES {
            let mut cap = first(class);
            assert!(cap >= 1);
            for _ in 0..20 {
                let grown = next(class, cap, true);
                assert!(grown >= cap && grown as usize <= MAX_COUNT);
                cap = grown;
            }
            let bytes = cap as usize * class::chunk_size(class);
            assert!(bytes <= LARGEST.max(class::chunk_size(class)));
        }
    }

    #[test]
    fn without_flushes_magazines_stay_small() {
        let class = class::of_request(100);
        let mut cap = first(class);
        for _ in 0..20 {
            cap = next(class, cap, false);
        }
        assert!(cap as usize * class::chunk_size(class) <= STEADY);
        assert_eq!(next(class, 1000, false), 1000, "what grew stays");
    }
}
