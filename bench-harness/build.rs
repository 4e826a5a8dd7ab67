//! Tells the program which compiler builds it, for the header of its reports.

use std::process::Command;

fn main() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output();
    let version = version.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    println!("cargo::rustc-env=STRATA_RUSTC={}", version.trim());
    println!("cargo::rerun-if-changed=build.rs");
}
