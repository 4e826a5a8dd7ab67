#!/usr/bin/env bash
# Instructions of the C library's calls against their budgets: what lies at hand alone, and a loop with all the rest of it
# against the same strategy linked into a program. Those of the strategies themselves are counted by the crates' own tests.
set -euo pipefail
cd "$(dirname "$0")/.."
STRATA_LIBRARY=$(ci/library.sh)
export STRATA_LIBRARY
ci/count-cabi.sh --check
ci/compare-cabi.sh --check
