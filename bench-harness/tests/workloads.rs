//! The workloads, and the inputs that users give them. A binary of its own, because it counts what the global allocator
//! is asked for.

#[path = "workloads/counting.rs"]
mod counting;
#[path = "workloads/inputs.rs"]
mod inputs;

use bench_harness::inputs::shipped;
use bench_harness::workload::{Inputs, Job, Outcome, Workload, catalogue};

/// What a run asked the allocator for, beside what it answered.
struct Counted {
    outcome: Outcome,
    requested: u64,
    kept: i64,
}

/// Does a job while no other test of this binary runs.
fn counted(workload: &dyn Workload, threads: usize, seed: u64, inputs: &Inputs) -> Counted {
    let job = Job { threads, scale: 1, seed, inputs, idle: false };
    let _alone = counting::alone();
    let before = counting::totals();
    let outcome = workload.run(&job);
    let after = counting::totals();
    Counted { outcome, requested: after.requested - before.requested, kept: after.live - before.live }
}

#[test]
fn the_answer_depends_on_nothing_but_seed_and_scale_and_traffic_is_as_said() {
    let inputs = shipped();
    for workload in catalogue() {
        let name = workload.name();
        let first = counted(*workload, 1, 1, &inputs);
        assert_ne!(first.outcome.checksum, 0, "{name}");
        assert_ne!(first.outcome.operations, 0, "{name}");
        for threads in [1, 2, 8] {
            let again = counted(*workload, threads, 1, &inputs);
            assert_eq!(again.outcome.checksum, first.outcome.checksum, "{name}, {threads} threads");
            assert_eq!(again.outcome.operations, first.outcome.operations, "{name}, {threads} threads");
            let said = workload.traffic(&Job { threads, scale: 1, seed: 1, inputs: &inputs, idle: false });
            let requested = again.requested;
            assert!(
                said.abs_diff(requested) * 5 <= requested,
                "{name}, {threads} threads: said {said}, was {requested}"
            );
            assert!(said <= 1 << 30, "{name}: {said}");
            // Some is left to threads that have not quite ended.
            assert!(again.kept < 1 << 18, "{name}, {threads} threads: {} bytes were not freed", again.kept);
        }
        // Counting words draws nothing at random.
        let other = counted(*workload, 2, 2, &inputs);
        assert_eq!(other.outcome.checksum == first.outcome.checksum, name == "words", "{name}");
    }
}

#[test]
fn traffic_grows_with_the_scale() {
    let inputs = shipped();
    for workload in catalogue() {
        let traffic =
            |scale| workload.traffic(&Job { threads: 1, scale, seed: 1, inputs: &inputs, idle: false });
        assert!(traffic(3).abs_diff(3 * traffic(1)) * 5 <= 3 * traffic(1), "{}", workload.name());
    }
}

#[test]
fn every_workload_has_a_plain_name_of_its_own_and_says_what_an_operation_is() {
    let mut names = std::collections::BTreeSet::new();
    for workload in catalogue() {
        let (name, about) = (workload.name(), workload.about());
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(about.contains("; one operation "), "{name}: {about}");
        assert!(about.ends_with(").") && !about.contains("  "), "{name}: {about}");
    }
    assert_eq!(names.len(), 15);
}

#[test]
fn memory_that_should_be_zero_and_is_not_changes_the_answer() {
    let inputs = shipped();
    let zeroed =
        catalogue().iter().find(|workload| workload.name() == "zeroed").expect("it is in the catalogue");
    let job = Job { threads: 1, scale: 1, seed: 1, inputs: &inputs, idle: false };
    let _alone = counting::alone();
    let good = zeroed.run(&job).checksum;
    let bad = counting::with_dirty_zeroes(|| zeroed.run(&job).checksum);
    assert_ne!(bad, good);
}

#[test]
fn workloads_on_real_input_take_any_input() {
    let long = vec![b'x'; 100_000].leak();
    let texts: [&'static [u8]; 6] =
        [b"x", b" \n\n", b"\xFF\xFE\0 \x80", b"one line", b"Firefox/1.2\n\r\n", long];
    let documents: [&'static [u8]; 4] = [b"7", b"[]", b"{\"a\":{}}", b"[[[[1]]],\"\",{\"\":null}]"];
    for (text, json) in texts.into_iter().zip(documents.into_iter().cycle()) {
        // So small that one pass over them is short; the patterns stay few for the same reason.
        let inputs = Inputs { json, text, lines: text, patterns: b"(Firefox)/(\\d+)\n" };
        for workload in catalogue().iter().filter(|workload| ["words", "regex"].contains(&workload.name())) {
            let one = counted(*workload, 1, 1, &inputs).outcome;
            let two = counted(*workload, 2, 1, &inputs).outcome;
            assert_eq!((one.checksum, one.operations), (two.checksum, two.operations), "{}", workload.name());
            assert_ne!(one.operations, 0);
        }
    }
}
