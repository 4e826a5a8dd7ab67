#!/usr/bin/env bash
# The README's test command, then the same in the release build for the crates whose fast paths differ there.
set -euo pipefail
cd "$(dirname "$0")/.."
# One library for all tests of it, instead of one each.
STRATA_LIBRARY=$(ci/library.sh)
export STRATA_LIBRARY
cargo test --workspace
cargo test -p alloc-trace --all-features --test traces
cargo test --release -p alloc-core -p alloc-bump -p alloc-select --all-features
