//! The environment of the process, read where it lies.

use core::ffi::{CStr, c_char};
use core::ptr;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether the process runs with more rights than who started it, so that its environment must not be trusted.
pub(crate) fn is_secure() -> bool {
    // SAFETY: a query without effect.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The array of the environment's strings, or null where it cannot be found.
fn array() -> *const *const c_char {
    // SAFETY: the C library's variable, which nothing changes while the first allocation of the process is made.
    let known = unsafe { environ };
    if !known.is_null() {
        return known;
    }
    // A program's own initialisers (`.preinit_array`) run before the C library has set the variable. What the kernel laid
    // out is above the first stack frame, whose address glibc's loader keeps: a count of arguments, as many pointers and
    // a null, then the environment.
    // SAFETY: the name ends with a zero byte.
    let stack_end = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr()) };
    if stack_end.is_null() {
        return ptr::null();
    }
    // SAFETY: the loader's variable holds an address.
    let first: *const usize = unsafe { stack_end.cast::<*const usize>().read() };
    if first.is_null() {
        return ptr::null();
    }
    // SAFETY: the count is the first word.
    let arguments = unsafe { first.read() };
    // SAFETY: laid out as above.
    unsafe { first.add(1 + arguments + 1) }.cast()
}

/// The strings of the environment.
///
/// # Safety
/// Nothing changes the environment while the iterator is in use; the strings stay valid until the program changes them.
pub(crate) unsafe fn entries() -> impl Iterator<Item = &'static [u8]> {
    let mut next = array();
    core::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the array ends with a null pointer, which is not passed.
        let entry = unsafe { next.read() };
        if entry.is_null() {
            return None;
        }
        // SAFETY: as above.
        next = unsafe { next.add(1) };
        // SAFETY: entries are strings that end with a zero byte.
        Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
    })
}
