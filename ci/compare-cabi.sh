#!/usr/bin/env bash
# What a call through the preloaded libstrata.so costs over the same call of the same strategy linked into a Rust program:
# one program, one loop, C's four calls through a table of functions. Instructions are counted by callgrind, without those
# of the loop; times are medians of ratios of interleaved pairs. `freelist` and `mem_io` are reached through a handle where they are
# linked in, and stand behind a gate for forks and signal handlers in the library: other work, not only another way.
#
#   ci/compare-cabi.sh [PAIRS, default 21]     the table
#   ci/compare-cabi.sh --count                 instructions only
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-21}
for tool in valgrind callgrind_annotate; do
  command -v "$tool" > /dev/null || { echo "compare-cabi: $tool is not installed; nothing was counted" >&2; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target=${CARGO_TARGET_DIR:-target}
library=${STRATA_LIBRARY:-}
if [ -z "$library" ]; then
  cargo build -q --release -p alloc-cabi --config 'profile.release.panic="abort"'
  library=$target/release/libstrata.so
fi
library=$(realpath "$library")
cargo build -q --release -p bench-harness --example c_calls
program=$target/release/examples/c_calls

steps=200000 # of two rounds, as in the example
count() { # preloaded library, strategy of the library, what is called: instructions of a step, the loop's among them
  LD_PRELOAD=$1 STRATA_STRATEGY=$2 valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --collect-atstart=no \
    '--toggle-collect=*c_calls*round*' "$program" "$3" 1 > /dev/null 2> "$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
  awk -v steps=$steps '/^(summary|totals):/ {n = $2} END {if (!n) exit 1; printf "%.1f", n / steps}' "$scratch/out"
}
nothing=$(count "" "" nothing)
echo "| strategy | instructions a step, linked | preloaded | ratio | time, ratio [lower and upper quartile] |"
echo "|---|---:|---:|---:|---:|"
for strategy in ptmalloc freelist mem_io; do
  linked=$(count "" "" $strategy)
  preloaded=$(count "$library" $strategy c)
  time=
  if [ "$pairs" != --count ]; then
    run() { if [ "$1" = c ]; then LD_PRELOAD=$library STRATA_STRATEGY=$strategy "$program" c 20; else "$program" $strategy 20; fi; }
    for ((pair = 0; pair < pairs; pair++)); do
      # A B B A: a drift of the machine hits both alike.
      if ((pair % 2)); then b=$(run c); a=$(run linked); else a=$(run linked); b=$(run c); fi
      awk -v a="$a" -v b="$b" 'BEGIN {print b / a}'
    done | sort -g > "$scratch/ratios"
    time=$(awk '{r[NR] = $1} END {printf "%.3f [%.3f, %.3f]", r[int((NR + 1) / 2)], r[int((NR + 3) / 4)], r[int((3 * NR + 3) / 4)]}' "$scratch/ratios")
  fi
  awk -v s=$strategy -v l="$linked" -v p="$preloaded" -v n="$nothing" -v t="$time" \
    'BEGIN {printf "| %s | %.1f | %.1f | %.3f | %s |\n", s, l - n, p - n, (p - n) / (l - n), t}'
done
