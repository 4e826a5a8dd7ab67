//! Features that are not in this build: the program has cargo build itself with them and run the same command.
//!
//! `cargo matrix` is an alias that ends in the program's arguments, so that `cargo matrix --features peers` gives the
//! flag to the program and not to cargo.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::Refusal;
use crate::names;
use crate::registry;

/// Set for the rebuilt program, which must not try again.
const AGAIN: &str = "STRATA_REBUILT";

/// Whether the user's features are all in this build. Those of this build that the user did not name stay.
pub(super) fn missing(wanted: &[String]) -> Result<Option<Vec<String>>, Refusal> {
    let mut valid = vec!["peers"];
    valid.extend(registry::PEERS);
    let mut complete = true;
    for name in wanted {
        match registry::has_feature(name) {
            Some(here) => complete &= here,
            None => return Err(names::unknown("feature", name, &valid)),
        }
    }
    if complete {
        return Ok(None);
    }
    let here = valid.iter().filter(|name| registry::has_feature(name) == Some(true)).map(ToString::to_string);
    Ok(Some(wanted.iter().cloned().chain(here).collect()))
}

/// Becomes `cargo run` with those features and the same arguments. Returns only when that is impossible.
pub(super) fn become_cargo(features: &[String], arguments: &[OsString]) -> Refusal {
    if std::env::var_os(AGAIN).is_some() {
        return format!(
            "cargo built this program without the features {}; this is a fault of its own",
            features.join(",")
        );
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = Command::new(&cargo);
    command.args(["run", "--quiet", "--manifest-path", manifest, "--bin", "strata"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--features").arg(features.join(",")).arg("--").args(arguments).env(AGAIN, "1");
    eprintln!("strata: building with the features {}", features.join(","));
    format!("cannot run {}: {}", cargo.to_string_lossy(), command.exec())
}
