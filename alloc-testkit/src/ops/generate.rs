//! Random operations with the sizes and alignments that programs ask for, and those that break allocators.

use core::ops::Range;

use proptest::collection;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use alloc_core::arith::MAX_SIZE;

use super::Op;

/// Sizes: mostly small, powers of two and page multiples with their neighbours, some large, some that no machine has.
pub fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        50 => 1_usize..=256,
        10 => 257_usize..=8 << 10,
        3 => Just(0_usize),
        14 => near((0_u32..=16).prop_map(|shift| 1 << shift)),
        8 => near((1_usize..=20).prop_map(|pages| pages << 12)),
        8 => (8_usize << 10)..=256 << 10,
        2 => (256_usize << 10)..=4 << 20,
        1 => (0_usize..=1 << 16).prop_map(|below| MAX_SIZE - below),
    ]
}

/// A value, the one below or the one above.
fn near(value: impl Strategy<Value = usize>) -> impl Strategy<Value = usize> {
    (value, 0_usize..=2).prop_map(|(value, above)| value - 1 + above)
}

/// Exponents of alignments: mostly up to 16 bytes, often up to 64 KiB, rarely up to 1 GiB.
pub fn align_shift() -> impl Strategy<Value = u8> {
    prop_oneof![
        700 => 0_u8..=4,
        150 => 5_u8..=7,
        120 => 8_u8..=12,
        27 => 13_u8..=16,
        3 => 17_u8..=super::MAX_ALIGN_SHIFT,
    ]
}

/// One operation.
pub fn op() -> impl Strategy<Value = Op> {
    let slot = || any::<u32>().prop_map(|slot| slot >> 16);
    let zeroed = || proptest::bool::weighted(0.25);
    prop_oneof![
        38 => (size(), align_shift(), zeroed())
            .prop_map(|(size, align_shift, zeroed)| Op::Allocate { size, align_shift, zeroed }),
        18 => slot().prop_map(|slot| Op::Deallocate { slot }),
        12 => (slot(), size(), zeroed()).prop_map(|(slot, by, zeroed)| Op::Grow { slot, by, zeroed }),
        7 => (slot(), size()).prop_map(|(slot, by)| Op::Shrink { slot, by }),
        7 => slot().prop_map(|slot| Op::Free { slot }),
        7 => (slot(), size()).prop_map(|(slot, size)| Op::Reallocate { slot, size }),
        4 => slot().prop_map(|slot| Op::Touch { slot }),
        2 => slot().prop_map(|slot| Op::Owns { slot }),
        1 => prop_oneof![Just(0), size()].prop_map(|keep| Op::Trim { keep }),
        2 => Just(Op::Walk),
        2 => Just(Op::Stats),
    ]
}

/// Sequences of operations, of a length within `length`.
pub fn ops(length: Range<usize>) -> impl Strategy<Value = Vec<Op>> {
    collection::vec(op(), length)
}

/// The sequence of `length` operations that belongs to `seed`: the same at every call.
#[must_use]
pub fn sample(seed: u64, length: usize) -> Vec<Op> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let op = op();
    // Values are drawn one by one: a whole sequence would carry the state for shrinking it.
    core::iter::from_fn(|| op.new_tree(&mut runner).ok()).take(length).map(|tree| tree.current()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_repeatable_and_holds_every_kind() {
        let ops = sample(1, 2000);
        assert_eq!(ops, sample(1, 2000));
        assert_ne!(ops, sample(2, 2000));
        let kinds: std::collections::HashSet<_> = ops.iter().map(core::mem::discriminant).collect();
        assert_eq!(kinds.len(), 11);
    }

    #[test]
    fn small_sizes_prevail_and_extremes_occur() {
        let sizes: Vec<usize> = sample(3, 20_000)
            .into_iter()
            .filter_map(|op| match op {
                Op::Allocate { size, .. } => Some(size),
                _ => None,
            })
            .collect();
        let small = sizes.iter().filter(|&&size| (1..=256).contains(&size)).count();
        assert!(small * 2 > sizes.len(), "{small} of {}", sizes.len());
        assert!(sizes.contains(&0) && sizes.iter().any(|&size| size > MAX_SIZE - (1 << 17)));
    }
}
