//! What C and C++ programs rely on, under every strategy.

use crate::support::{STRATEGIES, compile, output, under};

fn under_each(source: &str) {
    let program = compile(source, source.split('.').next().unwrap(), &["-fno-builtin"]);
    for strategy in STRATEGIES {
        assert_eq!(output(&mut under(strategy, &program)), "ok\n", "{strategy}");
    }
}

#[test]
fn the_edges_of_the_interface_are_glibcs() {
    under_each("edges.c");
}

#[test]
fn the_edges_hold_with_every_check_and_fill() {
    let program = compile("edges.c", "edges-checked", &["-fno-builtin"]);
    for strategy in STRATEGIES {
        for check in ["0", "2", "3"] {
            let mut command = under(strategy, &program);
            command.env("STRATA_CHECK", check).env("STRATA_PERTURB", "170");
            assert_eq!(output(&mut command), "ok\n", "{strategy}, level {check}");
        }
    }
}

#[test]
fn the_edges_hold_in_every_era() {
    let program = compile("edges.c", "edges-era", &["-fno-builtin"]);
    for conf in [
        "era:classic",
        "era:modern",
        "tcache_bytes:0",
        "arena_max:1,mmap_threshold:64K",
        "mmap_max:10,top_pad:1M",
    ] {
        let mut command = under("ptmalloc", &program);
        assert_eq!(output(command.env("STRATA_CONF", conf)), "ok\n", "{conf}");
    }
}

#[test]
fn requests_come_before_main_and_after_it() {
    let program = compile("early.c", "early", &["-fno-builtin"]);
    let plugin = compile("plugin.c", "plugin.so", &["-fno-builtin", "-shared", "-fPIC"]);
    for strategy in STRATEGIES {
        assert_eq!(output(under(strategy, &program).arg(&plugin)), "ok\nend\n", "{strategy}");
    }
}

#[test]
fn threads_hand_blocks_over_and_end_with_blocks_alive() {
    under_each("threads.c");
}

#[test]
fn forks_while_threads_allocate() {
    under_each("forks.c");
}

/// What takes the thread caches away leaves every request to the arenas and their locks.
#[test]
fn forks_while_threads_without_caches_allocate() {
    let program = compile("forks.c", "forks", &["-fno-builtin"]);
    for (variable, value) in
        [("STRATA_CONF", "tcache_bytes:0"), ("STRATA_CHECK", "2"), ("STRATA_PERTURB", "1")]
    {
        let mut command = under("ptmalloc", &program);
        assert_eq!(output(command.env(variable, value)), "ok\n", "{variable}={value}");
    }
}

#[test]
fn signal_handlers_that_interrupt_the_allocator() {
    let program = compile("signals.c", "signals", &["-fno-builtin"]);
    for strategy in ["freelist", "mem_io", "bump"] {
        assert_eq!(output(&mut under(strategy, &program)), "ok\n", "{strategy}");
    }
    // Without thread caches, nothing of `ptmalloc` is worked on without a mark that handlers see.
    for era in ["ours", "classic", "modern"] {
        let mut command = under("ptmalloc", &program);
        command.env("STRATA_CONF", format!("era:{era},tcache_bytes:0,tcache_max:0"));
        assert_eq!(output(&mut command), "ok\n", "ptmalloc, {era}");
    }
}

#[test]
fn signal_handlers_that_give_back_what_they_take() {
    let program = compile("signals.c", "signals", &["-fno-builtin"]);
    for era in ["ours", "classic", "modern"] {
        let mut command = under("ptmalloc", &program);
        command.arg("even").env("STRATA_CONF", format!("era:{era}"));
        assert_eq!(output(&mut command), "ok\n", "ptmalloc, {era}");
    }
}

#[test]
fn every_form_of_new_and_delete() {
    let program = compile("cxx.cpp", "cxx", &["-fno-builtin", "-fsized-deallocation"]);
    for strategy in STRATEGIES {
        for check in ["1", "2"] {
            let mut command = under(strategy, &program);
            assert_eq!(output(command.env("STRATA_CHECK", check)), "ok\n", "{strategy}, level {check}");
        }
    }
}
