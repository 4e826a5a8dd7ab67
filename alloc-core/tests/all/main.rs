//! The integration tests of `alloc-core`, in one binary.

// Loom's atomics work in its models alone: see `tests/loom_lock.rs`.
#![cfg(not(alloc_loom))]

mod backend;
#[cfg(feature = "libc")]
mod c_handle;
#[cfg(feature = "libc")]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a block in one go")]
mod compat;
#[cfg(feature = "libc")]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a block in one go")]
mod handle;
#[cfg(feature = "libc")]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a block in one go")]
mod libc_strategy;
mod lock;
mod os;
mod support;
