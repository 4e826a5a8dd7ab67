//! A C program calls through a handle's table.

use alloc_core::handle::{RawField, RawLook, RawStep, VTable};
use alloc_core::{Handle, Stats};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::process::Command;

/// Compiles `tests/c/handle.c` with the C compiler and loads it.
fn load() -> *mut c_void {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c_handle_{}.so", std::process::id()));
    let status = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-shared", "-fPIC"])
        .arg(format!("-I{}", root.join("include").display()))
        .arg("-o")
        .arg(&library)
        .arg(root.join("tests/c/handle.c"))
        .status()
        .expect("a C compiler named `cc` is needed for this test");
    assert!(status.success(), "tests/c/handle.c does not compile");
    let path = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: the library has no constructors, and `path` ends with a zero byte.
    let loaded = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!loaded.is_null(), "the compiled library does not load");
    std::fs::remove_file(&library).unwrap();
    loaded
}

fn symbol(library: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: `library` is open, and `name` ends with a zero byte.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "no symbol {name:?}");
    found
}

fn size(library: *mut c_void, name: &CStr) -> usize {
    // SAFETY: all symbols asked for have this type in `handle.c`.
    let size = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> usize>(symbol(library, name)) };
    size()
}

#[test]
fn a_c_program_uses_a_strategy_through_its_handle() {
    let library = load();
    assert_eq!(size(library, c"size_of_handle"), size_of::<Handle<'_>>());
    assert_eq!(size(library, c"size_of_vtable"), size_of::<VTable>());
    assert_eq!(size(library, c"size_of_stats"), size_of::<Stats>());
    assert_eq!(size(library, c"size_of_step"), size_of::<RawStep>());
    assert_eq!(size(library, c"size_of_field"), size_of::<RawField>());
    assert_eq!(size(library, c"size_of_look"), size_of::<RawLook>());

    // SAFETY: `use_handle` has this type in `handle.c`, whose structure types have the sizes just compared.
    let use_handle = unsafe {
        std::mem::transmute::<*mut c_void, extern "C" fn(Handle<'static>, *const c_char) -> c_int>(symbol(
            library,
            c"use_handle",
        ))
    };
    assert_eq!(use_handle(Handle::libc(), c"libc".as_ptr()), 0, "the check at this line of handle.c failed");
}
