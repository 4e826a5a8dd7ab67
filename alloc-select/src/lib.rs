//! Choose a program's memory allocator: by Cargo feature when it is built, or by name when it starts.
//!
//! # Three lines
//!
//! ```
//! # #[cfg(feature = "_some")]
//! # mod shown {
//! use alloc_select::Strata;
//!
//! #[global_allocator]
//! static GLOBAL: Strata = Strata::new();
//! # }
//! # fn main() { assert_eq!(vec![1, 2, 3].len(), 3); }
//! ```
//!
//! [`Strata`] is [`DefaultStrategy`], known at compile time and inlined. Put [`Chosen`] there instead, and the variable
//! `STRATA_STRATEGY` picks one of the strategies compiled in each time the program starts, at the price of an indirect
//! call.
//!
//! # Features only compile strategies in
//!
//! | feature | strategy | thread-safe | gives memory back |
//! |---|---|---|---|
//! | `ptmalloc` (on by default) | arenas and bins behind thread caches; also as `ptmalloc_classic` and `ptmalloc_modern`, with the habits of two eras of glibc | yes | yes |
//! | `libc` | the C library's allocator | yes | yes |
//! | `freelist` | bins of free blocks behind a cache for each thread | yes | yes |
//! | `mem_io` | first fit with checked headers over the program break, under one lock | yes | yes |
//! | `bump` | an arena that threads share | yes | no: for programs that end soon |
//!
//! Enabling one never changes what another does, so any two crates of a program may ask for different ones. When several
//! are compiled in, the default is the first of **`ptmalloc`, `libc`, `freelist`, `mem_io`, `bump`**: what is made for many threads goes
//! before what has one lock, speed before checks, and what reuses memory before what does not. Without any feature only
//! [`strategies`] and [`by_name`] are left, which then know no name.
//!
//! # Not for
//!
//! `mem_io` in programs with threads that call the C library's allocator: both move the program break, and there is no
//! lock that both take. It is there to be studied and compared.
//!
//! Libraries: only the program that is finally run should declare a `#[global_allocator]`.

#[cfg(feature = "_some")]
mod chosen;
#[cfg(feature = "_some")]
mod default;
mod names;

#[cfg(feature = "_some")]
pub use chosen::{Chosen, VARIABLE};
#[cfg(feature = "_some")]
pub use default::{DefaultStrategy, Strata};
pub use names::{Named, UnknownStrategy, by_name, strategies};

#[cfg(all(doctest, feature = "_some"))]
#[doc = include_str!("../README.md")]
struct Readme;
