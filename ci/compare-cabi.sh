#!/usr/bin/env bash
# What calls through the preloaded libstrata.so cost over the same calls of the same strategy, ptmalloc, linked into a Rust
# program: one program (bench-harness/examples/c_calls.rs), one loop, C's four calls through a table of functions.
# Instructions of each function, with all that it calls, are counted by callgrind; the time of the whole loop is the median
# of the ratios of interleaved pairs.
#
#   ci/compare-cabi.sh [PAIRS, default 41]     the table
#   ci/compare-cabi.sh --count                 instructions only
#   ci/compare-cabi.sh --check                 these, and fails where all calls of the loop together take more than linked
#
# STRATA_LIBRARY names a library that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-41}
command -v valgrind > /dev/null || { echo "compare-cabi: valgrind is not installed; nothing was counted" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target=${CARGO_TARGET_DIR:-target}
library=$(ci/library.sh)
cargo build -q --release -p bench-harness --example c_calls
program=$target/release/examples/c_calls

run() { # c or linked, rounds
  if [ "$1" = c ]; then LD_PRELOAD=$library STRATA_STRATEGY=ptmalloc "$program" c "$2"; else "$program" linked "$2"; fi
}
count() { # c or linked, callgrind's pattern for the function, the function: instructions of a call
  local preload=
  [ "$1" = linked ] || preload=$library
  LD_PRELOAD=$preload STRATA_STRATEGY=ptmalloc valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --collect-atstart=no \
    "--toggle-collect=$2" "$program" "$1" 1 > "$scratch/said" 2> "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
  awk -v name="$3" 'NR == FNR {for (i = 2; i < NF; i += 2) if ($i == name) calls = $(i + 1); next}
    /^(summary|totals):/ {n = $2} END {if (!calls || !n) exit 1; printf "%.2f", n / calls}' "$scratch/said" "$scratch/out"
}
run linked 1 > "$scratch/mix"
echo "| instructions a call | linked | preloaded | ratio |"
echo "|---|---:|---:|---:|"
for function in malloc calloc realloc free; do
  linked=$(count linked "*linked_$function*" $function)
  preloaded=$(count c "$function" $function)
  awk -v name=$function -v l="$linked" -v p="$preloaded" 'NR == 1 {for (i = 2; i < NF; i += 2) if ($i == name) n = $(i + 1)}
    END {printf "| `%s` | %.1f | %.1f | %.3f |\n", name, l, p, p / l; print n * l, n * p >> "'"$scratch/sums"'"}' "$scratch/mix"
done
awk '{l += $1; p += $2} END {printf "| all calls of the loop | | | %.3f |\n", p / l}' "$scratch/sums"
if [ "$pairs" = --check ]; then
  awk '{l += $1; p += $2} END {exit !(p > l)}' "$scratch/sums" || exit 0
  echo "compare-cabi: the preloaded library takes more instructions than the same strategy linked" >&2
  exit 1
fi
[ "$pairs" = --count ] && exit
for ((pair = 0; pair < pairs; pair++)); do
  # A B B A: a drift of the machine hits both alike.
  if ((pair % 2)); then b=$(run c 20); a=$(run linked 20); else a=$(run linked 20); b=$(run c 20); fi
  awk -v a="${a%% *}" -v b="${b%% *}" 'BEGIN {print b / a}'
done | sort -g > "$scratch/ratios"
awk -v n="$pairs" '{r[NR] = $1} END {printf "time of the loop, preloaded to linked: median of %d pairs %.3f, quartiles %.3f and %.3f\n", n, r[int((NR + 1) / 2)], r[int((NR + 3) / 4)], r[int((3 * NR + 3) / 4)]}' "$scratch/ratios"
