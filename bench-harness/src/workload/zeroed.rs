//! Zeroed blocks, checked and then written all over.

use std::hint::black_box;

use super::random::{Random, mean_inverse_square, mix};
use super::{Job, Outcome, Workload, team};

/// The workload `zeroed`.
pub(super) struct Zeroed;

/// Units per scale.
const UNITS: usize = 64;
/// Blocks of one unit.
const BLOCKS: usize = 2304;
/// Blocks that live at once in one unit.
const LIVE: usize = 128;
/// Bytes of the smallest block.
const SMALLEST: usize = 256;
/// Bytes of the largest.
const LARGEST: usize = 1 << 20;
const WORD: usize = size_of::<u64>();
const SALT: u64 = u64::from_le_bytes(*b"zeroed..");

/// Allocates zeroed words and fills them with `tag`. Adds to `sum` what was found in the place of zeros.
fn zeroed(bytes: usize, tag: u64, sum: &mut u64) -> Vec<u64> {
    // Black-boxed, so that the compiler cannot know that they are zero.
    let mut words = black_box(vec![0_u64; bytes / WORD]);
    *sum = sum.wrapping_add(found(&words));
    words.fill(tag);
    words
}

/// 0 when all words are.
fn found(words: &[u64]) -> u64 {
    mix(words.iter().fold(0, |found, word| found | word))
}

/// What the words of a block say before it is freed.
fn fold(words: &[u64]) -> u64 {
    words
        .first()
        .zip(words.last())
        .map_or(0, |(first, last)| mix(*first).wrapping_add(mix(last.rotate_left(1))))
}

fn unit(mut random: Random) -> u64 {
    let mut live: Vec<Vec<u64>> = (0..LIVE).map(|_| Vec::new()).collect();
    let mut sum = 0_u64;
    for number in 0..BLOCKS {
        let bytes = random.inverse_square(SMALLEST, LARGEST);
        // The first blocks fill the slots in turn; from then on it is by chance.
        let slot = if number < LIVE { number } else { random.below(LIVE) };
        let block = zeroed(bytes, random.next(), &mut sum);
        let old = std::mem::replace(&mut live[slot], block);
        sum = sum.wrapping_add(fold(&old));
    }
    live.iter().fold(sum, |sum, block| sum.wrapping_add(fold(block)))
}

fn blocks(job: &Job<'_>) -> usize {
    UNITS * BLOCKS * job.scale as usize
}

impl Workload for Zeroed {
    fn name(&self) -> &'static str {
        "zeroed"
    }

    fn about(&self) -> &'static str {
        "Allocates zeroed blocks of 256 bytes to 1 MiB, in number inverse to the square of the size, reads every word, \
         writes every word, and frees them at random; one operation is one block (calloc as in mleak of \
         mimalloc-bench, over a wider range)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        blocks(job) as u64 * mean_inverse_square(SMALLEST, LARGEST)
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, UNITS * job.scale as usize, |number| {
            unit(Random::new(job.seed, SALT, number))
        });
        Outcome { operations: blocks(job) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_that_is_not_zero_is_found() {
        let mut words = vec![0_u64; 100];
        assert_eq!(found(&words), 0);
        words[57] = 1 << 40;
        assert_ne!(found(&words), 0);
    }

    #[test]
    fn a_wrong_word_at_either_end_changes_the_answer() {
        let good = fold(&[7, 0, 7]);
        assert_ne!(fold(&[6, 0, 7]), good);
        assert_ne!(fold(&[7, 0, 6]), good);
        assert_ne!(fold(&[6, 0, 6]), good);
    }
}
