//! Programs of every kind, made on the spot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use strata_preload::{Reason, Verdict, examine};

/// Compiles a program of one line.
fn compiled(name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verdicts-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (file, program) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let status = Command::new("cc").arg(&file).args(arguments).arg("-o").arg(&program).status().unwrap();
    assert!(status.success());
    program
}

fn refused(program: &Path) -> Reason {
    match examine(program).unwrap() {
        Verdict::Refused(reason) => reason,
        Verdict::Served => panic!("{} is served", program.display()),
    }
}

const MAIN: &str = "int main(void) { return 0; }";

#[test]
fn ordinary_programs_are_served() {
    assert_eq!(examine(&compiled("plain", MAIN, &[])).unwrap(), Verdict::Served);
    assert_eq!(examine(&compiled("stripped", MAIN, &["-s"])).unwrap(), Verdict::Served);
    assert_eq!(examine(Path::new("/bin/true")).unwrap(), Verdict::Served);
}

#[test]
fn static_programs_are_not() {
    assert_eq!(refused(&compiled("static", MAIN, &["-static"])), Reason::Static);
    assert_eq!(refused(&compiled("static-pie", MAIN, &["-static-pie"])), Reason::Static);
}

#[test]
fn programs_with_an_allocator_are_named() {
    let defines = |name: &str, symbol: &str, arguments: &[&str]| {
        refused(&compiled(
            name,
            &format!("void *{symbol}(unsigned long n) {{ return (void *)n; }} {MAIN}"),
            arguments,
        ))
    };
    assert_eq!(defines("je", "_rjem_malloc", &[]), Reason::Embeds("jemalloc"));
    assert_eq!(defines("mi", "mi_malloc", &[]), Reason::Embeds("mimalloc"));
    assert_eq!(defines("tc", "tc_malloc", &[]), Reason::Embeds("tcmalloc"));
    let own = Reason::Embeds("a malloc that the program defines");
    assert_eq!(defines("own", "malloc", &["-fno-builtin"]), own);
    // A stripped program still exports what the loader must find.
    assert_eq!(defines("own-stripped", "malloc", &["-fno-builtin", "-s", "-rdynamic"]), own);
    let text = format!("const char *text = \"<jemalloc>: oh\"; {MAIN}");
    assert_eq!(refused(&compiled("je-stripped", &text, &["-s"])), Reason::Embeds("jemalloc"));
}

#[test]
fn a_shared_allocator_is_replaced_unless_its_own_functions_are_called() {
    let library = "void *mallocx(unsigned long n, int f) { return (void *)(n + f); }
        int mallctl(const char *n) { return *n; }";
    let library = compiled("libjemalloc.so.2", library, &["-shared", "-fPIC"]);
    let linked = |name: &str, call: &str| {
        let source = format!(
            "void *mallocx(unsigned long, int); int mallctl(const char *); int main(void) {{ return {call} != 0; }}"
        );
        compiled(name, &source, &[library.to_str().unwrap()])
    };
    assert_eq!(examine(&linked("asks", "mallctl(\"x\")")).unwrap(), Verdict::Served);
    assert_eq!(refused(&linked("takes", "mallocx(8, 0)")), Reason::Embeds("jemalloc"));
}

#[test]
fn other_files_are_refused_and_damaged_ones_survived() {
    let program = compiled("damaged", MAIN, &[]);
    let bytes = fs::read(&program).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        fs::write(&program, &bytes[..cut]).unwrap();
        let _ = examine(&program).unwrap();
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0xff;
        fs::write(&program, &flipped).unwrap();
        let _ = examine(&program).unwrap();
    }
    fs::write(&program, "text").unwrap();
    assert_eq!(refused(&program), Reason::NotElf);
    assert!(examine(Path::new("/nonexistent")).is_err());
}

#[test]
fn scripts_are_as_their_interpreters() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let script = folder.join(format!("script-{}", std::process::id()));
    for first in ["#!/bin/sh", "#! /usr/bin/env -S sh -e", "#!/usr/bin/env sh"] {
        fs::write(&script, format!("{first}\ntrue\n")).unwrap();
        assert_eq!(examine(&script).unwrap(), Verdict::Served, "{first}");
    }
    let fixed = compiled("interpreter", MAIN, &["-static"]);
    fs::write(&script, format!("#!{}\n", fixed.display())).unwrap();
    assert_eq!(refused(&script), Reason::Static);
    fs::remove_file(script).unwrap();
}

#[test]
fn programs_that_gain_rights_are_refused() {
    let program = compiled("secure", MAIN, &[]);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    assert_eq!(examine(&program).unwrap(), Verdict::Served, "its owner gains nothing");
    // Only who may give files away can make a program of somebody else's.
    if std::os::unix::fs::chown(&program, Some(12345), None).is_ok() {
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        assert_eq!(refused(&program), Reason::Secure);
    }
}

/// Runs the launcher and gives its output and what it said.
fn launched(arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_strata-preload"))
        .args(arguments)
        .env_remove("LD_PRELOAD")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_launcher_runs_every_program_and_says_one_line_where_it_is_not_served() {
    let (said, why) = launched(&["--library", "/nonexistent/libstrata.so", "/bin/echo", "hello"]);
    assert_eq!(said, "hello\n");
    assert_eq!(
        why,
        "strata-preload: /bin/echo: the library /nonexistent/libstrata.so does not exist; give --library; \
         it runs on its own allocator\n"
    );
    let hello = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }";
    let program = compiled("launched", hello, &["-static"]);
    // Any file serves for a library here: nothing loads it.
    let (said, why) = launched(&["--library", "/bin/true", program.to_str().unwrap()]);
    assert_eq!(said, "hello\n");
    assert_eq!(
        why,
        format!(
            "strata-preload: {}: it is linked statically, so that nothing can be preloaded; \
             it runs on its own allocator\n",
            program.display()
        )
    );
}
