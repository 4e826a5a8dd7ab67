//! The system's allocator and Strata's strategies.

use std::alloc::System;
use std::ptr::NonNull;

use alloc_bump::SyncBump;
use alloc_core::compat::FromGlobal;
use alloc_core::{Handle, Inspect, Libc, Ownership};

use super::{Entry, Proof};
use crate::glibc;

static SYSTEM: FromGlobal<System> = FromGlobal::new("system", System);
static LIBC: Libc = Libc;
static BUMP: SyncBump = SyncBump::new();

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn bump_owns(block: NonNull<u8>, _size: usize) -> bool {
    BUMP.owns(block) == Ownership::Mine
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
        open: || Handle::new_sized(&LIBC),
        reuses: true,
        proof: Proof::CLibrary,
    },
    Entry {
        name: "bump",
        about: "a shared arena that never takes memory back",
        version: own_version,
        open: || Handle::new(&BUMP),
        reuses: false,
        proof: Proof::Own { asked: "owns", owns: bump_owns },
    },
];

/// The handle of `system`, which serves until another one is chosen.
pub(super) const fn system() -> Handle<'static> {
    Handle::new(&SYSTEM)
}
