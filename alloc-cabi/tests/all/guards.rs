//! What lies over a strategy to find faults, in programs that it was not built for.

use crate::support::{STRATEGIES, compile, output, run, under};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

fn faults(strategy: &str, what: &str, conf: &str) -> Command {
    let mut command = under(strategy, &compile("faults.c", "faults", &["-fno-builtin"]));
    command.arg(what).env("STRATA_CONF", conf);
    command
}

/// The line that a fault is told by, and how the program ended.
fn found(command: &mut Command) -> (String, Option<i32>) {
    let output = run(command);
    let said = String::from_utf8(output.stderr).unwrap();
    let address = String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_string();
    (said.replace(&address, "HERE"), output.status.signal())
}

#[test]
fn faults_around_blocks_stop_the_program_with_one_line() {
    let names = [
        ("overrun", "write past the end at HERE: the bytes behind the block were changed"),
        ("underrun", "write before the start at HERE: the bytes before the block were changed"),
        ("freed", "write after free at HERE: the block was changed after it was freed"),
        ("double", "double free at HERE: the block is already free"),
    ];
    for strategy in STRATEGIES {
        for (what, line) in names {
            // The quarantine holds back less than the work that follows needs, so that every block leaves it.
            let mut command = faults(strategy, what, "quarantine:64K");
            let expected = (format!("strata: {strategy}: {line}\n"), Some(libc::SIGABRT));
            assert_eq!(found(&mut command), expected, "{what}");
        }
        assert_eq!(
            found(&mut faults(strategy, "none", "quarantine:64K")),
            (String::new(), None),
            "{strategy}"
        );
    }
}

#[test]
fn levels_of_checks_bring_the_guards() {
    for (level, what, line) in [
        ("4", "overrun", "write past the end at HERE: the bytes behind the block were changed"),
        ("4", "double", "corrupted header"),
    ] {
        let (said, signal) = found(faults("ptmalloc", what, "").env("STRATA_CHECK", level));
        assert!(said.starts_with(&format!("strata: ptmalloc: {line}")), "{said}");
        assert_eq!((said.lines().count(), signal), (1, Some(libc::SIGABRT)), "{said}");
    }
    let (said, _) = found(faults("ptmalloc", "overrun", "").env("STRATA_CHECK", "3"));
    assert!(!said.contains("write past the end"), "{said}");
}

#[test]
fn with_report_the_program_goes_on() {
    for strategy in STRATEGIES {
        for (what, name) in
            [("overrun", "write past the end"), ("freed", "write after free"), ("double", "double free")]
        {
            let mut command = faults(strategy, what, "quarantine:64K,on_fault:report");
            let output = run(&mut command);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.success() && output.stdout.ends_with(b"ok\n"),
                "{strategy}, {what}: {said}"
            );
            assert!(said.starts_with(&format!("strata: {strategy}: {name} at 0x")), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn with_report_ptmalloc_itself_goes_on() {
    let output = run(&mut faults("ptmalloc", "double", "on_fault:report"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.ends_with(b"ok\n"), "{said}");
    assert!(said.starts_with("strata: ptmalloc: double free at 0x"), "{said}");
}

/// What the strategies find by themselves.
#[test]
fn with_report_the_strategies_themselves_go_on() {
    let program = compile("misuse.c", "misuse", &["-fno-builtin"]);
    let cases = [
        ("ptmalloc", "stack", "foreign pointer"),
        ("freelist", "double", "double free"),
        ("freelist", "interleaved", "double free"),
        ("freelist", "stack", "foreign pointer"),
        ("freelist", "misaligned", "misaligned pointer"),
        ("freelist", "interior", "interior pointer"),
        ("mem_io", "double", "double free"),
        ("mem_io", "interleaved", "double free"),
        ("mem_io", "stack", "foreign pointer"),
        ("mem_io", "misaligned", "misaligned pointer"),
        ("mem_io", "interior", "interior pointer"),
        ("bump", "double", "double free"),
        ("bump", "interleaved", "double free"),
        ("bump", "misaligned", "misaligned pointer"),
        ("bump", "interior", "corrupted header"),
    ];
    for (strategy, what, name) in cases {
        let mut command = under(strategy, &program);
        let output = run(command.arg(what).env("STRATA_CONF", "on_fault:report"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{strategy}, {what}: {} {said}", output.status);
        assert!(said.starts_with(&format!("strata: {strategy}: {name} at 0x")), "{strategy}, {what}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    for strategy in STRATEGIES {
        let mut command = under(strategy, &program);
        command.arg("sized").env("STRATA_CONF", "on_fault:report").env("STRATA_CHECK", "2");
        let output = run(&mut command);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{strategy}: {} {said}", output.status);
        assert!(said.starts_with(&format!("strata: {strategy}: layout mismatch at 0x")), "{said}");
    }
}

/// A handler may interrupt the guard with its locks held: `run` ends a program that waits for itself.
#[test]
fn signal_handlers_that_interrupt_a_guard_do_not_wait() {
    let program = compile("signals.c", "signals", &["-fno-builtin"]);
    for conf in ["quarantine:64K", "quarantine:1M,guard_pages:3", "guard_pages:1"] {
        for strategy in ["freelist", "mem_io", "bump", "ptmalloc"] {
            // Handlers that keep blocks: not for magazines in the middle of a change.
            let conf = format!("{conf},tcache_bytes:0,tcache_max:0");
            let said = output(under(strategy, &program).env("STRATA_CONF", &conf));
            assert_eq!(said, "ok\n", "{strategy}, {conf}");
        }
    }
}

/// The walks of level 3 are few where the heap is large (`alloc-ptmalloc` counts them).
#[test]
fn the_highest_checks_bear_a_large_heap() {
    let program = compile("threads.c", "threads", &["-fno-builtin"]);
    assert_eq!(output(under("ptmalloc", &program).env("STRATA_CHECK", "3")), "ok\n");
}

#[test]
fn guard_pages_stop_the_access_itself() {
    for strategy in STRATEGIES {
        let (said, signal) = found(&mut faults(strategy, "far", "guard_pages:1"));
        assert_eq!((said.as_str(), signal), ("", Some(libc::SIGSEGV)), "{strategy}");
        let (said, signal) = found(&mut faults(strategy, "freed", "guard_pages:1"));
        assert_eq!((said.as_str(), signal), ("", Some(libc::SIGSEGV)), "{strategy}");
    }
}

#[test]
fn a_walk_shows_a_block_whose_canaries_are_broken() {
    for strategy in ["ptmalloc", "freelist", "mem_io"] {
        let said = output(&mut faults(strategy, "walk", "red_zones:1"));
        let address = said.lines().next().unwrap().strip_prefix("0x").unwrap();
        let line = format!("0x{} - ", address.to_uppercase());
        let shown = said.lines().find(|shown| shown.starts_with(&line)).expect(&said);
        assert!(shown.ends_with(" : 100 bytes, corrupted"), "{shown}");
    }
}

#[test]
fn a_fault_is_explained_where_a_history_is_kept() {
    let mut command = faults("freelist", "freed", "quarantine:64K");
    let (said, signal) = found(command.env("STRATA_HISTORY", "10K"));
    assert_eq!(signal, Some(libc::SIGABRT));
    let mut lines = said.lines();
    assert!(lines.next().unwrap().starts_with("strata: freelist: write after free at HERE: "), "{said}");
    assert_eq!(lines.next(), Some("HERE lies in memory of the strategy freelist"), "{said}");
    let allocated = lines.position(|line| line.starts_with("  allocated at HERE, 100 bytes"));
    assert!(allocated.is_some(), "{said}");
    assert!(lines.next().unwrap().contains("/faults 0x") || said.contains("/faults 0x"), "{said}");
    assert!(lines.any(|line| line.starts_with("  freed at HERE")), "{said}");
}

#[test]
fn the_edges_hold_threads_run_and_forks_are_fit_under_guards() {
    let edges = compile("edges.c", "edges-guarded", &["-fno-builtin"]);
    let threads = compile("threads.c", "threads", &["-fno-builtin"]);
    let forks = compile("forks.c", "forks", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        for level in ["4", "5"] {
            assert_eq!(
                output(under(strategy, &edges).env("STRATA_CHECK", level)),
                "ok\n",
                "{strategy}, {level}"
            );
        }
    }
    for strategy in ["ptmalloc", "freelist"] {
        for program in [&threads, &forks] {
            let mut command = under(strategy, program);
            assert_eq!(output(command.env("STRATA_CHECK", "5")), "ok\n", "{strategy}, {}", program.display());
        }
    }
}

#[test]
fn a_quota_and_a_schedule_refuse_what_they_should() {
    let program = compile("scarce.c", "scarce", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        let said =
            |what: &str, conf: &str| output(under(strategy, &program).arg(what).env("STRATA_CONF", conf));
        let served: u32 = said("quota", "quota:1M").split(' ').next().unwrap().parse().unwrap();
        // A block counts with what of it may be used, and the C library has some of its own.
        assert!((85..=104).contains(&served), "{strategy}: {served}");
        assert_eq!(said("quota", "quota:0"), "2000 0\n", "{strategy}");
        assert_eq!(said("fail", "fail_nth:500"), "999 1\n", "{strategy}");
        assert_eq!(said("fail", "fail_from:2000"), "1000 0\n", "{strategy}");
        let served: u32 = said("fail", "fail_from:500").split(' ').next().unwrap().parse().unwrap();
        assert!((400..500).contains(&served), "{strategy}: {served}");
    }
}

#[test]
fn layers_stack_and_each_keeps_its_promise() {
    let conf = "quarantine:64K,guard_pages:50,quota:512M,fail_nth:100000000,count_calls:1";
    for strategy in STRATEGIES {
        let mut command = faults(strategy, "overrun", conf);
        let folder = std::env::temp_dir();
        let trace = folder.join(format!("strata-layers-{}-{strategy}", std::process::id()));
        command.env("STRATA_TRACE", &trace).env("STRATA_HISTORY", "1000").env("STRATA_PERTURB", "90");
        // Whether the block is guarded by canaries or on pages of its own: an overrun into the rounding of a page is nothing.
        let (said, _) = found(&mut command);
        assert!(said.is_empty() || said.contains("write past the end at HERE"), "{strategy}: {said}");
        assert!(std::fs::metadata(&trace).unwrap().len() >= 64);
        std::fs::remove_file(trace).unwrap();

        let mut command = faults(strategy, "none", conf);
        let stats = run(command.env("STRATA_STATS", "json"));
        let json = String::from_utf8(stats.stderr).unwrap();
        assert!(stats.status.success(), "{json}");
        let number = |key: &str| -> u64 {
            let (_, rest) = json.split_once(&format!("\"{key}\":")).expect(&json);
            rest.split([',', '}']).next().unwrap().parse().unwrap()
        };
        assert!(
            number("allocations") >= 1801 && number("resizes") == 1800 && number("refused") == 0,
            "{json}"
        );
        assert!(number("frees") >= 1801 && number("frees") <= number("allocations"), "{json}");
    }
}

#[test]
fn verbose_shows_what_lies_over_the_strategy() {
    let mut command = faults("mem_io", "none", "red_zones:1,quota:64M,on_fault:report");
    command.env("STRATA_VERBOSE", "1").env("STRATA_HISTORY", "10");
    let output = run(&mut command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with(
            "strata: red_zones = 1 (STRATA_CONF)\n\
             strata: quota = 67108864 (STRATA_CONF)\n\
             strata: on_fault = report (STRATA_CONF)\n\
             strata: history = 10 (its variable)\n"
        ),
        "{said}"
    );
}
