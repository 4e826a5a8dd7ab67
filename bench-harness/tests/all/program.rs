//! Running the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bench_harness::schema::{Cell, Matrix};

/// What one run of the program gave.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Run {
    /// The lines on standard error that the program says about itself, without its name.
    pub(crate) fn complaints(&self) -> Vec<&str> {
        self.errors.lines().filter_map(|line| line.strip_prefix("strata: ")).collect()
    }

    /// The only thing said on standard error, when the command was refused.
    #[track_caller]
    pub(crate) fn refusal(&self) -> &str {
        assert_eq!(self.status, 2, "{}{}", self.output, self.errors);
        assert_eq!(self.output, "");
        assert_eq!(self.errors.lines().count(), 1, "{}", self.errors);
        self.complaints()[0]
    }
}

/// Runs the program with these arguments and environment variables.
pub(crate) fn strata(arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_strata"))
        .args(arguments)
        .env_remove("STRATA_TEST_CELL")
        .env_remove("LD_PRELOAD")
        .env_remove("STRATA_TEST_ALLOW_DEBUG")
        .env_remove("CLICOLOR_FORCE")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Run {
        status: output.status.code().expect("the program was not killed"),
        output: String::from_utf8(output.stdout).expect("text"),
        errors: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A folder of a test's own, removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("strata-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("the folder's name is UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A small matrix with `faults` in some cells: one workload, two threads, one round unless
/// `more` says how many.
pub(crate) fn small_matrix(more: &[&str], faults: &str) -> (Run, Matrix, Folder) {
    small_matrix_with(more, &[("STRATA_TEST_CELL", faults)])
}

/// The same with these environment variables.
pub(crate) fn small_matrix_with(more: &[&str], environment: &[(&str, &str)]) -> (Run, Matrix, Folder) {
    let mut arguments = "--quick --only churn --threads 2".split(' ').collect::<Vec<_>>();
    if !more.contains(&"--rounds") {
        arguments.extend(["--rounds", "1"]);
    }
    // A machine with much else to do shall not decide a test.
    if !more.contains(&"--timeout") {
        arguments.extend(["--timeout", "600"]);
    }
    arguments.extend(more);
    matrix_of(&arguments, environment)
}

/// Any matrix, written to a folder of its own.
pub(crate) fn matrix_of(more: &[&str], environment: &[(&str, &str)]) -> (Run, Matrix, Folder) {
    let folder = Folder::new();
    let mut arguments = vec!["matrix"];
    arguments.extend(more);
    arguments.extend(["--output", folder.text()]);
    let mut environment = environment.to_vec();
    environment.push(("STRATA_TEST_ALLOW_DEBUG", "1"));
    let run = strata(&arguments, &environment);
    let json = std::fs::read_to_string(folder.path().join("matrix.json"))
        .unwrap_or_else(|error| panic!("no matrix.json: {error}\n{}", run.errors));
    let matrix = serde_json::from_str(&json).expect("matrix.json has the schema's shape");
    (run, matrix, folder)
}

/// The cell of a strategy in a matrix of one group.
#[track_caller]
pub(crate) fn cell<'m>(matrix: &'m Matrix, strategy: &str) -> &'m Cell {
    let mut cells = matrix.cells.iter().filter(|cell| cell.strategy == strategy);
    let cell = cells.next().unwrap_or_else(|| panic!("no cell of {strategy}"));
    assert!(cells.next().is_none(), "two cells of {strategy}");
    cell
}
