//! What the built library exports, imports, and calls.

use crate::support::{library, output};
use std::process::Command;

const EXPORTS: &str = include_str!("../exports.txt");

fn tool(name: &str, arguments: &[&str]) -> String {
    output(Command::new(name).args(arguments).arg(library()))
}

/// Names of `nm -D`, without versions, of definitions or else of what is taken from elsewhere.
fn dynamic(defined: bool) -> Vec<String> {
    let choice = if defined { "--defined-only" } else { "--undefined-only" };
    let mut names: Vec<String> = tool("nm", &["-D", choice])
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap().to_string())
        .collect();
    names.sort();
    names
}

#[test]
fn exactly_the_listed_symbols_are_exported() {
    assert_eq!(dynamic(true), EXPORTS.lines().collect::<Vec<_>>());
}

#[test]
fn nothing_of_thread_local_storage_is_called() {
    let imports = dynamic(false);
    assert!(imports.iter().any(|name| name == "mmap"), "the list is read");
    assert!(!imports.iter().any(|name| name.contains("tls_get_addr")), "{imports:?}");
}

/// A compiler that knows `malloc` by its name may turn `malloc` and `memset` into `calloc`, which then calls itself; and a
/// call by name may reach another library's function.
#[test]
fn no_exported_function_is_called_by_its_name() {
    let relocations = tool("readelf", &["-rW"]);
    let code = tool("objdump", &["-d", "--no-show-raw-insn"]);
    assert!(relocations.contains("mmap@GLIBC"), "relocations are read");
    let mut functions = 0;
    for name in EXPORTS.lines() {
        let by_name = format!(" {name} + 0");
        assert!(!relocations.lines().any(|line| line.ends_with(&by_name)), "{name} is bound at run time");
        functions += usize::from(code.contains(&format!("<{name}>:")));
        assert!(!code.contains(&format!("<{name}@plt>")), "{name} is called through the linkage table");
    }
    assert!(functions > 20, "code is read");
    // `calloc` must not have become a call of itself, nor `malloc` one of `calloc`.
    for name in ["malloc", "calloc", "realloc", "__libc_malloc", "__libc_calloc"] {
        for (at, _) in code.match_indices(&format!("<{name}>")) {
            let line = code[..at].rsplit('\n').next().unwrap();
            assert!(!line.contains("call") && !line.contains("jmp"), "{name} is called: {line}");
        }
    }
}

#[test]
fn the_library_is_small_and_bound_at_once() {
    let stripped = library().with_extension("stripped");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(library()).status().unwrap();
    assert!(status.success());
    let size = std::fs::metadata(&stripped).unwrap().len();
    assert!(size <= 1 << 20, "{size} bytes, stripped");
    let flags = tool("readelf", &["-dW"]);
    assert!(flags.contains("NOW") && flags.contains("NODELETE"), "{flags}");
}
