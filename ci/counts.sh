#!/usr/bin/env bash
# Instructions of the C library's calls against their budgets: what lies at hand alone, and a loop with all the rest of it
# against the same strategy linked into a program. Those of the strategies themselves are counted by the crates' own tests.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build -q --release -p alloc-cabi --config 'profile.release.panic="abort"'
export STRATA_LIBRARY=${CARGO_TARGET_DIR:-target}/release/libstrata.so
ci/count-cabi.sh --check
ci/compare-cabi.sh --check
