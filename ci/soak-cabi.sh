#!/usr/bin/env bash
# A soak of libstrata.so: threads, sizes, resizing, alignments and forks, with the contents of every block verified.
#
#   ci/soak-cabi.sh [SECONDS for each strategy, default 60] [STRATEGY...]
#
# STRATA_LIBRARY names a library that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
strategies=("$@")
[ ${#strategies[@]} -gt 0 ] || strategies=(ptmalloc freelist mem_io bump libc)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library=$(ci/library.sh)
cc -std=gnu11 -O1 -g -pthread -fno-builtin -Ialloc-cabi/include -Ialloc-core/include alloc-cabi/tests/c/soak.c -o "$scratch/soak"

for strategy in "${strategies[@]}"; do
  # An arena never reuses what was freed: bounded by what is asked for instead.
  budget=0
  [ "$strategy" != bump ] || budget=2048
  printf '%-10s' "$strategy"
  LD_PRELOAD=$library STRATA_STRATEGY=$strategy timeout $((seconds + 60)) "$scratch/soak" "$seconds" "$budget"
done
