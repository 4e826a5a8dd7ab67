//! `libstrata.so` for rows that preload it: built as its README says, from the sources that this program was built from.

use std::path::{Path, PathBuf};
use std::process::Command;

use strata_preload::allocator_library;

use super::Refusal;

/// A library that is built already, as for the scripts in `ci/`.
const READY: &str = "STRATA_LIBRARY";

/// The library's path; cargo builds it where it is not there or older than its sources.
pub(super) fn ours() -> Result<PathBuf, Refusal> {
    let ready = std::env::var_os(READY).filter(|path| !path.is_empty());
    let path = match ready {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    allocator_library(&path).map_err(|reason| format!("cannot preload {}: {reason}", path.display()))
}

fn build() -> Result<PathBuf, Refusal> {
    let folder =
        target().ok_or("cannot tell where this program was built; set STRATA_LIBRARY to a libstrata.so")?;
    let path = folder.join("release/libstrata.so");
    if !path.exists() {
        eprintln!("strata: building libstrata.so");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../alloc-cabi/Cargo.toml");
    // Without unwinding, nothing of Rust's standard library is needed.
    let built = Command::new(&cargo)
        .args(["build", "--quiet", "--release", "--lib", "--config", "profile.release.panic=\"abort\""])
        .args(["--manifest-path", manifest])
        .arg("--target-dir")
        .arg(&folder)
        .status();
    match built {
        Ok(status) if status.success() => Ok(path),
        Ok(status) => Err(format!("cargo could not build libstrata.so ({status})")),
        Err(error) => Err(format!("cannot run {}: {error}", cargo.to_string_lossy())),
    }
}

/// The target folder that this program lies in: `TARGET/release/strata`.
fn target() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.parent().and_then(Path::parent).map(Path::to_path_buf)
}
