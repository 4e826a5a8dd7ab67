//! Commands that cannot be carried out: one line, status 2, nothing measured.

use crate::program::{Folder, strata};

const ALLOW: &[(&str, &str)] = &[("STRATA_TEST_ALLOW_DEBUG", "1")];

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    strata(arguments, ALLOW).refusal().to_owned()
}

#[test]
fn an_unknown_flag() {
    let line = refused(&["matrix", "--qick"]);
    assert!(line.starts_with("unexpected argument '--qick' found"), "{line}");
    assert!(line.contains("'--quick'"), "{line}");
}

#[test]
fn no_verb_or_an_unknown_one() {
    assert!(refused(&["matrixx"]).contains("'matrixx'"));
    assert_eq!(refused(&[]), "a verb is missing: `matrix` or `doctor`; `--help` shows all");
}

#[test]
fn a_count_that_is_none() {
    assert!(refused(&["matrix", "--threads", "two"]).contains("'two'"));
    assert!(refused(&["matrix", "--threads", "0"]).contains("'0'"));
    assert!(refused(&["matrix", "--rounds", "0"]).contains("'0'"));
}

#[test]
fn an_unknown_workload() {
    assert_eq!(
        refused(&["matrix", "--only", "chrun"]),
        "unknown workload `chrun`; did you mean `churn`? `--list` shows all"
    );
}

#[test]
fn an_unknown_strategy() {
    assert_eq!(
        refused(&["matrix", "--strategies", "libc,bumpp"]),
        "unknown strategy `bumpp`; did you mean `bump`? `--list` shows all"
    );
}

#[test]
fn an_unknown_baseline() {
    assert_eq!(
        refused(&["matrix", "--baseline", "sytem"]),
        "unknown baseline `sytem`; did you mean `system`? `--list` shows all"
    );
}

#[test]
fn an_unknown_feature() {
    assert_eq!(
        refused(&["matrix", "--features", "peer"]),
        "unknown feature `peer`; did you mean `peers`? `--list` shows all"
    );
}

#[cfg(not(feature = "mimalloc"))]
#[test]
fn a_peer_that_is_not_in_this_build() {
    let line = "`mimalloc` is not in this build; add `--features mimalloc`, or `--features peers` for all";
    assert_eq!(refused(&["matrix", "--strategies", "mimalloc"]), line);
    assert_eq!(refused(&["matrix", "--baseline", "mimalloc"]), line);
}

#[test]
fn an_input_that_is_not_there() {
    let line = refused(&["matrix", "--quick", "--input", "/no/such/file.json"]);
    assert!(line.contains("/no/such/file.json"), "{line}");
}

#[test]
fn an_input_that_is_a_folder() {
    let folder = Folder::new();
    let line = refused(&["matrix", "--quick", "--input", folder.text()]);
    assert!(line.contains(folder.text()), "{line}");
}

#[test]
fn an_output_folder_that_is_a_file() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let below = file.join("below");
    for path in [&file, &below] {
        let line = refused(&["matrix", "--quick", "--output", path.to_str().unwrap()]);
        assert!(line.starts_with("cannot write to the output folder "), "{line}");
        assert!(line.contains(path.to_str().unwrap()), "{line}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "in the way");
}

#[cfg(debug_assertions)]
#[test]
fn a_debug_build_refuses_to_print_numbers() {
    let folder = Folder::new();
    let run = strata(&["matrix", "--quick", "--output", folder.text()], &[]);
    assert_eq!(
        run.refusal(),
        "a debug build prints no numbers, because they would mean nothing; use `cargo matrix`"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
