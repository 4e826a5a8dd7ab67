//! The header, from C and from C++, in a program linked with the library.

use crate::support::{clean, compile, library, output};
use std::path::Path;
use std::process::Command;

fn linked(as_name: &str, language: &[&str]) {
    let folder = library().parent().unwrap().to_str().unwrap();
    let (search, path) = (format!("-L{folder}"), format!("-Wl,-rpath,{folder}"));
    let arguments = [language, &["-pedantic", "-Werror", &search, &path, "-lstrata"]].concat();
    let program = compile("handle.c", as_name, &arguments);
    assert_eq!(output(&mut clean(&program)), "ok\n");
}

#[test]
fn handles_from_c() {
    linked("handle-c", &[]);
}

#[test]
fn handles_from_cxx() {
    linked("handle-cxx", &["-x", "c++"]);
}

#[test]
fn the_header_stands_alone() {
    let include =
        |folder: &str| format!("-I{}", Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).display());
    for (compiler, language, standard) in [("cc", "c", "-std=c99"), ("c++", "c++", "-std=c++11")] {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/strata/strata.h");
        let status = Command::new(compiler)
            .args(["-x", language, standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
            .args([
                include("include"),
                include("../alloc-core/include"),
                include("../alloc-core/include/strata"),
            ])
            .arg(header)
            .status()
            .unwrap();
        assert!(status.success(), "strata.h as {language}");
    }
}
