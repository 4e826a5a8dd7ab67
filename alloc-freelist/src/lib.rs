//! Free lists: constant-time bins without headers, policies as types, and the `mem_io` allocator as one of them.
//!
//! Free blocks are found through bitmaps, split where they are larger than needed, and merged with both neighbours when
//! they are freed; each in constant time. Blocks in use carry nothing: where free memory begins and ends is kept in a map
//! of one bit for 16 bytes. Positions inside a heap are 32-bit offsets, so that it works in memory that several processes
//! map.
//!
//! | policy | choices |
//! |---|---|
//! | [`fit`] | [`Good`](fit::Good) (bins; the default), [`First`](fit::First), [`Next`](fit::Next), [`Best`](fit::Best), all exact |
//! | [`header`] | [`None`](header::None) (the default), [`Packed`](header::Packed), [`Sized`](header::Sized), [`Checked`](header::Checked) |
//! | [`coalesce`] | [`Immediate`](coalesce::Immediate) (the default), [`Deferred`](coalesce::Deferred), [`Classed`](coalesce::Classed) |
//! | source | memory of the caller's, any [`Backend`](alloc_core::backend::Backend), [`Sbrk`], [`StaticBytes`] |
//! | [`Lock`] | [`Unlocked`], [`RawLock`](alloc_core::sync::RawLock) |
//! | threads | [`FreeList`] under one lock, or `SyncFreeList`: the same heap with a cache for each thread in front of it |
//!
//! Allocating and freeing take constant time in the worst case with `Good` fit, `Immediate` merging and no caches. Quick
//! lists and caches of threads make most requests shorter and some longer: those that merge a list, or exchange a batch.
//!
//! Modules in dependency order, each using only names above it (but for `zone` and the three policies, which are one
//! floor): `size`, `config`, `zone`, `header`, `fit`, `coalesce`, `heap`, `lock`, `source`, `sbrk`, `freelist`,
//! `strategy`, `inspect`, `check`, `shared`, `threads`, `mem_io`.
//!
//! # Not for
//!
//! * Heaps of many threads that exchange blocks above 31 KiB all the time: these go by one lock.
//! * Blocks that are all of one size: a pool is smaller and faster.
//! * Catching writes beyond a block's end where they happen: [`Checked`](header::Checked) finds them at the next free.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "std", test))]
extern crate std;

mod check;
pub mod coalesce;
mod config;
pub mod fit;
mod freelist;
pub mod header;
mod heap;
mod inspect;
mod lock;
pub mod mem_io;
mod quick;
mod sbrk;
// Its signature is of 64 bits, whatever the pointers are.
#[cfg(target_has_atomic = "64")]
mod shared;
mod size;
mod source;
mod strategy;
#[cfg(feature = "libc")]
mod threads;
#[cfg(test)]
mod worst;
mod zone;

pub use check::Fault;
pub use config::{Config, Policy};
pub use freelist::{FixedFreeList, FreeList};
#[cfg(feature = "libc")]
pub use freelist::{LockedFreeList, PagesFreeList};
pub use lock::{Lock, Unlocked};
pub use sbrk::Sbrk;
#[cfg(target_has_atomic = "64")]
pub use shared::{SharedFreeList, SharedPark};
pub use source::{Nothing, StaticBytes};
#[cfg(feature = "libc")]
pub use threads::{DefaultPolicy, SyncFreeList};

/// Pages of the operating system.
#[cfg(feature = "libc")]
pub type OsPages = alloc_core::backend::PagesBackend<alloc_core::os::unix::Os>;

/// Pages of the operating system.
#[cfg(feature = "libc")]
const fn os_pages() -> OsPages {
    OsPages::new(alloc_core::os::unix::Os)
}
