//! jemalloc, through the crate that TiKV maintains.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

use alloc_core::Handle;
use alloc_core::compat::FromGlobal;
use tikv_jemallocator::Jemalloc;

use crate::registry::{Entry, Proof};

// From jemalloc.h, under the crate's prefix.
unsafe extern "C" {
    #[link_name = "_rjem_mallctl"]
    fn mallctl(
        name: *const c_char,
        old: *mut c_void,
        old_length: *mut usize,
        new: *mut c_void,
        new_length: usize,
    ) -> c_int;
}

static JEMALLOC: FromGlobal<Jemalloc> = FromGlobal::new("jemalloc", Jemalloc);

/// The part of `5.3.1-0-g81034ce1…` before the first dash.
fn version() -> String {
    let mut text: *const c_char = std::ptr::null();
    let mut length = size_of::<*const c_char>();
    // SAFETY: `version` is documented to write one `const char *`, for which there is room.
    let failed =
        unsafe { mallctl(c"version".as_ptr(), (&raw mut text).cast(), &raw mut length, null_mut(), 0) };
    if failed != 0 || text.is_null() {
        return "of unknown version".to_owned();
    }
    // SAFETY: on success the pointer is to a static string that a zero byte ends.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    text.split('-').next().unwrap_or_default().to_owned()
}

/// `arenas.lookup` finds the arena of any address that lies in one, and fails for all others.
fn owns(block: NonNull<u8>, _size: usize) -> bool {
    let mut address: *const c_void = block.as_ptr().cast();
    let mut arena: u32 = 0;
    let mut length = size_of::<u32>();
    // SAFETY: the name is documented to read one pointer and to write one `unsigned`; both are given with their sizes.
    let failed = unsafe {
        mallctl(
            c"arenas.lookup".as_ptr(),
            (&raw mut arena).cast(),
            &raw mut length,
            (&raw mut address).cast(),
            size_of::<*const c_void>(),
        )
    };
    failed == 0
}

pub(super) const ENTRY: Entry = Entry {
    name: "jemalloc",
    about: "jemalloc with its default settings",
    version,
    open: || Handle::new(&JEMALLOC),
    reuses: true,
    proof: Proof::Own { asked: "arenas.lookup", owns },
};
