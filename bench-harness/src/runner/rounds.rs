//! Whose turn it is: within a round, the strategies of a group run one after the other, in an order that is random in
//! one round and reversed in the next (A B … B A), so that a drift of the machine hits no strategy more than another.

#![forbid(unsafe_code)]

use crate::random::SplitMix;

/// The order of `count` strategies in a group's round.
pub(super) fn order(round: usize, group: usize, count: usize, seed: u64) -> Vec<usize> {
    let pair = (round / 2) as u64;
    let mut random = SplitMix::new(seed ^ (pair << 32) ^ group as u64);
    let mut order: Vec<usize> = (0..count).collect();
    random.shuffle(&mut order);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_round_is_the_one_before_it_backwards() {
        for round in (0..10).step_by(2) {
            let mut there = order(round, 3, 8, 42);
            let back = order(round + 1, 3, 8, 42);
            there.reverse();
            assert_eq!(there, back);
            there.sort_unstable();
            assert_eq!(there, (0..8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn pairs_of_rounds_and_groups_differ() {
        assert_ne!(order(0, 0, 8, 42), order(2, 0, 8, 42));
        assert_ne!(order(0, 0, 8, 42), order(0, 1, 8, 42));
        assert_eq!(order(0, 0, 8, 42), order(0, 0, 8, 42));
    }

    #[test]
    fn over_many_rounds_every_place_is_taken_about_equally() {
        let mut first = [0_u32; 4];
        for round in 0..400 {
            first[order(round, 0, 4, 1)[0]] += 1;
        }
        assert!(first.iter().all(|&times| (60..140).contains(&times)), "{first:?}");
    }
}
