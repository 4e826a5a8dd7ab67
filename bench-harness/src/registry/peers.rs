//! Other allocators, each behind a Cargo feature of its own name, with their functions under their own prefixes: none
//! replaces `malloc`, so that `system` stays the C library in the same binary.

use super::Entry;

pub(super) static ENTRIES: &[Entry] = &[
    #[cfg(feature = "mimalloc")]
    mimalloc::ENTRY,
    #[cfg(feature = "jemalloc")]
    jemalloc::ENTRY,
    #[cfg(feature = "snmalloc")]
    snmalloc::ENTRY,
    #[cfg(feature = "rpmalloc")]
    rpmalloc::ENTRY,
];

#[cfg(feature = "mimalloc")]
mod mimalloc;

#[cfg(feature = "jemalloc")]
mod jemalloc;

#[cfg(feature = "snmalloc")]
mod snmalloc;

#[cfg(feature = "rpmalloc")]
mod rpmalloc;
