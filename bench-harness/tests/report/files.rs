//! What is written, and what happens when it cannot be.

use std::fs;
use std::path::{Path, PathBuf};

use bench_harness::report::{Written, write_all};

use super::sample;

fn fresh(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    if dir.is_dir() {
        fs::remove_dir_all(&dir).expect("an old test folder can be removed");
    } else if dir.exists() {
        fs::remove_file(&dir).expect("an old test file can be removed");
    }
    dir
}

#[test]
fn all_four_are_written_into_a_new_folder_and_nothing_else_stays() {
    let dir = fresh("all").join("deep").join("er");
    let written = write_all(&sample::matrix(), &dir).expect("the folder can be made");
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["index.html", "matrix.csv", "matrix.json", "matrix.md"]);
    assert!(written.paths().iter().all(|path| path.starts_with(&dir) && path.is_file()));
    let expected = Written {
        json: dir.join("matrix.json"),
        csv: dir.join("matrix.csv"),
        markdown: dir.join("matrix.md"),
        html: dir.join("index.html"),
    };
    assert_eq!(written, expected);
}

/// A reader that opened the old file goes on reading the old file, whole.
#[cfg(unix)]
#[test]
fn an_old_report_is_replaced_not_overwritten() {
    use std::io::Read;

    let dir = fresh("replace");
    fs::create_dir_all(&dir).unwrap();
    let old = "old ".repeat(100_000);
    fs::write(dir.join("matrix.json"), &old).unwrap();
    let mut reader = fs::File::open(dir.join("matrix.json")).unwrap();
    let mut start = [0; 4];
    reader.read_exact(&mut start).unwrap();
    write_all(&sample::matrix(), &dir).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, old[4..]);
    assert!(fs::read_to_string(dir.join("matrix.json")).unwrap().starts_with("{\n\"schema\": 2"));
}

#[test]
fn a_failed_write_keeps_what_was_there_and_leaves_no_temporary_file() {
    let dir = fresh("blocked");
    // A folder with a file in it stands where a report file should go: renaming onto it fails.
    fs::create_dir_all(dir.join("matrix.csv").join("x")).unwrap();
    let error = write_all(&sample::matrix(), &dir).expect_err("a folder cannot be replaced by a file");
    assert_eq!(error.path(), dir.join("matrix.csv"));
    assert!(dir.join("matrix.csv").join("x").is_dir());
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["matrix.csv", "matrix.json"], "the file before the failure stays, temporary files go");
}

#[test]
fn a_folder_that_cannot_be_written_is_one_line_with_file_and_reason() {
    let dir = fresh("file");
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    // A file where a folder is needed refuses root too.
    fs::write(&dir, "a file").unwrap();
    let inside = dir.join("strata");
    let error = write_all(&sample::matrix(), &inside).expect_err("a file holds no folder");
    let text = error.to_string();
    let source = std::error::Error::source(&error).expect("the reason").to_string();
    assert_eq!(text, format!("cannot write the report file {}: {source}", inside.display()));
    assert_eq!(text.lines().count(), 1);
    assert!(!source.is_empty());
    assert_eq!(fs::read_to_string(&dir).unwrap(), "a file");
}
