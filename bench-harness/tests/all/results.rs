//! What a run writes.

use std::collections::BTreeSet;

use bench_harness::registry;
use bench_harness::schema::{Matrix, SCHEMA, Status};
use serde_json::Value;

use crate::program::{Folder, cell, small_matrix, strata};

#[test]
fn the_files_and_the_shape_of_the_json() {
    let (run, _, folder) = small_matrix(&["--strategies", "libc,bump", "--rounds", "2", "--json"], "");
    assert_eq!(run.status, 0, "{}", run.errors);
    for name in ["matrix.json", "matrix.csv", "matrix.md", "index.html"] {
        assert!(folder.path().join(name).metadata().unwrap().len() > 0, "{name}");
    }
    let file = std::fs::read_to_string(folder.path().join("matrix.json")).unwrap();
    assert_eq!(run.output, file, "--json prints the file and nothing else");

    let json: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["baseline"], "system");
    assert_eq!(json["mode"], "quick");
    assert!(json["machine"]["cores"].as_u64().unwrap() >= 1);
    assert!(json["command"].as_str().unwrap().starts_with("cargo matrix --quick --only churn "));
    assert_eq!(json["workloads"][0]["name"], "churn");
    let cells = json["cells"].as_array().unwrap();
    let names: Vec<&str> = cells.iter().map(|cell| cell["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["system", "system-again", "libc", "bump"]);
    for cell in cells {
        assert_eq!((&cell["workload"], &cell["threads"]), (&Value::from("churn"), &Value::from(2)));
        assert_eq!((&cell["status"], &cell["reason"]), (&Value::from("ok"), &Value::from("")));
        assert_eq!(cell["rounds"], 2);
        for interval in ["ns_per_op", "ratio"] {
            let bound = |name| cell[interval][name].as_f64().unwrap();
            assert!(0.0 < bound("lo") && bound("lo") <= bound("median") && bound("median") <= bound("hi"));
        }
        assert!(cell["peak_rss_kib"].as_u64().unwrap() > 0);
        assert!(cell["minor_faults"].as_u64().unwrap() > 0);
        assert_eq!(cell["checksum"].as_str().unwrap().len(), 16);
        assert!(!cell["timeline"].as_array().unwrap().is_empty());
        assert!(cell["timeline"][0]["rss_kib"].as_u64().unwrap() > 0);
    }
    assert_eq!(cells[0]["ratio"]["median"], 1.0);
}

#[test]
fn every_strategy_proves_itself_and_gives_the_same_answer() {
    let (run, matrix, _folder) = small_matrix(&[], "");
    assert_eq!(run.status, 0, "{}", run.errors);
    let answers: BTreeSet<&str> = matrix.cells.iter().map(|cell| cell.checksum.as_str()).collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(matrix.cells.len(), registry::names().len() + 1);
    for entry in registry::all() {
        let cell = cell(&matrix, entry.name);
        assert_eq!(cell.status, Status::Ok, "{}: {}", entry.name, cell.reason);
        let own = cell.proof.contains("claimed every block");
        let shared = cell.proof.contains("the C library's counters moved with every block");
        assert!(own || shared, "{}: {}", entry.name, cell.proof);
        assert_eq!(shared, matches!(entry.name, "system" | "libc"), "{}: {}", entry.name, cell.proof);
    }
}

#[test]
fn another_baseline_has_its_own_again_row() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "system", "--baseline", "libc"], "");
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(matrix.baseline, "libc");
    let names: Vec<&str> = matrix.cells.iter().map(|cell| cell.strategy.as_str()).collect();
    assert_eq!(names, ["libc", "libc-again", "system"]);
}

#[test]
fn few_rounds_are_warned_of() {
    let (_, matrix, _folder) = small_matrix(&["--strategies", "libc"], "");
    assert!(matrix.notes.iter().any(|note| note.starts_with("With 1 round ")), "{:?}", matrix.notes);
    assert_eq!(
        cfg!(debug_assertions),
        matrix.notes.iter().any(|note| note.starts_with("This is a debug build"))
    );
}

#[test]
fn input_of_the_users_own_is_worked_on() {
    let answers = [r#"{"a":[1,2,3]}"#, r#"{"a":[1,2,4]}"#].map(|document| {
        let folder = Folder::new();
        let file = folder.path().join("own.json");
        std::fs::write(&file, document).unwrap();
        let mut arguments = "matrix --quick --only json --threads 1 --rounds 1 --strategies libc --json"
            .split(' ')
            .collect::<Vec<_>>();
        arguments.extend(["--input", file.to_str().unwrap(), "--output", folder.text()]);
        let run = strata(&arguments, &[("STRATA_TEST_ALLOW_DEBUG", "1")]);
        assert_eq!(run.status, 0, "{}", run.errors);
        let matrix: Matrix = serde_json::from_str(&run.output).unwrap();
        cell(&matrix, "libc").checksum.clone()
    });
    assert_ne!(answers[0], answers[1]);
}

#[test]
fn the_table_goes_to_standard_output_and_progress_does_not() {
    let (run, _, folder) = small_matrix(&["--strategies", "libc"], "");
    assert!(run.output.contains("churn") && run.output.contains("libc"), "{}", run.output);
    assert!(!run.output.contains("round 1 took"));
    assert!(run.errors.contains("round 1 took"), "{}", run.errors);
    assert!(run.errors.contains(folder.text()), "{}", run.errors);
    assert!(!run.output.contains('\x1b') && !run.errors.contains('\x1b'));
}
