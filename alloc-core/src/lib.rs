//! The contract of Strata's memory allocators.
//!
//! Modules in dependency order, each using only names above it: `arith`, `errno`, `error`, `line`, `misuse`, `sync`, `os`,
//! `backend`, `stats`, `walk`, `field`, `inspect`, `strategy`, `sized`, `libc_strategy`, `handle`, `compat`.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(all(feature = "libc", not(target_os = "linux")))]
compile_error!(
    "the feature `libc` of alloc-core is written for Linux: elsewhere, use `default-features = false`"
);

pub mod arith;
pub mod backend;
pub mod compat;
#[cfg(feature = "libc")]
pub mod errno;
mod error;
mod field;
pub mod handle;
mod inspect;
#[cfg(feature = "libc")]
mod libc_strategy;
pub mod line;
pub mod misuse;
pub mod os;
mod sized;
mod stats;
pub mod strategy;
pub mod sync;
mod walk;

pub use error::AllocError;
pub use field::{Field, Form, Peek, peek_u32, peek_u64};
pub use handle::{Handle, OwnedHandle, SizedHandle};
pub use inspect::{Inspect, Ownership};
#[cfg(feature = "libc")]
pub use libc_strategy::Libc;
pub use misuse::{Misuse, OnMisuse};
pub use sized::SizedBlocks;
pub use stats::{Gauge, Stats};
pub use strategy::{Strategy, move_block, move_block_zeroed};
pub use walk::{Block, BlockState, Step, Visit, Walked, Zone};
