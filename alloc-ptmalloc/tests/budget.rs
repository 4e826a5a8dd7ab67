//! The instruction budgets of the fast paths: `ci/count-ptmalloc.sh --check` builds the functions of `benches/counts.rs` as
//! released, counts them under callgrind, and fails when one takes more than it may.
#![cfg(not(alloc_loom))]

use std::path::Path;
use std::process::Command;

#[test]
#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), ignore = "the budgets are those of x86-64")]
fn fast_paths_keep_their_budgets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("sh")
        .args(["ci/count-ptmalloc.sh", "--check"])
        .current_dir(root)
        .output()
        .expect("a shell");
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        println!("SKIPPED: {}", errors.trim());
        return;
    }
    assert!(output.status.success(), "{errors}{table}");
    assert!(table.lines().count() > 11, "the table is whole: {table}");
}
