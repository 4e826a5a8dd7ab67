//! The suite that every strategy passes, as functions, and the macro that stamps it.
//!
//! Each property takes a [`Maker`], which builds a fresh instance and shows it to a body, as often as the property
//! wants one, and the [`Limits`] that the strategy declares. It answers `Err` with one line on what was wrong.
//! [`conformance!`](crate::conformance!) makes a `#[test]` of each.

mod blocks;
mod contents;
mod exhaustion;
mod looking;
mod random;
mod sized;
mod stamp;
mod sync;

use core::fmt;

pub use blocks::{every_alignment, impossible_sizes, many_blocks, survives_moving, zero_sizes};
pub use contents::{failed_grow_keeps_the_block, resize_keeps_contents, zeroed_is_zero};
pub use exhaustion::exhaustion_and_recovery;
pub use looking::{
    has_a_name, nothing_is_lost, owns_answers, stats_add_up, trim_loses_nothing, walk_shows_live_blocks,
};
pub use random::{by_reference, random_operations};
pub use sized::{free_by_pointer, reallocate_keeps_contents, usable_sizes};
pub use sync::{threads_apart, threads_together};

use crate::breach::{Breach, Violation};
use crate::drive::{Driver, Options};
use crate::subject::{Limits, Shared, Subject};

/// Why a property does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with this text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Failure {}

impl From<Breach> for Failure {
    fn from(breach: Breach) -> Self {
        Self(breach.to_string())
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self(violation.to_string())
    }
}

/// Whether a property holds.
pub type Verdict = Result<(), Failure>;

/// Builds a fresh instance of a strategy, shows it to a body, and drops it.
pub type Maker<'a> = dyn FnMut(&mut dyn FnMut(Subject<'_>) -> Verdict) -> Verdict + 'a;

/// The same for a strategy that threads share.
pub type SharedMaker<'a> = dyn FnMut(&mut dyn FnMut(Shared<'_>) -> Verdict) -> Verdict + 'a;

/// Panics with the property's name and what was wrong, where it does not hold.
///
/// # Panics
/// When `verdict` is a failure.
#[track_caller]
pub fn require(property: &str, verdict: Verdict) {
    if let Err(failure) = verdict {
        panic!("{property}: {failure}");
    }
}

/// Runs `act` on a fresh instance, then verifies everything and gives all blocks back.
fn session(
    make: &mut Maker<'_>,
    limits: Limits,
    act: &mut dyn FnMut(&mut Driver<'_>) -> Result<(), Breach>,
) -> Verdict {
    make(&mut |subject| {
        let mut driver = Driver::new(subject, &Options::new(limits));
        act(&mut driver)?;
        let report = driver.finish()?;
        if report.allocated == 0 {
            return Err(Breach::Idle { what: "no block was handed out" }.into());
        }
        Ok(())
    })
}

/// The layout of a size that a property picks itself.
fn layout(size: usize, align: usize) -> core::alloc::Layout {
    core::alloc::Layout::from_size_align(size, align)
        .unwrap_or_else(|_| panic!("{size} bytes aligned to {align} make no layout"))
}
