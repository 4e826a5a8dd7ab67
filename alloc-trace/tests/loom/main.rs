//! What threads hand to each other, in all interleavings that loom can tell apart: the tree of stacks, the buffers of
//! events, the table of live blocks, the counts, and the table of owners. Run by `ci/loom.sh`.
//!
//! The files are mounted as they are, and once more each way that breaks them: without releases, without acquires, without
//! fences, with locks that do not lock. Every broken one must be found out, which shows that the models can fail.

#![cfg(alloc_loom)]
#![allow(dead_code, unreachable_pub, reason = "models need a part of what they mount")]
#![allow(
    clippy::duplicate_mod,
    clippy::wrong_self_convention,
    reason = "files are mounted several times, here as private"
)]
#![allow(clippy::modulo_one, reason = "tables of models have one part")]

#[path = "../../src/format/mod.rs"]
mod format;
mod half_locked;
#[path = "../../src/key.rs"]
mod key;
#[macro_use]
mod models;
mod own;
mod owned;
mod real;
mod unacquired;
mod unfenced;
mod unlocked;
mod unreleased;

/// As files name it.
mod stack {
    pub(crate) use crate::real::intern::StackId;
}

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every interleaving with at most so many switches that no thread asked for.
fn explore(preemptions: usize, work: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(work);
}

tree_models!(tree, crate::real);
tree_models!(tree_unreleased, crate::unreleased);
tree_models!(tree_unacquired, crate::unacquired);
buffer_models!(buffer, crate::real);
buffer_models!(buffer_unreleased, crate::unreleased);
buffer_models!(buffer_unacquired, crate::unacquired);
buffer_models!(buffer_unfenced, crate::unfenced);
table_models!(table, crate::real);
table_models!(table_unlocked, crate::unlocked);
table_models!(table_half_locked, crate::half_locked);

#[test]
fn equal_stacks_get_one_number() {
    explore(3, tree::equal_stacks);
}

#[test]
fn a_node_that_is_found_is_whole() {
    explore(3, tree::found_nodes_are_whole);
}

/// The blocks of which copies were seen, in any interleaving.
static COPIED: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

#[test]
fn events_are_copied_whole_or_not_at_all() {
    explore(3, buffer::copied_events_are_whole);
    assert!(COPIED.iter().all(|seen| seen.load(Ordering::Relaxed)), "the model never saw a copy");
}

#[test]
fn a_block_that_is_pending_at_the_end_is_written_once() {
    explore(3, || buffer::blocks_are_written_once(true, true));
}

#[test]
fn a_block_is_taken_out_once() {
    explore(3, table::taken_out_once);
}

#[test]
fn figures_agree_with_each_other() {
    explore(3, table::figures_agree);
}

#[test]
fn events_at_an_address_have_times_in_order() {
    explore(3, owned::by_the_table);
    explore(3, owned::by_the_table_between_others);
    explore(0, owned::own_places_are_known);
}

const BROKEN: &str = "ALLOC_TRACE_TEST_LOOM";

/// A model by its name; the words with which it fails, where it must.
struct Model {
    name: &'static str,
    work: fn(),
    fails: Option<&'static str>,
}

impl Model {
    const fn sound(name: &'static str, work: fn()) -> Self {
        Self { name, work, fails: None }
    }

    const fn broken(name: &'static str, work: fn(), words: &'static str) -> Self {
        Self { name, work, fails: Some(words) }
    }
}

/// The sound ones are there to show that a child process can pass. The table of owners needs no order of its own: its
/// broken ones know less.
const MODELS: [Model; 17] = [
    Model::sound("tree", tree::found_nodes_are_whole),
    Model::broken("tree without releases", tree_unreleased::found_nodes_are_whole, "not the frame"),
    Model::broken("tree without acquires", tree_unacquired::found_nodes_are_whole, "not the frame"),
    Model::sound("buffer", buffer::copied_events_are_whole),
    Model::broken("buffer without releases", buffer_unreleased::copied_events_are_whole, "torn"),
    Model::broken("buffer without acquires", buffer_unacquired::copied_events_are_whole, "torn"),
    Model::broken("buffer without fences", buffer_unfenced::copied_events_are_whole, "torn"),
    Model::broken("an end that asks once", || buffer::blocks_are_written_once(false, true), "twice or never"),
    Model::broken(
        "an owner that does not ask",
        || buffer::blocks_are_written_once(true, false),
        "twice or never",
    ),
    Model::broken("table without a lock", table_unlocked::taken_out_once, "twice or never"),
    Model::broken("table with half a lock", table_half_locked::taken_out_once, "twice or never"),
    Model::broken("figures without a lock", table_unlocked::figures_agree, "never was"),
    Model::broken("figures with half a lock", table_half_locked::figures_agree, "never was"),
    Model::sound("owners", owned::by_the_table),
    Model::broken("times before the mark", owned::by_the_time_before_the_mark, "came before it"),
    Model::broken("times behind the mark", owned::by_the_time_behind_the_mark, "came before it"),
    Model::broken("owners known to each thread by itself", owned::by_each_for_itself, "came before it"),
];

/// Not a test of its own: what the child processes below run. Loom's objects panic again while a failed model unwinds.
#[test]
fn broken() {
    if let Ok(wanted) = std::env::var(BROKEN) {
        let model = MODELS.iter().find(|model| model.name == wanted).expect("a model of that name");
        explore(3, model.work);
    }
}

#[test]
fn broken_models_are_found_out() {
    for Model { name, fails, .. } in &MODELS {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "broken", "--nocapture", "--test-threads=1"])
            .env(BROKEN, name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), fails.is_none(), "{name}:\n{said}");
        assert!(said.contains(fails.unwrap_or_default()), "{name} failed otherwise:\n{said}");
    }
}
