//! What every Strata strategy is tested with.
//!
//! * [`conformance!`] stamps the [suite](mod@conformance) on a strategy: one line, some twenty tests.
//! * [`Shadow`] is the oracle, an interval map of live blocks; [`fill`] gives every byte of them a value to keep.
//! * [`Op`] is the one language of operations, with a [generator](ops::generate), a [byte form](ops::bytes) for fuzzing
//!   and corpora, and [`drive()`], which runs it against the shadow.
//! * [`fault`] holds hostile backends, and a [sweep](fault::sweep) in which each of their calls fails once.
//! * [`threads`] runs operations on many threads that hand blocks to each other.
//! * [`death`] tests code that must die, in child processes; [`budget`] holds fast paths to counts of instructions.
//!
//! Modules in dependency order, each using only names above it: `subject`, `ops`, `breach`, `fill`, `shadow`, `drive`,
//! `fault`, `threads`, `conformance`; `death` and `budget` stand alone.
//!
//! A fuzz target is five lines:
//!
//! ```
//! use alloc_core::Libc;
//! use alloc_testkit::{Limits, Options, Subject, drive, ops::bytes};
//!
//! let data: &[u8] = b"any bytes at all";
//! let limits = Limits::UNLIMITED.without_walk().shared_with_others();
//! drive(Subject::sized(&Libc), &bytes::from_bytes(data), &Options::new(limits)).unwrap();
//! ```

pub mod breach;
#[cfg(unix)]
pub mod budget;
pub mod conformance;
#[cfg(unix)]
pub mod death;
pub mod drive;
pub mod fault;
pub mod fill;
pub mod ops;
pub mod shadow;
mod subject;
pub mod threads;

pub use breach::{Breach, Violation};
pub use drive::{Driver, Options, Report, drive};
pub use ops::Op;
pub use shadow::{Shadow, Tracked};
pub use subject::{Limits, Reuse, Shared, Subject};

/// For the macro: the crate under which it finds handles.
#[doc(hidden)]
pub use alloc_core as __core;
