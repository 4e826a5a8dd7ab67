//! How many blocks a magazine holds: few at first, more where a class goes back and forth.

#![forbid(unsafe_code)]

use crate::class;

/// Bytes of a class's first magazine.
const FIRST: usize = 1024;
/// Bytes of a magazine that grew because its class is only ever refilled.
const STEADY: usize = 4 << 10;
/// Bytes of the largest magazine.
const LARGEST: usize = 8 << 10;
/// Blocks of the largest magazine.
const MOST: usize = 1024;

/// A thread may cache this part of what its arena has: a quarter. A program with little memory shall not look large for what
/// its threads hold, as 64 classes of 8 KiB each would make it.
const SHARE: usize = 4;
/// And this much in any case. A thread that allocates 16 to 1016 bytes at random with 200 blocks live takes 312 instructions for a
/// pair with 128 KiB, 227 with 192 and 188 with 256 (glibc 2.36: 246), and 286, 331 and 370 KiB in all (glibc: 301).
const LEAST: usize = 192 << 10;

/// What remains of that for each where many threads share an arena.
const LEAST_SHARED: usize = 64 << 10;

/// Bytes that the magazines of a thread may hold, full, whose arena has `footprint` bytes and is the home of so many threads, where
/// the user allows `most`.
#[inline]
pub(crate) fn of_thread(footprint: usize, threads: usize, most: usize) -> usize {
    ((footprint / SHARE).max(LEAST) / threads.max(1)).max(LEAST_SHARED).min(most)
}

/// Blocks of a first magazine of `class`.
#[inline]
pub(crate) fn first(class: usize) -> u32 {
    let size = class::chunk_size(class);
    (FIRST / size).clamp(1, 64) as u32
}

/// Blocks that the next magazine may hold after one of `cap`, refilled from the arena; `flushed` since the last refill.
#[inline]
pub(crate) fn next(class: usize, cap: u32, flushed: bool) -> u32 {
    let bound = if flushed { LARGEST } else { STEADY };
    let most = within(bound, class) as u32;
    cap.saturating_mul(2).min(most).max(cap)
}

/// Blocks of the largest magazine of `class`.
pub(crate) fn most(class: usize) -> usize {
    within(LARGEST, class)
}

#[inline]
fn within(bytes: usize, class: usize) -> usize {
    (bytes / class::chunk_size(class)).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_share_an_arena_share_its_part() {
        let most = usize::MAX;
        assert_eq!([0, 1, 2].map(|threads| of_thread(0, threads, most)), [LEAST, LEAST, LEAST / 2]);
        assert_eq!(of_thread(0, 100, most), LEAST_SHARED);
        let large = 64 << 20;
        assert_eq!([1, 4].map(|threads| of_thread(large, threads, most)), [large / SHARE, large / SHARE / 4]);
        assert_eq!(of_thread(large, 1, 7), 7, "never more than the user allows");
    }
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
