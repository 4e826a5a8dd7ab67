#!/usr/bin/env bash
# What a switch that is off costs whole programs: workloads of `cargo matrix` on the C library's allocator and on ptmalloc, within
# a `Traced` that nothing switches on, and bare. For each, instructions under callgrind (where valgrind is installed), and time:
# rounds in which both take turns, in a process each, whose fastest of 5 runs counts; the ratio of the fastest of all, and the
# median and quartiles of the rounds' ratios. Usage: off.sh [ROUNDS [WORKLOAD ...]]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-9}
shift || true
workloads=("$@")
[ $# -gt 0 ] || workloads=(words json regex trees vectors churn mixed larson)
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/off
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for strategy in libc ptmalloc; do
  for tracer in bare traced; do
    features=${strategy#libc},${tracer#bare}
    cargo build --release --quiet --manifest-path benches/off/Cargo.toml --target-dir "$target" --features "$features"
    cp "$target/release/alloc-trace-off" "$folder/$strategy-$tracer"
  done
done

instructions() { # program workload
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" "$2" 1 1 2>&1 >/dev/null | sed -n 's/.*Collected : *//p'
}

echo "| strategy | workload | % more instructions | % more time, fastest of all | median of rounds | quartiles |"
echo "|---|---|---|---|---|---|"
for strategy in libc ptmalloc; do
  for workload in "${workloads[@]}"; do
    bare=$folder/$strategy-bare traced=$folder/$strategy-traced more=
    if command -v valgrind >/dev/null; then
      more=$(awk -v b="$(instructions "$bare" "$workload")" -v t="$(instructions "$traced" "$workload")" \
        'BEGIN {printf "%.2f", (t / b - 1) * 100}')
    fi
    for round in $(seq "$rounds"); do
      # Each is first in every other round.
      if [ $((round % 2)) = 0 ]; then
        b=$("$bare" "$workload") t=$("$traced" "$workload")
      else
        t=$("$traced" "$workload") b=$("$bare" "$workload")
      fi
      echo "$b $t"
    done | awk -v s="$strategy" -v w="$workload" -v m="$more" '
      function more(b, t) {return (t / b - 1) * 100}
      NR == 1 || $1 < b {b = $1}
      NR == 1 || $2 < t {t = $2}
      {
        # Sorted as they come.
        for (i = NR; i > 1 && v[i - 1] > more($1, $2); i--) v[i] = v[i - 1]
        v[i] = more($1, $2)
      }
      END {
        low = int(NR / 4) + 1
        printf "| %s | %s | %s | %.1f | %.1f | %.1f to %.1f |\n", s, w, m, more(b, t), v[int((NR + 1) / 2)], v[low], v[NR + 1 - low]
      }'
  done
done
