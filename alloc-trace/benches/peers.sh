#!/usr/bin/env bash
# What tracing costs a program: examples/work untraced, in each mode, under heaptrack (where it is installed) and under
# dhat-rs. Rounds in which all take turns; medians of seconds, peak memory, and bytes written. Usage: peers.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
cargo build --release --quiet -p alloc-trace --example work
cargo build --release --quiet --manifest-path benches/dhat/Cargo.toml --target-dir "$target/dhat"
work=$target/release/examples/work
dhat=$target/dhat/release/alloc-trace-dhat

# name threads command...: appends seconds, peak KiB and bytes of the trace to the name's file
once() {
  local name=$1 threads=$2
  shift 2
  rm -f "$folder"/trace* "$folder"/dhat-heap.json
  /usr/bin/env -C "$folder" python3 - "$@" "$threads" 20 >>"$folder/$name-$threads" <<'EOF'
import glob, os, re, resource, subprocess, sys
run = subprocess.run(sys.argv[1:], capture_output=True, text=True)
seconds = re.search(r"([0-9.]+) s\b", run.stderr + run.stdout).group(1)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
size = sum(os.path.getsize(file) for file in glob.glob("trace*") + glob.glob("dhat-heap.json"))
print(seconds, peak, size)
EOF
}

names="untraced sampled exact aggregate dhat-rs"
command -v heaptrack >/dev/null && names="$names heaptrack"
for _ in $(seq "$rounds"); do
  for threads in 1 2; do
    once untraced "$threads" "$work"
    for mode in sampled exact aggregate; do
      STRATA_TRACE=$mode:$folder/trace once "$mode" "$threads" "$work"
    done
    if command -v heaptrack >/dev/null; then once heaptrack "$threads" heaptrack -o "$folder/trace" "$work"; fi
    once dhat-rs "$threads" "$dhat"
  done
done

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
echo "| tracer | threads | seconds | times the untraced | peak MiB | bytes written |"
echo "|---|---|---|---|---|---|"
for threads in 1 2; do
  base=$(cut -d' ' -f1 "$folder/untraced-$threads" | median)
  for name in $names; do
    file=$folder/$name-$threads
    seconds=$(cut -d' ' -f1 "$file" | median)
    peak=$(cut -d' ' -f2 "$file" | median)
    size=$(cut -d' ' -f3 "$file" | median)
    awk -v n="$name" -v t="$threads" -v s="$seconds" -v b="$base" -v p="$peak" -v z="$size" \
      'BEGIN {printf "| %s | %s | %.3f | %.2f | %.0f | %s |\n", n, t, s, s / b, p / 1024, z}'
  done
done
