//! Cells that fail: each is shown as failed with its reason, all others keep their results, and the status is 1.

use bench_harness::schema::{Matrix, Status};

use crate::program::{Run, cell, small_matrix};

/// `bump` failed with that reason and nothing else did.
#[track_caller]
fn bump_failed(run: &Run, matrix: &Matrix, reason: &str) {
    assert_eq!(run.status, 1, "{}", run.errors);
    let line = format!("failed: bump / churn / 2 threads: {reason}");
    assert_eq!(run.complaints(), [line.as_str(), "1 cell failed"]);
    let failed = cell(matrix, "bump");
    assert_eq!((failed.status, failed.reason.as_str()), (Status::Failed, reason));
    assert!(failed.ns_per_op.is_none() && failed.ratio.is_none() && failed.checksum.is_empty());
    for name in ["system", "system-again"] {
        let kept = cell(matrix, name);
        assert_eq!((kept.status, kept.rounds), (Status::Ok, 1), "{name}: {}", kept.reason);
        assert!(kept.ns_per_op.is_some() && kept.ratio.is_some(), "{name}");
    }
}

#[test]
fn a_crash() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "crash:bump/churn/2");
    bump_failed(&run, &matrix, "killed by signal 11 (SIGSEGV)");
}

#[test]
fn an_abort_with_a_line() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "abort:bump/churn/2");
    bump_failed(&run, &matrix, "killed by signal 6 (SIGABRT): memory allocation of 64 bytes failed");
}

#[test]
fn a_status_with_a_line() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "exit:bump/churn/2");
    bump_failed(&run, &matrix, "exit status 3: asked to leave");
}

#[test]
fn no_answer_in_time() {
    let (run, matrix, _folder) =
        small_matrix(&["--strategies", "bump", "--timeout", "15"], "hang:bump/churn/2");
    bump_failed(&run, &matrix, "no answer after 15.0 s, killed");
}

#[test]
fn no_answer_at_all() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "silent:bump/churn/2");
    bump_failed(&run, &matrix, "ended without an answer");
}

#[test]
fn a_wrong_answer() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "wrong:bump/churn/2");
    let right = &cell(&matrix, "system").checksum;
    let wrong = !u64::from_str_radix(right, 16).unwrap();
    let reason = format!("wrong answer: {wrong:016x} is not the {right} that system gave");
    bump_failed(&run, &matrix, &reason);
}

#[test]
fn an_allocator_that_is_not_the_one_it_claims_to_be() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "unproved:bump/churn/2");
    let reason = &cell(&matrix, "bump").reason;
    bump_failed(&run, &matrix, reason);
    assert!(reason.starts_with("allocator not proved: "), "{reason}");
    assert!(reason.contains("which bump should have served"), "{reason}");
}

#[test]
fn an_allocator_that_leaves_large_blocks_to_another() {
    let (run, matrix, _folder) = small_matrix(&["--strategies", "bump"], "unproved-at-last:bump/churn/2");
    let reason = &cell(&matrix, "bump").reason;
    bump_failed(&run, &matrix, reason);
    assert!(reason.starts_with("allocator not proved: "), "{reason}");
    assert!(reason.contains("with a block of 3145728 bytes, which bump should have served"), "{reason}");
}

#[test]
fn a_baseline_that_fails_leaves_times_without_ratios() {
    let (run, matrix, _folder) =
        small_matrix(&["--strategies", "bump", "--baseline", "libc"], "crash:libc/churn/2");
    assert_eq!(run.status, 1);
    assert!(run.complaints().contains(&"2 cells failed"), "{}", run.errors);
    let kept = cell(&matrix, "bump");
    assert_eq!(kept.status, Status::Ok);
    assert!(kept.ns_per_op.is_some() && kept.ratio.is_none());
    let note = "The baseline libc has no result in churn at 2 threads; there are no ratios there.";
    assert!(matrix.notes.iter().any(|said| said == note), "{:?}", matrix.notes);
}
