//! The files under test, with loom's atomics.

pub(crate) use alloc_core::sync;

#[path = "../../src/stack/intern.rs"]
pub(crate) mod intern;
#[path = "../../src/sink/live.rs"]
pub(crate) mod live;
#[path = "../../src/owners.rs"]
pub(crate) mod owners;
#[path = "../../src/pending.rs"]
pub(crate) mod pending;
#[path = "../../src/sink/tally.rs"]
pub(crate) mod tally;
