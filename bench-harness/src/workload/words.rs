//! Word statistics over text: a hash map from words to their places, and the most frequent of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::{Barrier, Mutex, PoisonError};

use super::random::{digest, mix};
use super::{Job, Outcome, Workload, team};

/// The workload `words`.
pub(super) struct Words;

/// Bytes of text per scale. Shorter texts are gone over more than once, longer ones just once.
const BUDGET: usize = 3 << 19;
/// How often a text is gone over at most per scale, be it ever so short.
const PASSES: usize = 64;
/// Pieces that the text is cut into, and also parts that the words are shared out to.
const PARTS: usize = 16;
/// The most frequent words of each part.
const TOP: usize = 32;
/// Bytes requested per byte of text: measured on the shipped one.
const TRAFFIC: u64 = 20;

/// Words, lower-cased, with their places. The hasher is fixed, so that growth is the same in every run.
type Places = HashMap<Box<[u8]>, Vec<usize>, BuildHasherDefault<DefaultHasher>>;

fn passes(job: &Job<'_>) -> usize {
    (BUDGET / job.inputs.text.len().max(1)).clamp(1, PASSES) * job.scale as usize
}

/// Letters, digits, apostrophes, and whatever is not ASCII.
fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'\'' || !byte.is_ascii()
}

/// Piece `number` of `text`; no word is cut.
fn piece(text: &[u8], number: usize) -> Range<usize> {
    let cut = |number: usize| {
        let near = text.len() / PARTS * number;
        let whole = |place: &usize| !in_word(text[*place]);
        match number {
            0 => 0,
            PARTS => text.len(),
            _ => (near..text.len()).find(whole).unwrap_or(text.len()),
        }
    };
    cut(number)..cut(number + 1)
}

/// The words of `range`, with their places.
fn words(text: &[u8], range: Range<usize>) -> impl Iterator<Item = (usize, &[u8])> {
    let base = text.as_ptr().addr();
    text[range]
        .split(|byte| !in_word(*byte))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr().addr() - base, word))
}

/// Which part a word belongs to, and what it adds to the answer.
fn hash(word: &[u8]) -> u64 {
    digest(word)
}

fn part_of(word: &[u8]) -> usize {
    (hash(word) % PARTS as u64) as usize
}

/// Finds the words of one piece, shared out to the parts.
fn map(text: &[u8], number: usize) -> Vec<Places> {
    let mut parts: Vec<Places> = (0..PARTS).map(|_| Places::default()).collect();
    for (place, word) in words(text, piece(text, number)) {
        let word = word.to_ascii_lowercase().into_boxed_slice();
        parts[part_of(&word)].entry(word).or_default().push(place);
    }
    parts
}

/// Brings one part's words from all pieces together. What they say, and the most frequent of them in order.
fn reduce(pieces: impl Iterator<Item = Places>) -> u64 {
    let mut all = Places::default();
    for piece in pieces {
        for (word, places) in piece {
            all.entry(word).or_default().extend(places);
        }
    }
    let sum = all.iter().fold(0_u64, |sum, (word, places)| {
        let places = places.iter().fold(0_u64, |sum, place| sum.wrapping_add(mix(*place as u64)));
        sum.wrapping_add(mix(hash(word) ^ places))
    });
    let mut ranked: Vec<(usize, Box<[u8]>)> =
        all.into_iter().map(|(word, places)| (places.len(), word)).collect();
    ranked.sort_unstable_by(|one, two| (Reverse(one.0), &one.1).cmp(&(Reverse(two.0), &two.1)));
    let top = ranked.iter().take(TOP);
    top.fold(sum, |sum, (count, word)| mix(sum.wrapping_add(hash(word)).wrapping_add(*count as u64)))
}

impl Workload for Words {
    fn name(&self) -> &'static str {
        "words"
    }

    fn about(&self) -> &'static str {
        "Lower-cases each word of a real text, keeps its places in hash maps, brings the maps of all pieces together, \
         and ranks the words; one operation is one word (map and reduce, after the word count of Dean and Ghemawat \
         2004)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        (passes(job) * job.inputs.text.len()) as u64 * TRAFFIC
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let text = job.inputs.text;
        let found: Vec<Mutex<Vec<Places>>> = (0..PARTS).map(|_| Mutex::default()).collect();
        let lock = |number: usize| found[number].lock().unwrap_or_else(PoisonError::into_inner);
        let phase = Barrier::new(job.threads);
        let shared = team::run(job.threads, |member| {
            let mut sum = 0_u64;
            for _ in 0..passes(job) {
                for number in (member..PARTS).step_by(job.threads) {
                    *lock(number) = map(text, number);
                }
                phase.wait();
                for part in (member..PARTS).step_by(job.threads) {
                    let pieces = (0..PARTS).map(|number| std::mem::take(&mut lock(number)[part]));
                    sum = sum.wrapping_add(reduce(pieces));
                }
                phase.wait();
            }
            sum
        });
        let each: usize = words(text, 0..text.len()).count();
        Outcome {
            operations: (each * passes(job)).max(1) as u64,
            elapsed: shared.elapsed,
            checksum: shared.sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"It's a text; it's SHORT, na\xC3\xAFve: a a a. No word of it is cut in two, wherever it is cut";

    #[test]
    fn pieces_are_the_whole_text_and_cut_no_word() {
        for text in [TEXT, b"", b" ", b"word", b"a b", &[b'x'; 1000]] {
            let all: Vec<_> = words(text, 0..text.len()).collect();
            let pieces: Vec<_> = (0..PARTS).flat_map(|number| words(text, piece(text, number))).collect();
            assert_eq!(pieces, all);
        }
    }

    #[test]
    fn words_are_found_without_case_at_all_their_places() {
        let mut all = Places::default();
        for part in (0..PARTS).flat_map(|number| map(TEXT, number)) {
            for (word, places) in part {
                all.entry(word).or_default().extend(places);
            }
        }
        assert_eq!(all[&b"it's"[..]], [0, 13]);
        assert_eq!(all[&b"a"[..]].len(), 4);
        assert_eq!(all["naïve".as_bytes()].len(), 1);
    }

    #[test]
    fn a_place_more_changes_the_answer() {
        let one = |places: Vec<usize>| {
            let mut words = Places::default();
            words.insert(Box::from(&b"word"[..]), places);
            reduce([words].into_iter())
        };
        assert_ne!(one(vec![1]), one(vec![1, 2]));
        assert_ne!(one(vec![1]), one(vec![2]));
    }
}
