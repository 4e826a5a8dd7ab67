//! Libraries and programs that tests need, made on the spot.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::program::Folder;

/// Every function, and all of them the C library's under another name.
pub(crate) const FORWARDS: &str = r#"
#include <stddef.h>
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
void __libc_free(void *);
void *malloc(size_t n) { return __libc_malloc(n); }
void *calloc(size_t a, size_t b) { return __libc_calloc(a, b); }
void *realloc(void *p, size_t n) { return __libc_realloc(p, n); }
int posix_memalign(void **p, size_t a, size_t n) { *p = __libc_memalign(a, n); return 0; }
void free(void *p) { __libc_free(p); }
"#;

/// `libstrata.so`, as a debug build; or the one that `STRATA_LIBRARY` names.
pub(crate) fn strata_library() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Ok(path) = std::env::var("STRATA_LIBRARY") {
            return path;
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cabi");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--lib", "--package", "alloc-cabi", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../alloc-cabi/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo starts");
        assert!(status.success(), "libstrata.so does not build");
        target.join("debug/libstrata.so").to_str().expect("the folder's name is UTF-8").to_owned()
    })
}

/// Compiles a C source in a folder of the test's.
pub(crate) fn compiled(folder: &Folder, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let (file, result) = (folder.path().join(format!("{name}.c")), folder.path().join(name));
    std::fs::write(&file, source).expect("the test folder can be written");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-fno-builtin"]).arg(&file).args(arguments).arg("-o").arg(&result);
    assert!(compiler.status().expect("a C compiler").success(), "{name} does not compile");
    result
}

/// The same for a library; its path as text.
pub(crate) fn shared(folder: &Folder, name: &str, source: &str) -> String {
    let path = compiled(folder, name, source, &["-shared", "-fPIC"]);
    path.to_str().expect("the folder's name is UTF-8").to_owned()
}
