//! Binary trees of boxes.

use super::random::{Random, mix};
use super::{Job, Outcome, Workload, team};

/// The workload `trees`.
pub(super) struct Trees;

/// Units per scale. One unit is a tree that stays while others come and go.
const UNITS: usize = 128;
/// Levels of the tree that stays.
const DEEPEST: u32 = 11;
/// Levels of the smallest trees that come and go; each next has two more, up to one level less than [`DEEPEST`].
const SHALLOWEST: u32 = 4;
const SALT: u64 = u64::from_le_bytes(*b"trees...");

struct Node {
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
    tag: u64,
}

/// A full tree of `levels` levels, 1 at least.
fn build(levels: u32, random: &mut Random) -> Box<Node> {
    let tag = random.next();
    if levels == 1 {
        return Box::new(Node { left: None, right: None, tag });
    }
    let left = build(levels - 1, random);
    let right = build(levels - 1, random);
    Box::new(Node { left: Some(left), right: Some(right), tag })
}

/// What the tree says: left and right are told apart.
fn fold(node: &Node) -> u64 {
    let below = |child: &Option<Box<Node>>| child.as_deref().map_or(0, fold);
    mix(node.tag.wrapping_add(below(&node.left).rotate_left(1)).wrapping_add(below(&node.right)))
}

/// How often a tree of `levels` levels is built: about as many nodes of each.
fn rounds(levels: u32) -> u32 {
    1 << (DEEPEST - levels)
}

fn depths() -> impl Iterator<Item = u32> {
    (SHALLOWEST..DEEPEST).step_by(2)
}

fn nodes(levels: u32) -> u64 {
    (1 << levels) - 1
}

fn unit(mut random: Random) -> u64 {
    let stays = build(DEEPEST, &mut random);
    let mut sum = 0_u64;
    for levels in depths() {
        for _ in 0..rounds(levels) {
            sum = sum.wrapping_add(fold(&build(levels, &mut random)));
        }
    }
    sum.wrapping_add(fold(&stays))
}

fn units(job: &Job<'_>) -> usize {
    UNITS * job.scale as usize
}

/// Nodes of the whole job.
fn total(job: &Job<'_>) -> u64 {
    let unit: u64 = depths().map(|levels| u64::from(rounds(levels)) * nodes(levels)).sum();
    units(job) as u64 * (unit + nodes(DEEPEST))
}

impl Workload for Trees {
    fn name(&self) -> &'static str {
        "trees"
    }

    fn about(&self) -> &'static str {
        "Builds, walks and drops binary trees of 24-byte boxes of several depths while a larger one stays; one operation \
         is one node (after binary-trees of the Computer Language Benchmarks Game, from GCBench of Ellis, Kovac and \
         Boehm)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        total(job) * size_of::<Node>() as u64
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |number| unit(Random::new(job.seed, SALT, number)));
        Outcome { operations: total(job), elapsed: shared.elapsed, checksum: shared.sum }
    }
}
