//! Building the library as it is shipped, compiling C programs, and running programs under it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The strategies under which every program runs.
pub(crate) const STRATEGIES: [&str; 5] = ["ptmalloc", "freelist", "mem_io", "bump", "libc"];

/// No program of these tests runs longer.
const LONGEST: Duration = Duration::from_secs(120);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The library, built for release with `panic = "abort"`: what users preload. `STRATA_LIBRARY` names one that is there
/// already.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("STRATA_LIBRARY") {
            return path.into();
        }
        // In a folder of its own: the one that these tests were built in is of another profile.
        let target = scratch().join("cabi");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--lib", "--package", "alloc-cabi"])
            .args(["--config", "profile.release.panic=\"abort\""])
            .arg("--manifest-path")
            .arg(root().join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .status()
            .unwrap();
        assert!(status.success(), "the library does not build");
        target.join("release/libstrata.so")
    })
}

/// Where this run's programs are. Those of runs that are over are removed.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        for entry in fs::read_dir(scratch()).unwrap().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.strip_prefix("programs-"));
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        let folder = scratch().join(format!("programs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    })
}

/// Compiles a source of `tests/c` once, with more arguments. The last part of the result's name is `as_name`.
pub(crate) fn compile(source: &str, as_name: &str, arguments: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = programs();
    let output = folder.join(as_name);
    if output.exists() {
        return output;
    }
    let (compiler, standard) = if source.ends_with(".cpp") || arguments.contains(&"c++") {
        ("c++", "-std=c++17")
    } else {
        ("cc", "-std=gnu11")
    };
    let status = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Wno-deprecated-declarations", "-O1", "-g", "-pthread"])
        .arg(format!("-I{}", root().join("include").display()))
        .arg(format!("-I{}", root().join("../alloc-core/include").display()))
        .args(arguments.iter().take_while(|argument| **argument == "-x" || **argument == "c++"))
        .arg(root().join("tests/c").join(source))
        .args(arguments.iter().skip_while(|argument| **argument == "-x" || **argument == "c++"))
        .arg("-o")
        .arg(&output)
        .status()
        .unwrap_or_else(|_| panic!("a compiler named `{compiler}` is needed for this test"));
    assert!(status.success(), "tests/c/{source} does not compile");
    output
}

/// A program to be run with the library preloaded, and no setting but the strategy.
pub(crate) fn under(strategy: &str, program: &Path) -> Command {
    let mut command = clean(program);
    command.env("LD_PRELOAD", library()).env("STRATA_STRATEGY", strategy);
    command
}

/// A program to be run without any setting that the library reads.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("STRATA_") || text.starts_with("MALLOC_") || text == "GLIBC_TUNABLES" {
            command.env_remove(&name);
        }
    }
    command.env_remove("LD_PRELOAD");
    command
}

/// Runs a program to its end, which must come soon.
pub(crate) fn run(command: &mut Command) -> Output {
    use std::process::Stdio;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + LONGEST;
    let reader = |mut pipe: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut all = Vec::new();
            pipe.read_to_end(&mut all).unwrap();
            all
        })
    };
    let stdout = reader(Box::new(child.stdout.take().unwrap()));
    let stderr = reader(Box::new(child.stderr.take().unwrap()));
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Runs a program that must end well, with nothing on standard error, and gives its output.
pub(crate) fn output(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{command:?}: {}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
