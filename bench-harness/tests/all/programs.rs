//! Programs as workloads, which run under every row that can be preloaded.

use bench_harness::schema::{Matrix, Status};

use crate::made::{FORWARDS, compiled, shared, strata_library};
use crate::program::{Folder, Run, cell, matrix_of, strata};

/// Commands as workloads, on `system` and our own strategies that `rows` names.
fn measured(commands: &[&str], rows: &str, more: &[&str]) -> (Run, Matrix, Folder) {
    let mut arguments = vec!["--quick", "--rounds", "1", "--timeout", "600", "--strategies", rows];
    for command in commands {
        arguments.extend(["--program", command]);
    }
    arguments.extend(more);
    matrix_of(&arguments, &[("STRATA_LIBRARY", strata_library())])
}

#[track_caller]
fn refused(command: &str, more: &[&str]) -> String {
    let folder = Folder::new();
    let mut arguments = vec!["matrix", "--quick", "--output", folder.text(), "--program", command];
    arguments.extend(more);
    let run = strata(&arguments, &[("STRATA_TEST_ALLOW_DEBUG", "1"), ("STRATA_LIBRARY", strata_library())]);
    assert_eq!((run.status, run.output.as_str()), (2, ""), "{}", run.errors);
    assert!(!folder.path().join("matrix.json").exists(), "nothing was measured");
    let complaints = run.complaints();
    assert_eq!(complaints.len(), 1, "{}", run.errors);
    complaints[0].to_owned()
}

#[test]
fn a_program_runs_under_every_strategy_with_proof() {
    let rows = "libc,ptmalloc,ptmalloc_modern,freelist,mem_io,bump";
    let (run, matrix, folder) = measured(&["sort --version", "sh -c 'echo x | sort >&2; exit 3'"], rows, &[]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(matrix.workloads.len(), 2);
    assert_eq!(matrix.workloads[1].command, "sh -c 'echo x | sort >&2; exit 3'");
    for cell in &matrix.cells {
        assert_eq!(
            (cell.status, cell.threads, cell.rounds),
            (Status::Ok, 0, 1),
            "{}: {}",
            cell.strategy,
            cell.reason
        );
        assert!(
            cell.cpu_ms.unwrap() > 0.0 && cell.peak_rss_kib.unwrap() > 0 && cell.minor_faults.unwrap() > 0
        );
        let proof = match cell.strategy.as_str() {
            "system" | "system-again" => {
                "nothing was preloaded, and the C library was mapped at the program's end".to_owned()
            }
            "ptmalloc_modern" => {
                "libstrata.so said at the program's end that ptmalloc had served it".to_owned()
            }
            name => format!("libstrata.so said at the program's end that {name} had served it"),
        };
        // A shell may leave without running what is to be run at its end.
        let begun = proof
            .replace("at the program's end that", "when the program began that")
            .replace("had served", "would serve");
        assert!(
            cell.proof == proof || (cell.workload == "sh" && cell.proof == begun),
            "{}: {}",
            cell.strategy,
            cell.proof
        );
    }
    let note = "`sh -c 'echo x | sort >&2; exit 3'` ends with exit status 3 and 0 bytes of output on the system's own allocator.";
    assert!(matrix.notes.iter().any(|said| said == note), "{:?}", matrix.notes);
    for name in ["matrix.csv", "matrix.md", "index.html"] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.contains("sort --version") || name == "matrix.csv", "{name}");
        assert!(text.contains("had served it") || name == "matrix.md", "{name}");
    }
    assert!(run.output.contains("Processor time of programs"), "{}", run.output);
}

#[test]
fn output_and_status_are_compared_with_those_of_the_baseline() {
    let commands = [
        "sh -c 'echo ${LD_PRELOAD:+loaded}'",
        "sh -c 'test -z \"$LD_PRELOAD\"'",
        "sh -c 'test -z \"$LD_PRELOAD\" || kill -9 $$'",
    ];
    let (run, matrix, _folder) = measured(&commands, "ptmalloc", &[]);
    assert_eq!(run.status, 1, "{}", run.errors);
    let reason = |workload: &str| {
        let mut cells =
            matrix.cells.iter().filter(|cell| cell.workload == workload && cell.strategy == "ptmalloc");
        let cell = cells.next().unwrap();
        assert_eq!(cell.status, Status::Failed);
        // What the digests are is not the point here.
        let words =
            cell.reason.split(" (digest ").map(|part| part.split_once(") ").map_or(part, |(_, rest)| rest));
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        reason("sh"),
        "exit status 0 and 7 bytes of output is not the exit status 0 and 1 byte of output that system gave"
    );
    assert_eq!(
        reason("sh-2"),
        "exit status 1 and 0 bytes of output is not the exit status 0 and 0 bytes of output that system gave"
    );
    assert_eq!(
        reason("sh-3"),
        "killed by signal 9 and 0 bytes of output is not the exit status 0 and 0 bytes of output that system gave"
    );
    let line = run.complaints();
    assert!(line.iter().any(|line| line.starts_with("failed: ptmalloc / sh: exit status 0")), "{line:?}");
    assert!(run.errors.contains("next: cargo matrix --quick --rounds 1"), "{}", run.errors);
}

#[test]
fn programs_that_end_from_another_thread_or_stop_themselves_are_followed() {
    let folder = Folder::new();
    let source = "#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
        static void *leave(void *p) { puts(\"left\"); fflush(stdout); exit(4); return p; }\n\
        int main(void) { pthread_t t; pthread_create(&t, 0, leave, malloc(9)); for (;;) pause(); }";
    let program = compiled(&folder, "leaves", source, &["-pthread"]);
    let command = program.to_str().unwrap();
    let (run, matrix, _output) = measured(&[command, "sh -c 'kill -STOP $$; echo on'"], "freelist", &[]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert!(matrix.cells.iter().all(|cell| cell.status == Status::Ok));
    assert!(matrix.notes.iter().any(|note| note.contains("exit status 4 and 5 bytes")), "{:?}", matrix.notes);
}

#[test]
fn workloads_and_programs_share_a_report() {
    let (run, matrix, _folder) = measured(&["echo x"], "ptmalloc", &["--only", "churn", "--threads", "1"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    let places: Vec<(&str, usize)> =
        matrix.cells.iter().map(|cell| (cell.workload.as_str(), cell.threads)).collect();
    assert_eq!(places[..3], [("churn", 1); 3]);
    assert_eq!(places[3..], [("echo", 0); 3]);
    assert!(run.output.contains("Time, 1 thread\n") && run.output.contains("Time, own threads\n"));
}

#[test]
fn programs_that_cannot_be_compared_are_refused() {
    assert_eq!(
        refused("no-such-program-here", &[]),
        "cannot run the program `no-such-program-here`: there is no program `no-such-program-here` in PATH"
    );
    assert_eq!(
        refused("echo a | cat", &[]),
        "cannot run the program `echo a | cat`: `|` needs a shell: quote it, or write sh -c '...'"
    );
    let line = refused("sh -c 'echo $$'", &[]);
    assert!(line.starts_with("cannot measure the program `sh -c 'echo $$'`: two runs on the system's own allocator differ (exit status 0 and "), "{line}");
    assert!(line.ends_with("; only a repeatable output can be compared"), "{line}");
    assert_eq!(
        refused("sleep 100", &["--timeout", "1"]),
        "cannot measure the program `sleep 100`: no answer after 1.0 s, killed"
    );
    let line = refused("sh -c 'kill -SEGV $$'", &[]);
    assert_eq!(
        line,
        "cannot measure the program `sh -c 'kill -SEGV $$'`: on the system's own allocator it is killed by signal 11 and 0 bytes of output"
    );
}

#[test]
fn programs_that_a_library_would_not_serve_are_refused() {
    let folder = Folder::new();
    let main = "int main(void) { return 0; }";
    let fixed = compiled(&folder, "fixed", main, &["-static"]);
    let own = compiled(
        &folder,
        "own",
        &format!("void *mi_malloc(unsigned long n) {{ return (void *)n; }} {main}"),
        &[],
    );
    for (program, reason) in [
        (fixed, "it is linked statically, so that nothing can be preloaded"),
        (own, "it brings an allocator of its own: mimalloc"),
    ] {
        let command = program.to_str().unwrap();
        assert_eq!(
            refused(command, &[]),
            format!("cannot run the program `{command}`: a preloaded allocator would not serve it: {reason}")
        );
    }
}

#[test]
fn the_c_librarys_allocator_under_another_name_fails() {
    let folder = Folder::new();
    let forwards = shared(&folder, "libforwards.so", FORWARDS);
    let flag = format!("forwards={forwards}");
    let (run, matrix, _output) = measured(&["echo x"], "system", &["--preload", &flag]);
    assert_eq!(run.status, 1, "{}", run.errors);
    let said = &cell(&matrix, "forwards").reason;
    assert!(
        said.starts_with(
            "allocator not proved: a block of 40000 bytes came from the C library's own allocator"
        ),
        "{said}"
    );
}

#[test]
fn a_strategy_of_ours_may_be_a_row_of_another_name() {
    let (run, matrix, _folder) = measured(&["echo x"], "ptmalloc", &["--preload", "mine=strata:freelist"]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(
        cell(&matrix, "mine").proof,
        "libstrata.so said at the program's end that freelist had served it"
    );
}
