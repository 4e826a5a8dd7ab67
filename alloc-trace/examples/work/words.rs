//! The work: words, and what follows them.

use std::collections::BTreeMap;

/// Counts words that are made up, and those that follow each other.
pub(crate) fn count(thread: usize, rounds: usize) -> usize {
    let mut sum = 0;
    for round in 0..rounds {
        let mut state = (thread * 1000 + round) as u64;
        let mut words: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut before = String::new();
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = make(state >> 33);
            words.entry(before).or_default().push(word.clone());
            before = word;
        }
        sum += words.values().map(Vec::len).sum::<usize>() + words.keys().map(String::len).sum::<usize>();
    }
    sum
}

fn make(number: u64) -> String {
    let mut word = String::new();
    let mut rest = number % 4000;
    while rest > 0 {
        word.push_str(["ba", "de", "ki", "lo", "mu", "na", "re"][rest as usize % 7]);
        rest /= 7;
    }
    word
}
