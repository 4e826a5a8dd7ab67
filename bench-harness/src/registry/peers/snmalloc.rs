//! snmalloc, built by the C++ compiler alone (its other way of building needs CMake).

use std::ffi::c_void;
use std::ptr::NonNull;

use alloc_core::Handle;
use alloc_core::compat::FromGlobal;
use snmalloc_rs::SnMalloc;

use crate::registry::{Entry, Proof};

// From snmalloc's override/rust.cc.
unsafe extern "C" {
    fn sn_rust_usable_size(address: *const c_void) -> usize;
}

static SNMALLOC: FromGlobal<SnMalloc> = FromGlobal::new("snmalloc", SnMalloc);

/// snmalloc does not tell its version; this is the crate's, which follows it.
fn version() -> String {
    "0.7.6".to_owned()
}

/// snmalloc finds the size of a block in a map over all addresses, where memory that is not its own has size 0.
fn owns(block: NonNull<u8>, size: usize) -> bool {
    // SAFETY: the lookup reads the map's entry for the address, which exists for every address, and not the block.
    unsafe { sn_rust_usable_size(block.as_ptr().cast()) >= size }
}

pub(super) const ENTRY: Entry = Entry {
    name: "snmalloc",
    about: "snmalloc of Microsoft Research",
    version,
    open: || Handle::new(&SNMALLOC),
    reuses: true,
    proof: Proof::Own { asked: "sn_rust_usable_size", owns },
};
