//! Vectors that grow, one large and many side by side, and shrink.

use std::hint::black_box;

use super::random::{Random, digest, mix};
use super::{Job, Outcome, Workload, team};

/// The workload `vectors`.
pub(super) struct Vectors;

/// Units per scale.
const UNITS: usize = 32;
/// Elements of the largest vector: 4 MiB of words.
const LONGEST: usize = 1 << 19;
/// Vectors that grow side by side, so that none can grow in place for long.
const SIDE_BY_SIDE: usize = 64;
/// Elements that each of them gets.
const EACH: usize = 1024;
/// Strings that are built piece by piece.
const STRINGS: usize = 512;
/// Pieces of a string.
const PIECES: usize = 24;
const PIECE: &str = "a piece of text; ";
const SALT: u64 = u64::from_le_bytes(*b"vectors.");

/// Pushes up to [`LONGEST`] words, in every eighth unit; others stop at 1/8, 1/4 or 1/2 of it.
fn longest(unit: usize) -> usize {
    [LONGEST / 8, LONGEST / 4, LONGEST / 8, LONGEST / 2, LONGEST / 8, LONGEST / 4, LONGEST / 8, LONGEST]
        [unit % 8]
}

fn one_long(random: &mut Random, length: usize) -> u64 {
    let mut vector = Vec::new();
    let first = random.next();
    for index in 0..length as u64 {
        vector.push(black_box(first).wrapping_add(index));
    }
    // Ends, middle, and what is left after giving half of it back.
    let sum = mix(vector[0] ^ vector[length / 2].rotate_left(1)).wrapping_add(mix(vector[length - 1]));
    vector.truncate(length / 2);
    vector.shrink_to_fit();
    sum.wrapping_add(mix(vector[length / 2 - 1]))
}

fn side_by_side(random: &mut Random) -> u64 {
    let mut vectors: Vec<Vec<u64>> = (0..SIDE_BY_SIDE).map(|_| Vec::new()).collect();
    for _ in 0..EACH {
        let value = random.next();
        for vector in &mut vectors {
            vector.push(value);
        }
    }
    vectors.iter().fold(0, |sum, vector| vector.iter().fold(sum, |sum, word| mix(sum.wrapping_add(*word))))
}

fn strings(random: &mut Random) -> u64 {
    let mut strings = vec![String::new(); STRINGS];
    for _ in 0..PIECES {
        for string in &mut strings {
            string.push_str(&PIECE[..=random.below(PIECE.len() - 1)]);
        }
    }
    strings.iter_mut().for_each(String::shrink_to_fit);
    strings.iter().fold(0, |sum, string| sum.wrapping_add(digest(string.as_bytes())))
}

/// Bytes that a vector of elements of `size` bytes asks for on its way to `length` elements: capacities double from
/// the one that `Vec` starts with, and each is asked for anew.
fn growth(length: usize, size: usize) -> usize {
    let start = if size == 1 { 8 } else { 4 };
    let mut capacity = start;
    let mut total = capacity;
    while capacity < length {
        capacity *= 2;
        total += capacity;
    }
    total * size
}

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

impl Workload for Vectors {
    fn name(&self) -> &'static str {
        "vectors"
    }

    fn about(&self) -> &'static str {
        "Grows vectors by push, one of up to 4 MiB alone, 64 side by side, and 512 strings piece by piece, and shrinks \
         some; one operation is one push (the growth of std's Vec and String, as in rustc and most Rust programs)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let side_by_side = SIDE_BY_SIDE * (growth(EACH, 8) + size_of::<Vec<u64>>());
        let string = PIECES * PIECE.len() / 2;
        let strings = STRINGS * (growth(string, 1) + string + size_of::<String>());
        let long = |unit| growth(longest(unit), 8) + longest(unit) / 2 * 8;
        (0..units(job)).map(|unit| (long(unit) + side_by_side + strings) as u64).sum()
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |unit| {
            let mut random = Random::new(job.seed, SALT, unit);
            one_long(&mut random, longest(unit))
                .wrapping_add(side_by_side(&mut random))
                .wrapping_add(strings(&mut random))
        });
        let operations =
            (0..units(job)).map(|unit| longest(unit) + SIDE_BY_SIDE * EACH + STRINGS * PIECES).sum::<usize>();
        Outcome { operations: operations as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}
