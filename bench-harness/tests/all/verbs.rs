//! The other verbs and flags.

use bench_harness::registry;
use serde_json::Value;

use crate::program::strata;

#[test]
fn the_list_names_everything() {
    let run = strata(&["matrix", "--list"], &[]);
    assert_eq!((run.status, run.errors.as_str()), (0, ""));
    for work in bench_harness::workload::catalogue() {
        assert!(run.output.contains(work.name()), "{}", work.name());
    }
    for name in registry::names().into_iter().chain(registry::PEERS) {
        assert!(run.output.contains(&format!("\n  {name} ")), "{name}");
    }
    assert!(
        run.output
            .ends_with("\n  libc, ptmalloc, ptmalloc_modern, ptmalloc_classic, freelist, mem_io, bump\n")
    );
}

#[test]
fn the_doctor_says_what_each_finding_costs() {
    let run = strata(&["doctor"], &[]);
    assert_eq!((run.status, run.errors.as_str()), (0, ""));
    for name in
        ["page size", "transparent huge pages", "processors", "memory limit", "frequency governor", "load"]
    {
        assert!(run.output.contains(name), "{name}:\n{}", run.output);
    }
    assert_eq!(run.output.lines().count() % 2, 0);
}

#[test]
fn the_doctor_speaks_json() {
    let run = strata(&["doctor", "--json"], &[]);
    assert_eq!((run.status, run.errors.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&run.output).unwrap();
    assert_eq!(json["schema"], 1);
    assert!(json["machine"]["page_size"].as_u64().unwrap() >= 4096);
    assert!(json["findings"].as_array().unwrap().iter().all(|finding| finding["cost"].is_string()));
}

#[test]
fn colour_comes_when_it_is_asked_for() {
    let plain = strata(&["doctor"], &[]);
    assert!(!plain.output.contains('\x1b'));
    let coloured = strata(&["doctor", "--color", "always"], &[]);
    assert!(coloured.output.contains('\x1b'));
    let refused = strata(&["doctor"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!refused.output.contains('\x1b'));
}

#[test]
fn help_is_data() {
    let run = strata(&["matrix", "--help"], &[]);
    assert_eq!((run.status, run.errors.as_str()), (0, ""));
    for flag in [
        "--quick",
        "--only",
        "--strategies",
        "--preload",
        "--program",
        "--threads",
        "--rounds",
        "--baseline",
        "--json",
    ] {
        assert!(run.output.contains(flag), "{flag}");
    }
}

#[test]
fn a_cell_started_by_hand_on_another_allocator_says_so() {
    let arguments = [
        "cell",
        "--strategy",
        "bump",
        "--workload",
        "churn",
        "--threads",
        "1",
        "--scale",
        "1",
        "--seed",
        "1",
    ];
    for environment in [&[][..], &[("STRATA_CELL", "libc")][..], &[("STRATA_CELL", "no such")][..]] {
        let run = strata(&arguments, environment);
        assert_eq!((run.status, run.output.as_str()), (1, ""));
        assert_eq!(run.complaints(), ["allocator not proved: this process was not started on `bump`"]);
    }
    let run = strata(&arguments, &[("STRATA_CELL", "bump")]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert_eq!(run.output.lines().count(), 1);
}

#[cfg(not(feature = "peers"))]
#[test]
fn features_that_are_missing_are_built_with_cargo() {
    // A program that prints its arguments takes cargo's place.
    let run = strata(&["matrix", "--quick", "--features", "peers"], &[("CARGO", "/bin/echo")]);
    assert_eq!(run.status, 0, "{}", run.errors);
    assert!(run.output.starts_with("run --quiet --manifest-path "), "{}", run.output);
    assert_eq!(run.output.contains(" --release "), !cfg!(debug_assertions));
    let ending = " --features peers";
    let (_, after) = run.output.split_once(ending).unwrap_or_else(|| panic!("{}", run.output));
    assert!(after.trim_end().ends_with(" -- matrix --quick --features peers"), "{}", run.output);
    assert!(run.complaints()[0].starts_with("building with the features peers"), "{}", run.errors);

    let run = strata(&["matrix", "--features", "peers"], &[("CARGO", "/bin/false")]);
    assert_eq!(run.status, 1, "the status of the other program passes through");

    let run = strata(&["matrix", "--features", "peers"], &[("CARGO", "/no/such/cargo")]);
    assert_eq!(run.status, 2);
    assert!(run.complaints()[1].starts_with("cannot run /no/such/cargo: "), "{}", run.errors);

    let run = strata(&["matrix", "--features", "peers"], &[("STRATA_REBUILT", "1")]);
    assert!(run.refusal().starts_with("cargo built this program without the features peers"));
}
