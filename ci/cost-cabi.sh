#!/usr/bin/env bash
# What libstrata.so costs before a program does anything: its size, the start of /bin/true with and without it, and the
# memory that it has written to when main begins. Fails when a budget is exceeded: 1 MiB stripped, 300 microseconds.
#
#   ci/cost-cabi.sh [ROUNDS, default 500]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-500}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library=$(ci/library.sh)
# As it is installed: without symbols for debuggers.
strip -o "$scratch/libstrata.so" "$library"
cc -O2 alloc-cabi/benches/startup.c -o "$scratch/startup"
cc -O2 alloc-cabi/benches/dirty.c -o "$scratch/dirty"

size=$(stat -c %s "$scratch/libstrata.so")
echo "size: $size bytes, stripped"
echo "start-up, medians of $((2 * rounds)) runs each:"
for strategy in ptmalloc freelist mem_io bump libc; do
  "$scratch/startup" "$scratch/libstrata.so" "$strategy" "$rounds"
done | tee "$scratch/times"
echo "memory when main begins:"
for strategy in ptmalloc freelist mem_io bump libc; do
  printf '%-9s ' "$strategy"
  LD_PRELOAD=$scratch/libstrata.so STRATA_STRATEGY=$strategy "$scratch/dirty"
done
[ "$size" -le 1048576 ] || { echo "cost-cabi: the library is larger than 1 MiB" >&2; exit 1; }
awk '{for (i = 1; i < NF; i++) if ($i == "added" && $(i + 1) > 300) {print "cost-cabi: " $1 " adds more than 300 microseconds" > "/dev/stderr"; bad = 1}} END {exit bad}' "$scratch/times"
