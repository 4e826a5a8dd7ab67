//! The main job: identical multithreaded work against every strategy and its peers, with an honest report.
//!
//! ```text
//! cli ─► runner ─► one process per cell and round: switch (global allocator) ─► cell ─► workload
//!           │                                            │
//!           └► schema::Matrix ─► report          registry (strategies and peers)
//! ```
//!
//! The program is `strata`; this library exists so that it can be tested from inside and out.

pub mod cell;
pub mod cli;
pub mod contender;
pub mod doctor;
pub mod glibc;
pub mod inputs;
pub mod machine;
pub mod names;
pub mod programs;
pub mod random;
pub mod registry;
pub mod report;
pub mod runner;
pub mod schema;
pub mod statistics;
pub mod switch;
pub mod workload;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
