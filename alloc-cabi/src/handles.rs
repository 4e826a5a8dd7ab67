//! Handles for C: the functions of `include/strata/strata.h`.

use core::ffi::{CStr, c_char, c_int};

use alloc_core::Handle;

use crate::boot;
use crate::registry;
use crate::settings::Choice;

/// The strategy that serves this process. The null handle while it is being chosen.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_active() -> Handle<'static> {
    boot::active().map_or_else(Handle::null, |served| served.handle.handle())
}

/// The strategy of this name in this process, whichever serves `malloc`; the null handle where there is none. The one that
/// serves `malloc` is [`strata_active`], with all that lies over it.
///
/// # Safety
/// `name` is null or ends with a zero byte.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn strata_named(name: *const c_char) -> Handle<'static> {
    if name.is_null() {
        return Handle::null();
    }
    // SAFETY: promised by the caller.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    Choice::ALL
        .into_iter()
        .find(|choice| choice.name().as_bytes() == name)
        .and_then(|choice| match boot::active() {
            Some(served) if served.choice == choice => Some(served),
            _ => registry::find(choice, boot::check(), boot::on_fault()),
        })
        .map_or_else(Handle::null, |served| served.handle.handle())
}

/// The handle without a strategy: every request fails.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_null() -> Handle<'static> {
    Handle::null()
}

/// Whether a handle is the null handle: 1 or 0.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_is_null(handle: Handle<'static>) -> c_int {
    c_int::from(handle.is_null())
}

/// The library's version, as `0.1.0`. Ends with a zero byte.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
