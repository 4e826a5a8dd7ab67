#!/usr/bin/env bash
# What a switch that is off costs whole programs: workloads of `cargo matrix` on the C library's allocator and on ptmalloc, within
# a `Traced` that nothing switches on, and bare. For each, instructions under callgrind (where valgrind is installed), and time.
#
# Where code comes to lie is worth more than the switch: both programs are linked in several orders of their functions (where the
# linker is LLD), so that it comes out by chance on either side. In each of ROUNDS rounds all of them have their turn, in a process
# each, whose fastest of 8 runs counts. Processors of virtual machines run at half of their speed while a neighbour uses the
# other half: of each program in each order, the mean of the fastest fifth of its rounds is its time. Printed is the mean of the
# orders' ratios, with the interval of 95 % that a bootstrap over orders and rounds gives, and the least and the largest of the
# orders' ratios; and of the bare program alone, by how much its times in these orders differ: what lies by chance.
#
# Usage: off.sh [ROUNDS [WORKLOAD ...]], 0 for instructions alone; STRATA_OFF_STRATEGIES and STRATA_OFF_ORDERS choose among `libc ptmalloc`, and how many.
# STRATA_OFF_PROGRAMS: a folder for the programs, which are taken from there if they are there already. STRATA_OFF_ALONE: a command
# that is put before each workload's rounds, to keep others from the processor.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-25}
shift || true
workloads=("$@")
[ $# -gt 0 ] || workloads=(words json regex trees vectors churn mixed larson)
read -r -a strategies <<<"${STRATA_OFF_STRATEGIES:-libc ptmalloc}"
read -r -a alone <<<"${STRATA_OFF_ALONE:-}"
orders=${STRATA_OFF_ORDERS:-8}
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/off
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
programs=${STRATA_OFF_PROGRAMS:-$folder/programs}
mkdir -p "$programs"

# What rustc calls as its linker: links as it is told to, and then in other orders.
cat >"$folder/cc" <<'LINK'
#!/bin/sh
cc "$@" || exit
for order in $(seq "$OFF_ORDERS"); do
  cc "$@" -Wl,--shuffle-sections=".text*=$order" -o "$OFF_PROGRAM-$order" 2>/dev/null || rm -f "$OFF_PROGRAM-$order"
done
LINK
chmod +x "$folder/cc"

for strategy in "${strategies[@]}"; do
  for tracer in bare traced; do
    program=$programs/$strategy-$tracer
    [ ! -x "$program" ] || continue
    features=${strategy#libc},${tracer#bare}
    OFF_PROGRAM=$program OFF_ORDERS=$orders cargo rustc --release --quiet --manifest-path benches/off/Cargo.toml \
      --target-dir "$target" --features "$features" -- -C linker="$folder/cc"
    cp "$target/release/alloc-trace-off" "$program"
  done
done

instructions() { # program workload
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" "$2" 1 1 2>&1 >/dev/null | sed -n 's/.*Collected : *//p'
}

# All rounds of a workload: an order and two times a line.
cat >"$folder/rounds" <<'ROUNDS'
#!/bin/sh
# rounds bare traced workload order...
rounds=$1 bare=$2 traced=$3 workload=$4
shift 4
for round in $(seq "$rounds"); do
  for order; do
    # Each is first in every other round.
    if [ $((round % 2)) = 0 ]; then
      b=$("$bare$order" "$workload" 1 8) t=$("$traced$order" "$workload" 1 8)
    else
      t=$("$traced$order" "$workload" 1 8) b=$("$bare$order" "$workload" 1 8)
    fi
    echo "${order:-0} $b $t"
  done
done
ROUNDS
chmod +x "$folder/rounds"

echo "| strategy | workload | % more instructions | % more time | interval of 95 % | orders' least and largest | the same program, in other orders |"
echo "|---|---|---|---|---|---|---|"
for strategy in "${strategies[@]}"; do
  for workload in "${workloads[@]}"; do
    bare=$programs/$strategy-bare traced=$programs/$strategy-traced more=
    if command -v valgrind >/dev/null; then
      more=$(awk -v b="$(instructions "$bare" "$workload")" -v t="$(instructions "$traced" "$workload")" \
        'BEGIN {printf "%.2f", (t / b - 1) * 100}')
    fi
    linked=()
    for order in $(seq "$orders"); do
      [ ! -x "$bare-$order" ] || [ ! -x "$traced-$order" ] || linked+=("-$order")
    done
    # Of another linker: in the order that there is.
    [ ${#linked[@]} -gt 0 ] || linked=("")
    "${alone[@]}" "$folder/rounds" "$rounds" "$bare" "$traced" "$workload" "${linked[@]}" >"$folder/times"
    awk -v s="$strategy" -v w="$workload" -v m="$more" '
      # The mean of the fastest fifth of n values, which are sorted on the way.
      function fast(v, n,   i, j, x, k, sum) {
        for (i = 2; i <= n; i++) {
          x = v[i]
          for (j = i - 1; j > 0 && v[j] > x; j--) v[j + 1] = v[j]
          v[j + 1] = x
        }
        k = int((n + 4) / 5)
        for (i = 1; i <= k; i++) sum += v[i]
        return sum / k
      }
      {
        if (!($1 in number)) number[$1] = ++orders
        o = number[$1]
        b[o, ++n[o]] = $2
        t[o, n[o]] = $3
      }
      END {
        if (!orders) {
          printf "| %s | %s | %s | | | | |\n", s, w, m
          exit
        }
        srand(1)
        low = 1e9; high = -1e9
        for (o = 1; o <= orders; o++) {
          for (i = 1; i <= n[o]; i++) {x[i] = b[o, i]; y[i] = t[o, i]}
          by = fast(x, n[o]); ty = fast(y, n[o])
          ratio = (ty / by - 1) * 100
          mean += ratio / orders
          if (ratio < low) low = ratio
          if (ratio > high) high = ratio
          if (o == 1 || by < least) least = by
          if (o == 1 || by > most) most = by
        }
        for (turn = 1; turn <= 400; turn++) {
          sum = 0
          for (k = 1; k <= orders; k++) {
            o = int(rand() * orders) + 1
            for (i = 1; i <= n[o]; i++) {
              j = int(rand() * n[o]) + 1
              x[i] = b[o, j]; y[i] = t[o, j]
            }
            by = fast(x, n[o]); ty = fast(y, n[o])
            sum += (ty / by - 1) * 100
          }
          means[turn] = sum / orders
        }
        fast(means, 400)
        printf "| %s | %s | %s | %.1f | %.1f to %.1f | %.1f to %.1f | %.1f |\n", s, w, m, mean, means[11], means[390], low, high, (most / least - 1) * 100
      }' "$folder/times"
  done
done
