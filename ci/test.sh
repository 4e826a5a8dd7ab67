#!/usr/bin/env bash
# The README's test command, then the same in the release build for the crates whose fast paths differ there.
set -euo pipefail
cd "$(dirname "$0")/.."
# One library for all tests of it, instead of one each.
STRATA_LIBRARY=$(ci/library.sh)
export STRATA_LIBRARY
cargo test --workspace
# The tests of traces need a feature of alloc-trace, which it has because of a crate beside it: this fails when they were left out.
cargo test --workspace --test traces --no-run
# In the release build that cargo makes where a program sets nothing. What the project's own settings make of the whole is run
# by the tests of the C library, the counts, and the matrix.
export CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false
cargo test --release -p alloc-core -p alloc-bump -p alloc-select --all-features -- --skip fast_paths_keep_their_budgets
