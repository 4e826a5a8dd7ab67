//! Files that users give as input.

use std::fs;
use std::path::{Path, PathBuf};

use bench_harness::inputs::{load, shipped};
use bench_harness::workload::Inputs;

/// A file of this test run with the given content.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inputs");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let path = folder.join(name);
    fs::write(&path, content).expect("the target folder can be written");
    path
}

fn loaded(paths: &[PathBuf]) -> Inputs {
    load(paths).unwrap_or_else(|error| panic!("{error}"))
}

/// The message for a file, with its path shown as `PATH`.
fn error(path: &Path) -> String {
    let error = load(&[path.to_owned()]).expect_err("it cannot be loaded").to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&path.display().to_string(), "PATH")
}

#[test]
fn shipped_inputs_are_what_the_workloads_expect() {
    let inputs = shipped();
    assert!(
        serde_json::from_slice::<serde_json::Value>(inputs.json).is_ok_and(|document| document.is_object())
    );
    let patterns = std::str::from_utf8(inputs.patterns).expect("text");
    assert!(patterns.lines().count() > 100);
    for pattern in patterns.lines() {
        assert!(regex::bytes::Regex::new(pattern).is_ok(), "{pattern}");
    }
    assert!(inputs.lines.split(|byte| *byte == b'\n').count() > 2000);
    assert!(inputs.text.len() > 300_000);
}

#[test]
fn a_document_takes_the_place_of_the_document_alone() {
    for name in ["mine.json", "mine.JSON", "mine.geo", "mine"] {
        let content = br#" {"a": ["b", 1, null]}"#;
        let inputs = loaded(&[file(name, content)]);
        assert_eq!(inputs.json, content);
        assert_eq!(inputs.text, shipped().text);
        assert_eq!(inputs.lines, shipped().lines);
        assert_eq!(inputs.patterns, shipped().patterns);
    }
}

#[test]
fn any_other_file_takes_the_place_of_text_and_lines() {
    for content in [&b"words, words"[..], b"[section]\nkey = 1\n", b"42", b"{ \xFF", b"\0"] {
        let inputs = loaded(&[file("mine.txt", content)]);
        assert_eq!(inputs.text, content);
        assert_eq!(inputs.lines, content);
        assert_eq!(inputs.json, shipped().json);
    }
}

#[test]
fn a_scalar_named_json_is_a_document() {
    assert_eq!(loaded(&[file("scalar.json", b"42")]).json, b"42");
}

#[test]
fn several_files_each_take_their_place_and_the_last_of_a_kind_counts() {
    let paths = [file("1.txt", b"first"), file("2.json", b"[1]"), file("3.txt", b"second")];
    let inputs = loaded(&paths);
    assert_eq!((inputs.json, inputs.text, inputs.lines), (&b"[1]"[..], &b"second"[..], &b"second"[..]));
}

#[test]
fn input_stays_readable_when_the_file_is_gone() {
    let path = file("gone.txt", b"still here");
    let inputs = loaded(std::slice::from_ref(&path));
    fs::remove_file(path).expect("it was there");
    assert_eq!(inputs.text, b"still here");
}

#[test]
fn what_cannot_be_used_is_named_with_the_reason() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no such file");
    assert_eq!(error(&missing), "cannot read input 'PATH': No such file or directory (os error 2)");
    let under = file("plain", b"x").join("below");
    assert_eq!(error(&under), "cannot read input 'PATH': Not a directory (os error 20)");
    assert_eq!(error(&file("empty.json", b"")), "input 'PATH' is empty");
    assert_eq!(error(Path::new(env!("CARGO_TARGET_TMPDIR"))), "input 'PATH' is a directory; give a file");
    assert_eq!(error(Path::new("/dev/null")), "input 'PATH' is a pipe or a device; give a regular file");
}

#[test]
fn a_broken_document_is_named_with_line_and_column() {
    for (content, reason) in [
        (&b"{\"a\": 1,\n"[..], "EOF while parsing a value at line 2 column 0"),
        (b"{\n  \"a\" 1\n}", "expected `:` at line 2 column 7"),
        (b"[1] [2]", "trailing characters at line 1 column 5"),
        (b"[1e999]", "number out of range at line 1 column 6"),
        (b"[\"\xFF\"]", "invalid unicode code point at line 1 column 3"),
        (&b"[".repeat(1000), "recursion limit exceeded at line 1 column 128"),
    ] {
        let expected = format!("input 'PATH' is not valid JSON: {reason}");
        assert_eq!(error(&file("broken.json", content)), expected);
    }
}
