#!/usr/bin/env bash
# Instructions of a malloc and a free of 40 bytes in the built libstrata.so, for every strategy, on the path that is taken
# when a block is at hand: counted by callgrind from the call in a C program up to the return, the jump through that
# program's linkage table included. The wrapper's own few instructions are taken off.
#
#   ci/count-cabi.sh            the table
#   ci/count-cabi.sh --check    also fails when ptmalloc exceeds its budgets
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in valgrind callgrind_annotate; do
  command -v "$tool" > /dev/null || { echo "count-cabi: $tool is not installed; nothing was counted" >&2; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library=$(ci/library.sh)
cc -O2 -fno-builtin alloc-cabi/benches/counts.c -o "$scratch/counts"

count() { # strategy, function: instructions of a call
  LD_PRELOAD=$3 STRATA_STRATEGY=$1 valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
    --collect-atstart=no "--toggle-collect=$2" "$scratch/counts" 2> "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
  awk '/^(summary|totals):/ {n = $2} END {printf "%.1f", n / 1000}' "$scratch/out"
}
nothing=$(count freelist count_nothing "$library")
echo "| instructions | malloc | free |"
echo "|---|---:|---:|"
bad=0
for strategy in ptmalloc freelist mem_io bump libc glibc; do
  preload=$library
  [ "$strategy" != glibc ] || preload=
  malloc=$(awk -v a="$(count "$strategy" count_malloc "$preload")" -v b="$nothing" 'BEGIN {printf "%.1f", a - b}')
  free=$(awk -v a="$(count "$strategy" count_free "$preload")" -v b="$nothing" 'BEGIN {printf "%.1f", a - b}')
  echo "| $strategy | $malloc | $free |"
  if [ "${1:-}" = --check ] && [ "$strategy" = ptmalloc ]; then
    # Measured, and one more where the compiler has room to choose.
    awk -v m="$malloc" -v f="$free" 'BEGIN {exit !(m > 22 || f > 32)}' && { echo "count-cabi: ptmalloc exceeds its budget" >&2; bad=1; }
  fi
done
exit $bad
