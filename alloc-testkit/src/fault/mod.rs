//! Hostile sources of memory, as ordinary types around any backend.
//!
//! A strategy must be as good over these as over the friendliest backend. Each exaggerates one freedom that
//! [`Backend`](alloc_core::backend::Backend) leaves to its implementors. They stack with those of `alloc_core`:
//! [`Failing`](alloc_core::backend::Failing) and [`Limited`](alloc_core::backend::Limited). [`sweep`](fn@sweep) makes
//! every call of a backend fail once.

mod disaligning;
mod fragmented;
mod ledger;
mod poisoning;
mod sweep;

pub use disaligning::Disaligning;
pub use fragmented::Fragmented;
pub use poisoning::Poisoning;
pub use sweep::{SweepError, Swept, sweep};

/// What hostile backends leave in memory that nobody should read.
pub const JUNK: u8 = 0xc7;
