//! Fork-join: tasks that allocate what their parents free, on whichever thread steals them.

use std::time::Instant;

use rayon::{ThreadPoolBuilder, join};

use super::random::{Random, mix};
use super::{Job, Outcome, Workload};

/// The workload `rayon`.
pub(super) struct Rayon;

/// Rounds per scale.
const ROUNDS: usize = 6;
/// Levels of the sort: each task halves its work down to leaves of [`LEAF`] keys.
const SORT_LEVELS: u32 = 11;
/// Keys that one leaf sorts.
const LEAF: usize = 16;
/// Levels of the tree.
const TREE_LEVELS: u32 = 16;
/// Levels of the tree that are not worth a task of their own.
const SERIAL_LEVELS: u32 = 6;
const SALT: u64 = u64::from_le_bytes(*b"rayon...");

/// A sorted vector of the keys of leaves `first..first + 2^levels`. Each task's vector is freed by the task that
/// merges it.
fn sorted(seed: u64, levels: u32, first: usize) -> Vec<u64> {
    if levels == 0 {
        let mut random = Random::new(seed, SALT, first);
        let mut keys: Vec<u64> = (0..LEAF).map(|_| random.next()).collect();
        keys.sort_unstable();
        return keys;
    }
    let half = levels - 1;
    let (left, right) = join(|| sorted(seed, half, first), || sorted(seed, half, first + (1 << half)));
    merge(&left, &right)
}

fn merge(left: &[u64], right: &[u64]) -> Vec<u64> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let Some(next) = match (left.peek(), right.peek()) {
        (Some(one), Some(two)) if one <= two => left.next(),
        (_, Some(_)) => right.next(),
        (_, None) => left.next(),
    } {
        merged.push(next);
    }
    merged
}

struct Node {
    children: Option<(Box<Node>, Box<Node>)>,
    tag: u64,
}

/// Runs both, as tasks of their own when the subtree is worth it.
fn both<T: Send>(levels: u32, one: impl FnOnce() -> T + Send, two: impl FnOnce() -> T + Send) -> (T, T) {
    if levels > SERIAL_LEVELS { join(one, two) } else { (one(), two()) }
}

/// A full tree of `levels` levels whose tags follow from `tag`.
fn grow(levels: u32, tag: u64) -> Box<Node> {
    let children = (levels > 1)
        .then(|| both(levels, || grow(levels - 1, mix(tag ^ 1)), || grow(levels - 1, mix(tag ^ 2))));
    Box::new(Node { children, tag })
}

/// Takes down what grows from a node and returns what it said.
fn fell(levels: u32, node: Node) -> u64 {
    let Node { children, tag } = node;
    let Some((left, right)) = children else { return mix(tag) };
    let (left, right) = both(levels, || fell(levels - 1, *left), || fell(levels - 1, *right));
    mix(tag ^ left.rotate_left(1) ^ right)
}

fn round(seed: u64) -> u64 {
    let keys = sorted(seed, SORT_LEVELS, 0);
    let tree = grow(TREE_LEVELS, seed);
    let order = keys.iter().fold(0, |hash, key| mix(hash ^ key));
    order.wrapping_add(fell(TREE_LEVELS, *tree))
}

fn rounds(job: &Job<'_>) -> usize {
    ROUNDS * job.scale as usize
}

/// Blocks of one round.
const fn blocks() -> u64 {
    (1 << (SORT_LEVELS + 1)) - 1 + (1 << TREE_LEVELS) - 1
}

impl Workload for Rayon {
    fn name(&self) -> &'static str {
        "rayon"
    }

    fn about(&self) -> &'static str {
        "Sorts by merging the vectors of forked tasks, and grows and fells a tree of boxes in forked tasks, on a rayon \
         pool; one operation is one vector or box (fork-join as in Cilk and in rayon's own demonstrations)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let keys = (LEAF << SORT_LEVELS) * (SORT_LEVELS as usize + 1) * size_of::<u64>();
        let tree = ((1 << TREE_LEVELS) - 1) * size_of::<Node>();
        (rounds(job) * (keys + tree)) as u64
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let work = || {
            let start = Instant::now();
            let sum = (0..rounds(job)).fold(0_u64, |sum, number| {
                sum.wrapping_add(round(Random::new(job.seed, SALT, number).next()))
            });
            (start.elapsed(), sum)
        };
        // Scoped, so that the pool's threads have ended when this returns.
        let (elapsed, checksum) = ThreadPoolBuilder::new()
            .num_threads(job.threads)
            .build_scoped(rayon::ThreadBuilder::run, |pool| pool.install(work))
            .unwrap_or_else(|error| panic!("cannot start {} threads: {error}", job.threads));
        Outcome { operations: rounds(job) as u64 * blocks(), elapsed, checksum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sort_sorts_every_key_once() {
        let mut keys: Vec<u64> = (0..8)
            .flat_map(|leaf| {
                let mut random = Random::new(3, SALT, leaf);
                (0..LEAF).map(move |_| random.next())
            })
            .collect();
        keys.sort_unstable();
        assert_eq!(sorted(3, 3, 0), keys);
    }

    #[test]
    fn a_wrong_tag_changes_what_the_tree_says() {
        let good = fell(3, *grow(3, 5));
        let mut tree = grow(3, 5);
        tree.children.as_mut().expect("three levels").1.tag ^= 1;
        assert_ne!(fell(3, *tree), good);
        assert_eq!(fell(3, *grow(3, 5)), good);
    }
}
