#!/usr/bin/env bash
# Format, lints and documentation, warnings denied; the floors; files that grew too long.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# Of the release profile, so that the peers' C and C++ are compiled as the matrix needs them, and once.
cargo clippy --workspace --all-targets --all-features --locked --release -- -D warnings
# Outside the workspace, since it takes features of its own; what it takes of the harness changes with that.
cargo check --manifest-path alloc-trace/benches/off/Cargo.toml --target-dir target --features ptmalloc,traced
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked --release
ci/layers.sh
