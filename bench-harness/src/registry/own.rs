//! The system's allocator and Strata's strategies.

use std::alloc::System;
use std::ptr::NonNull;

use alloc_core::compat::FromGlobal;
use alloc_core::{Handle, Inspect, Ownership};

use super::{Entry, Proof};
use crate::glibc;

static SYSTEM: FromGlobal<System> = FromGlobal::new("system", System);

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The strategy of that name, of those that users choose from.
fn strategy(name: &str) -> Handle<'static> {
    // Names and features are both fixed in this build: a null handle would fail the first request of a test.
    alloc_select::by_name(name).unwrap_or(Handle::null())
}

/// An entry for a strategy of ours that has memory of its own.
macro_rules! own {
    ($name:literal, $about:literal, reuses: $reuses:literal) => {
        Entry {
            name: $name,
            about: $about,
            version: own_version,
            open: || strategy($name),
            reuses: $reuses,
            proof: Proof::Own {
                asked: "owns",
                owns: |block: NonNull<u8>, _size| strategy($name).owns(block) == Ownership::Mine,
            },
        }
    };
}

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        name: "system",
        about: "the C library's allocator, as Rust's std calls it",
        version: glibc::version,
        open: system,
        reuses: true,
        proof: Proof::CLibrary,
    },
    Entry {
        name: "libc",
        about: "the C library's allocator behind Strata's trait",
        version: glibc::version,
        open: || strategy("libc"),
        reuses: true,
        proof: Proof::CLibrary,
    },
    own!("ptmalloc", "arenas, bins and boundary tags behind a thread cache that trades in magazines", reuses: true),
    own!("ptmalloc_modern", "the same heap with the habits of glibc 2.43", reuses: true),
    own!("ptmalloc_classic", "the same heap with the habits of glibc up to 2.41", reuses: true),
    own!("freelist", "bins of free blocks behind a cache for each thread", reuses: true),
    own!("mem_io", "first fit with checked headers over the program break, under one lock", reuses: true),
    own!("bump", "a shared arena that never takes memory back", reuses: false),
];

/// The handle of `system`, which serves until another one is chosen.
pub(super) const fn system() -> Handle<'static> {
    Handle::new(&SYSTEM)
}
