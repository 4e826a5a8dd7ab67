//! The instruction budgets of the fast paths: `ci/count-ptmalloc.sh --check` builds the functions of `benches/counts.rs` as
//! released, counts them under callgrind, and fails when one takes more than it may.
#![cfg(not(alloc_loom))]

#[test]
#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), ignore = "the budgets are those of x86-64")]
fn fast_paths_keep_their_budgets() {
    alloc_testkit::budget::check(env!("CARGO_MANIFEST_DIR"), "ci/count-ptmalloc.sh", 12);
}
