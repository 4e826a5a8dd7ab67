//! The instruction budgets of a tracer that is off, or samples: `ci/count-trace.sh --check` builds the functions of `benches/counts.rs` as
//! released, counts them under callgrind, and fails when one takes more than it may.

#[test]
#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), ignore = "the budgets are those of x86-64")]
fn a_tracer_that_is_off_keeps_its_budget() {
    alloc_testkit::budget::check(env!("CARGO_MANIFEST_DIR"), "ci/count-trace.sh", 6);
}
