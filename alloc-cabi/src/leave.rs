//! `_exit` and `_Exit`: a program that ends so, as dash does, runs no handlers, and its traces would lack what is written at the end.
//!
//! POSIX lets them be called from signal handlers and in the child of a `vfork`. What the tracer does there, and what it does not, says
//! [`Tracer::finish_in_a_hurry`](alloc_trace::Tracer::finish_in_a_hurry). While nothing is traced, this is the system call.

use core::ffi::c_int;

use crate::tracing;

fn leave(status: c_int) -> ! {
    tracing::end_in_a_hurry();
    loop {
        // SAFETY: ends the process, with all its threads, as the C library's own does. It does not come back.
        unsafe { libc::syscall(libc::SYS_exit_group, status) };
    }
}

/// `_exit`
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn _exit(status: c_int) -> ! {
    leave(status)
}

/// `_Exit`
#[allow(non_snake_case, reason = "the name of C's function; not a lint where it is exported")]
#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn _Exit(status: c_int) -> ! {
    leave(status)
}
