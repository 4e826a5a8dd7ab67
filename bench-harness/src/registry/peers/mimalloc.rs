//! mimalloc, version 3 of its three lines of development.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use alloc_core::Handle;
use alloc_core::compat::FromGlobal;
use mimalloc::MiMalloc;

use crate::registry::{Entry, Proof};

// From mimalloc.h.
unsafe extern "C" {
    safe fn mi_version() -> c_int;
    fn mi_is_in_heap_region(address: *const c_void) -> bool;
}

static MIMALLOC: FromGlobal<MiMalloc> = FromGlobal::new("mimalloc", MiMalloc);

/// The number 30302 is version 3.3.2.
fn version() -> String {
    let number = mi_version();
    format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
}

fn owns(block: NonNull<u8>, _size: usize) -> bool {
    // SAFETY: any address may be asked for.
    unsafe { mi_is_in_heap_region(block.as_ptr().cast()) }
}

pub(super) const ENTRY: Entry = Entry {
    name: "mimalloc",
    about: "mimalloc of Microsoft Research, line v3",
    version,
    open: || Handle::new(&MIMALLOC),
    reuses: true,
    proof: Proof::Own { asked: "mi_is_in_heap_region", owns },
};
