//! Instruction budgets as tests: a script that counts, and fails when something takes more than it may.

use std::path::Path;
use std::process::Command;

/// Runs the script at `script` with `--check`, from the folder above the crate at `manifest` (its `CARGO_MANIFEST_DIR`), and has the
/// table that it prints be of `rows` lines at least. Where a tool is missing, with which the script ends with 77, it says so and
/// holds nothing to anything.
///
/// # Panics
/// With what the script printed, where a budget is exceeded, the script fails, or the table is not whole.
pub fn check(manifest: &str, script: &str, rows: usize) {
    let root = Path::new(manifest).join("..");
    let output = Command::new("sh").args([script, "--check"]).current_dir(root).output().expect("a shell");
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        println!("SKIPPED: {}", errors.trim());
        return;
    }
    assert!(output.status.success(), "{errors}{table}");
    assert!(table.lines().count() >= rows, "the table is whole: {table}");
}

#[cfg(test)]
mod tests {
    use super::check;
    use std::panic::catch_unwind;

    /// A folder that is gone at the end, with a crate's folder in it and a script beside that.
    fn run(script: &str, rows: usize) -> bool {
        let root = std::env::temp_dir().join(format!("strata-budget-{}-{rows}", std::process::id()));
        std::fs::create_dir_all(root.join("crate")).expect("a folder");
        std::fs::write(root.join("count.sh"), script).expect("a file");
        let manifest = root.join("crate");
        let manifest = manifest.to_str().expect("a name in UTF-8");
        let held = catch_unwind(|| check(manifest, "count.sh", rows)).is_ok();
        std::fs::remove_dir_all(&root).expect("the folder is ours");
        held
    }

    #[test]
    fn a_budget_holds_where_the_script_says_so_with_a_whole_table() {
        assert!(run("[ \"$1\" = --check ] && echo a && echo b\n", 2));
        assert!(!run("echo a\n", 3), "a row is missing");
        assert!(!run("echo a; echo b; echo c; echo d; exit 1\n", 4), "a budget is exceeded");
        assert!(run("exit 77\n", 5), "a tool is missing");
    }
}
