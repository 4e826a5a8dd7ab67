//! Arenas: memory that is handed out by moving a cursor, and given back all at once.
//!
//! | type | for |
//! |---|---|
//! | [`Bump`] | one thread; grows over pages of the operating system, or over any [`Backend`](alloc_core::backend::Backend) |
//! | [`FixedBump`] | one thread; a buffer of the caller's, no operating system, no other allocator |
//! | `SyncBump` | threads that share an arena, each in a sub-buffer of its own (feature `std`) |
//! | [`Scope`] | a part of an arena's life, rewound at its end, checked by the compiler |
//!
//! ```
//! # #[cfg(feature = "libc")] {
//! use alloc_bump::Bump;
//!
//! let mut bump = Bump::new();
//! for request in ["GET /", "GET /about"] {
//!     let words = bump.alloc_iter(request.split(' '));
//!     let answer = bump.alloc_fmt(format_args!("{} gets {}", words[0], words[1]));
//!     assert!(answer.starts_with("GET gets /"));
//!     bump.reset();
//! }
//! # }
//! ```
//!
//! All of them are [`Strategy`](alloc_core::Strategy)s; with the features `allocator-api2-02` and `-04`, collections take
//! a reference to one. Which way an arena fills, and what alignment its cursor keeps, is its second type parameter:
//! [`Up`], the default, [`Down`], or a [`Config`] of one's own.
//!
//! # What is given back when
//!
//! Freeing a block, or shrinking it, gives memory back when it is the last one; growing it then stays in place. All else
//! waits for a [`reset`](Bump::reset), which keeps the memory, a rewind, or the drop of the arena.
//! [`trim`](alloc_core::Inspect::trim) returns free memory to the system in between.
//!
//! Values in an arena are not dropped. What they own outside of it is leaked.
//!
//! # When there is no memory
//!
//! The methods of `Strategy` and all those named `try_…` answer [`AllocError`](alloc_core::AllocError). The others panic,
//! out of the way of the fast path. They do not call `handle_alloc_error`, which needs the crate `alloc`.
//!
//! # Not for
//!
//! * Programs that free in another order than they allocate and run for long: only last blocks come back. `alloc-freelist`
//!   serves them, in the same buffer.
//! * The C interface: an arena does not know the sizes of its blocks, so it has no
//!   [`SizedBlocks`](alloc_core::SizedBlocks).
//! * Values whose destructors matter.
//! * Thousands of live arenas of a few bytes each over pages: each has a page at least. Slice a
//!   larger block into [`FixedBump`]s instead.
//!
//! # Modules
//!
//! In dependency order, each using only names above it: `config`, `bumping`, `growth`, `window`, `chunk`, `buffer`,
//! `pages`, `arena` with its verbs `chain` and `rewind`, `check`, `fail`, `typed`, `methods`, `bump`, `strategy`, `inspect`, `checkpoint`, `scope`, `tlab`,
//! `sync`.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "std", test))]
extern crate std;

/// The examples of the README, which are run as well.
#[cfg(all(doctest, feature = "libc"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod arena;
mod buffer;
mod bump;
mod bumping;
mod chain;
mod check;
mod checkpoint;
mod chunk;
mod config;
mod fail;
mod growth;
mod inspect;
mod methods;
#[cfg(feature = "libc")]
mod pages;
mod rewind;
mod scope;
mod strategy;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod sync;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
mod tlab;
mod typed;
mod window;

pub use buffer::Buffer;
pub use bump::{Bump, FixedBump};
pub use check::Flaw;
pub use checkpoint::Checkpoint;
pub use config::{Config, Down, Up};
#[cfg(feature = "libc")]
pub use pages::Pages;
pub use scope::Scope;
#[cfg(all(feature = "std", target_has_atomic = "64"))]
pub use sync::SyncBump;

/// Where arenas take their memory from unless told otherwise: pages of the operating system.
#[cfg(feature = "libc")]
pub type DefaultBackend = Pages;

/// Where arenas take their memory from unless told otherwise: without the feature `libc`, nowhere.
#[cfg(not(feature = "libc"))]
pub type DefaultBackend = Buffer<'static>;
