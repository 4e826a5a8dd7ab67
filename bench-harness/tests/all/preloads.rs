//! Rows that preload a library: it is shown to serve, or the cell fails, or the command is refused.

use bench_harness::schema::Status;

use crate::made::{FORWARDS, shared, strata_library};
use crate::program::{Folder, cell, small_matrix_with, strata};

/// A whole allocator, of the simplest kind: nothing is ever freed.
const ARENA: &str = r#"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
static char *next, *end;
static int busy;
static void *take(size_t align, size_t size) {
  while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {}
  size_t need = size + align + 32;
  if ((size_t)(end - next) < need) {
    size_t step = need > (64 << 20) ? need : 64 << 20;
    next = mmap(0, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    end = next + step;
  }
  char *block = (char *)(((size_t)next + 16 + align - 1) / align * align);
  ((size_t *)block)[-1] = size;
  next = block + size;
  __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
  return block;
}
void *malloc(size_t n) { return take(16, n); }
void free(void *p) { (void)p; }
void *calloc(size_t a, size_t b) { return memset(take(16, a * b), 0, a * b); }
void *realloc(void *p, size_t n) {
  void *q = take(16, n);
  if (p) { size_t old = ((size_t *)p)[-1]; memcpy(q, p, old < n ? old : n); }
  return q;
}
void *memalign(size_t a, size_t n) { return take(a < 16 ? 16 : a, n); }
void *aligned_alloc(size_t a, size_t n) { return memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { *p = memalign(a, n); return 0; }
"#;

/// Only a part of the functions.
const PART: &str =
    "#include <stddef.h>\nvoid *__libc_malloc(size_t);\nvoid *malloc(size_t n) { return __libc_malloc(n); }";

#[test]
fn libraries_and_our_own_strategies_are_rows_beside_the_others() {
    let folder = Folder::new();
    let arena = format!("arena={}", shared(&folder, "libarena.so", ARENA));
    let flags = [
        "--strategies",
        "bump",
        "--preload",
        &arena,
        "--preload",
        "strata:freelist",
        "--preload",
        "old=strata:libc",
    ];
    let (run, matrix, _output) = small_matrix_with(&flags, &[("STRATA_LIBRARY", strata_library())]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let names: Vec<&str> = matrix.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    assert_eq!(names, ["system", "system-again", "bump", "arena", "strata:freelist", "old"]);
    let proof = |name| cell(&matrix, name).proof.as_str();
    assert_eq!(
        proof("arena"),
        "the loader resolves malloc and free in it, and the C library's counters stood still"
    );
    assert_eq!(
        proof("strata:freelist"),
        "the loader resolves malloc and free in it, it says that freelist serves, and the C library's counters stood still"
    );
    assert_eq!(
        proof("old"),
        "the loader resolves malloc and free in it, it says that libc serves, and the C library's counters moved with every block"
    );
    assert!(matrix.cells.iter().all(|cell| cell.checksum == matrix.cells[0].checksum));
    let library = matrix.machine.allocators.iter().find(|name| name.starts_with("arena "));
    assert!(library.is_some_and(|name| name.ends_with("/libarena.so")), "{:?}", matrix.machine.allocators);
}

#[test]
fn a_library_can_be_the_baseline() {
    let folder = Folder::new();
    let arena = format!("arena={}", shared(&folder, "libarena.so", ARENA));
    let flags = ["--strategies", "system", "--preload", &arena, "--baseline", "arena"];
    let (run, matrix, _output) = small_matrix_with(&flags, &[]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let names: Vec<&str> = matrix.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    assert_eq!((matrix.baseline.as_str(), names), ("arena", vec!["arena", "arena-again", "system"]));
}

#[test]
fn a_library_that_does_not_serve_fails() {
    let folder = Folder::new();
    let forwards = shared(&folder, "libforwards.so", FORWARDS);
    let part = shared(&folder, "libpart.so", PART);
    let (one, other) = (format!("forwards={forwards}"), format!("part={part}"));
    let flags = ["--strategies", "system", "--preload", &one, "--preload", &other];
    let (run, matrix, _output) = small_matrix_with(&flags, &[]);
    assert_eq!(run.status, 1, "{}", run.errors);
    let reason = |name| {
        let cell = cell(&matrix, name);
        assert_eq!((cell.status, cell.ns_per_op), (Status::Failed, None));
        cell.reason.as_str()
    };
    let said = reason("forwards");
    assert!(
        said.starts_with("allocator not proved: a block of 40000 bytes came from the C library's own allocator, whose counters moved by "),
        "{said}"
    );
    let said = reason("part");
    assert!(said.starts_with("allocator not proved: calloc is resolved in /"), "{said}");
    assert!(said.ends_with(&format!(", not in {part}")), "{said}");
    assert_eq!(cell(&matrix, "system").status, Status::Ok);
}

#[test]
fn a_library_that_the_loader_cannot_load_fails_with_what_the_loader_says() {
    let folder = Folder::new();
    shared(&folder, "libgone.so", "int gone(void) { return 1; }");
    let needs = format!("{ARENA}\nint gone(void);\nint uses(void) {{ return gone(); }}");
    let file = crate::made::compiled(
        &folder,
        "libneeds.so",
        &needs,
        &["-shared", "-fPIC", &format!("-L{}", folder.text()), "-lgone"],
    );
    std::fs::remove_file(folder.path().join("libgone.so")).unwrap();
    let flag = format!("needs={}", file.display());
    let (run, matrix, _output) = small_matrix_with(&["--strategies", "system", "--preload", &flag], &[]);
    assert_eq!(run.status, 1, "{}", run.errors);
    assert_eq!(
        cell(&matrix, "needs").reason,
        "exit status 127: error while loading shared libraries: libgone.so: cannot open shared object file: No such file or directory"
    );
}

#[test]
fn what_cannot_be_preloaded_is_refused() {
    let folder = Folder::new();
    let none = shared(&folder, "libnone.so", "int nothing;");
    let text = folder.path().join("text.so");
    std::fs::write(&text, "text").unwrap();
    let mut other = std::fs::read(&none).unwrap();
    other[18] ^= 0x55;
    let machine = folder.path().join("machine.so");
    std::fs::write(&machine, other).unwrap();
    for (path, reason) in [
        ("/no/such/library.so", "No such file or directory (os error 2)"),
        (text.to_str().unwrap(), "it is no ELF shared object"),
        ("/bin/true", "it is no ELF shared object"),
        (machine.to_str().unwrap(), "it is made for another kind of processor"),
        (none.as_str(), "it defines no malloc"),
    ] {
        let flag = format!("x={path}");
        let run = strata(&["matrix", "--quick", "--preload", &flag], &[("STRATA_TEST_ALLOW_DEBUG", "1")]);
        assert_eq!(run.refusal(), format!("cannot preload {path}: {reason}"));
    }
}
