//! Misuse, in processes that it ends: one line that names it, and an abort.

use crate::support::{compile, run, under};
use std::os::unix::process::ExitStatusExt;

fn dies(strategy: &str, what: &str, check: &str) -> String {
    let program = compile("misuse.c", "misuse", &["-fno-builtin"]);
    let control = run(under(strategy, &program).arg("none").env("STRATA_CHECK", check));
    assert!(control.status.success(), "{strategy}: the control fails: {control:?}");
    let output = run(under(strategy, &program).arg(what).env("STRATA_CHECK", check));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{strategy}, {what}: {} {said}", output.status);
    assert_eq!(said.lines().count(), 1, "{said}");
    // `strata: STRATEGY: KIND at ADDRESS: EXPLANATION`
    let (kind, _) =
        said.strip_prefix(&format!("strata: {strategy}: ")).unwrap().split_once(" at 0x").unwrap();
    kind.to_string()
}

#[test]
fn double_frees_stop_the_program() {
    for strategy in ["ptmalloc", "freelist", "mem_io", "bump"] {
        assert_eq!(dies(strategy, "double", "1"), "double free");
        assert_eq!(dies(strategy, "interleaved", "1"), "double free");
    }
}

#[test]
fn pointers_that_are_no_blocks_stop_the_program() {
    for strategy in ["freelist", "mem_io"] {
        assert_eq!(dies(strategy, "stack", "1"), "foreign pointer");
        assert_eq!(dies(strategy, "misaligned", "1"), "misaligned pointer");
        assert_eq!(dies(strategy, "interior", "1"), "interior pointer");
    }
    assert_eq!(dies("ptmalloc", "stack", "1"), "foreign pointer");
    assert_eq!(dies("ptmalloc", "misaligned", "1"), "misaligned pointer");
    assert_eq!(dies("bump", "misaligned", "1"), "misaligned pointer");
    assert_eq!(dies("bump", "interior", "1"), "corrupted header");
}

#[test]
fn a_wrong_size_stops_the_program_where_checks_are_high() {
    for strategy in ["ptmalloc", "freelist", "mem_io", "bump", "libc"] {
        assert_eq!(dies(strategy, "sized", "2"), "layout mismatch");
    }
}
