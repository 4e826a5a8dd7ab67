//! See every allocation: decorators over any Strata strategy that trace, guard, limit and count, and the reports of what
//! they saw.
//!
//! | wanted | use |
//! |---|---|
//! | every event, in a small binary file | [`Traced`] with [`EXACT`] |
//! | counts by stack, of all events or from samples | [`Traced`] with [`COUNTS`] |
//! | every event, as text | [`Traced`] with [`Log`] |
//! | the last events, in the process | [`Traced`] with [`History`] |
//! | any of these, as the environment says | [`Traced`] with [`TRACER`] and [`Settings`] |
//! | writes out of bounds and after the free | [`Guard`] |
//! | junk in fresh and freed memory | [`Perturb`] |
//! | requests that fail, and limits | [`FaultInject`], [`Quota`] |
//! | counts, and budgets in tests | [`Counting`], [`assert_allocs!`] |
//! | a heap's map, and all that is known of an address | [`look`] |
//! | leaks, profiles, pages from a trace | [`report`](https://docs.rs/alloc-trace/latest/alloc_trace/report/) (feature `report`) |
//!
//! Decorators stack in any order, on any strategy, and on handles. `README.md` has what each mode costs.
//!
//! # What happens on an allocation
//!
//! [`Traced`] asks a switch of the process whether any sink is on, before it asks the strategy: a comparison and a branch,
//! which is all that tracing costs while it is off. If so, it asks its own sink. If that is on, it enters the thread's record
//! ([`thread`]), which fails while the thread is inside a sink already, so that nothing that a sink causes is traced. The
//! stack is walked and named ([`StackId`]) and the sink writes down what it wants. Memory comes from mappings of the tracer's
//! own. No sink formats, allocates from the traced heap, takes the loader's lock or a lock of the standard library.
//!
//! Modules in dependency order, each using only names above it (`stack`, `owners`, `pending`, `countdown` and `budget` are one floor
//! with `thread`, whose records hold their parts): `errno`, `key`, `text`, `maths`, `own`, `owned`, `unsignalled`, `own_fd`, `out`, `vdso`, `clock`, `format`,
//! `event`, `settings`, `switch`, `stack`, `owners`, `pending`, `countdown`, `budget`, `slot`, `thread`, `sink`, `traced`, `decor`,
//! `look`, `tracer`, `report`.
//!
//! # Not for
//!
//! * Other systems than Linux. On other processors than x86-64, stacks are found by frame pointers only.
//! * Memory that does not come from a strategy: mappings that the program makes itself are not seen.
//! * Adversaries: traces are read with care, but their checksums only find damage.
#![no_std]
// Models mount the files that they are about themselves.
#![cfg(not(alloc_loom))]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(test, feature = "report", not(all(target_arch = "x86_64", target_os = "linux"))))]
extern crate std;

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("alloc-trace is written for 64-bit Linux");

mod budget;
mod clock;
mod countdown;
pub mod decor;
mod errno;
mod event;
pub mod format;
mod key;
pub mod look;
mod maths;
pub mod out;
mod own;
mod own_fd;
mod owned;
mod owners;
mod pending;
#[cfg(feature = "report")]
pub mod report;
pub mod settings;
pub mod sink;
mod slot;
mod stack;
mod switch;
mod text;
pub mod thread;
mod traced;
pub mod tracer;
mod unsignalled;
mod vdso;

use alloc_core::sync;

pub use budget::{Allocations, allocations, measure};
pub use decor::guard::Fault;
pub use decor::quota::{ByBlock, ByRequest};
pub use decor::{Counting, Counts, FaultInject, Guard, Perturb, Quota};
pub use event::{Event, Moment, Place};
pub use settings::{Misread, Settings, Target};
pub use sink::counts::COUNTS;
pub use sink::exact::{EXACT, Exact};
pub use sink::{Entry, History, Log, Null, Sink};
pub use stack::{StackId, frames};
pub use traced::Traced;
pub use tracer::{TRACER, Tracer};

/// To be called in the child after `fork`, before it allocates: locks that other threads held are made free, and traces to
/// files stay the parent's.
pub fn after_fork_in_child() {
    stack::after_fork();
    thread::after_fork();
    EXACT.after_fork();
    COUNTS.after_fork();
}
