//! The instruction budgets of a tracer: `ci/count-trace.sh --check` builds `benches/steps` as released, steps through events of a tracer
//! that is off, samples, or traces exactly, on one thread and beside others, and fails when one takes more than it may, or has an
//! atomic read-modify-write.

#[test]
#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), ignore = "the budgets are those of x86-64")]
fn a_tracer_keeps_its_budget_on_any_number_of_threads() {
    alloc_testkit::budget::check(env!("CARGO_MANIFEST_DIR"), "ci/count-trace.sh", 26);
}
