//! Looking in from C: what `include/strata/strata.h` declares beside handles. Answers are 0, or an error number.

use core::ffi::{c_int, c_void};

use alloc_core::errno::KeepErrno;
use alloc_trace::TRACER;
use alloc_trace::out::Refused;
use alloc_trace::tracer::{Form, draw_on};

use crate::registry::Served;
use crate::{boot, tracing};

fn answer(tell: impl FnOnce(&'static Served) -> Result<(), Refused>) -> c_int {
    let _errno = KeepErrno::new();
    let Some(served) = boot::active() else { return libc::EAGAIN };
    match tell(served) {
        Ok(()) => 0,
        Err(Refused(number)) => number,
    }
}

/// Writes to a descriptor what is known of an address: zone, block, neighbours, what happened to it as far as the history
/// remembers (`STRATA_HISTORY`), and the memory around it.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_explain(address: *const c_void, descriptor: c_int) -> c_int {
    answer(|served| TRACER.explain(&served.handle, address.addr(), descriptor))
}

/// Writes to a descriptor the events that the history remembers, of the blocks that contained an address, or for null, of
/// all. `ENODATA` where no history is kept.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_history(address: *const c_void, descriptor: c_int) -> c_int {
    answer(|_| TRACER.tell_history((!address.is_null()).then(|| address.addr()), descriptor))
}

/// Writes to a descriptor what is live by the stack that allocated it. `ENODATA` where `STRATA_TRACE` does not count by stack.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_leaks(descriptor: c_int) -> c_int {
    answer(|_| TRACER.tell_leaks(descriptor))
}

/// Draws the heap on a descriptor: 0 as text, 1 as SVG, 2 as a page. `EINVAL` for other forms.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_map(form: c_int, descriptor: c_int) -> c_int {
    let form = match form {
        0 => Form::Text,
        1 => Form::Svg,
        2 => Form::Html,
        _ => return libc::EINVAL,
    };
    answer(|served| draw_on(&served.handle, form, descriptor))
}

/// Ends tracing as the end of the process would: for programs that end by `_exit`, and before one replaces itself.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn strata_finish() {
    if let Some(served) = boot::active() {
        tracing::end(&served.handle);
    }
}
