//! Arenas, bins and boundary tags in the manner of ptmalloc, behind a thread cache that trades in magazines.
//!
//! [`Ptmalloc`] is the heap; [`Config`] says what it is like, its [`Era`] whose habits it has: glibc's to 2.41, glibc's of 2.43,
//! or ours. `README.md` has the way of a block, the three eras side by side, and where each of ptmalloc's structures is.
//!
//! ```
//! use alloc_core::{Inspect, Strategy};
//! use alloc_ptmalloc::{Config, Era, Ptmalloc};
//! use core::alloc::Layout;
//!
//! let heap = Ptmalloc::new(Config::new(Era::Ours));
//! let layout = Layout::new::<[u64; 8]>();
//! let block = heap.allocate(layout)?;
//! assert_eq!(heap.stats().live_blocks.get(), Some(1));
//! // SAFETY: the block is live, and has this layout.
//! unsafe { heap.deallocate(block, layout) };
//! # Ok::<(), alloc_core::AllocError>(())
//! ```
//!
//! # Modules
//!
//! From the chunk up; each layer uses those above it.
//!
//! | | |
//! |---|---|
//! | `size`, `class`, `config`, `key`, `clock`, `prefetch`, `ranks` | arithmetic, choices, the mark of cached blocks, hints, the order of locks |
//! | `chunk`, `links`, `magazine` | what is written in heap memory |
//! | `bins`, `depot`, `inbox` | where an arena keeps chunks, and magazines |
//! | `owner`, `heap`, `mapped`, `source` | memory from the system, and whose an address is |
//! | `arena`, `top`, `perturb` | `malloc_state` and its verbs, one file each |
//! | `check` | walkers that derive an arena anew |
//! | `tcache`, `registry`, `instance`, `handover`, `process`, `fork`, `forker` | threads: their caches and arenas, their ends, forks |
//! | `ptmalloc`, `at_hand`, `inside`, `obtain`, `give`, `resize`, `strategy` | the front door: hits, and the ways beyond |
//! | `inspect`, `figures`, `survey`, `tune` | looking inside, and `mallopt` |
//!
//! # Not for
//!
//! * Memory that is freed all at once, programs without an operating system, 32 bits.
//! * Keeping attackers out: the checks find mistakes.
//! * A bound on the time of a single call.

// A model build checks its files one by one, with loom's atomics: see `tests/loom_*.rs`.
#![cfg(not(alloc_loom))]
// The C library is built without std, whose panic handler alone would call for thread-local storage by name.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

#[cfg(any(test, feature = "std", not(all(target_arch = "x86_64", target_os = "linux", not(miri)))))]
extern crate std;

/// The example of the README, which is run as well.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod arena;
mod at_hand;
mod bins;
mod check;
mod chunk;
mod class;
mod clock;
mod config;
mod depot;
mod figures;
mod fork;
mod forker;
mod give;
mod handover;
mod heap;
mod inbox;
mod inside;
mod inspect;
mod instance;
mod key;
mod links;
mod magazine;
mod mapped;
mod obtain;
mod owner;
mod perturb;
mod prefetch;
mod process;
mod ptmalloc;
mod ranks;
mod registry;
mod resize;
mod size;
mod source;
mod strategy;
mod survey;
mod tcache;
mod top;
mod tune;

pub use check::Fault;
pub use config::{CheckLevel, Config, Era, HugePages, MMAP_THRESHOLD_MAX};
pub use figures::{ArenaFigures, BinFigures, Figures};
pub use ptmalloc::{Ptmalloc, TakeBack};
#[cfg(feature = "std")]
pub use tcache::slot::ProcessSlot;
pub use tcache::slot::{CacheRef, LibrarySlot, SharedSlot, Slot};
pub use tune::TuneError;
