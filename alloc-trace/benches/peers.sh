#!/usr/bin/env bash
# What tracing costs a program: examples/work untraced, in each mode, under heaptrack and under gperftools' tcmalloc (where
# they are installed: Debian's heaptrack and libgoogle-perftools-dev), on jemalloc with and without its sampling profiler,
# and under dhat-rs. Rounds in which all take turns; medians. A tracer that is part of an allocator is compared with that
# allocator, untraced. Needs GNU time. Usage: peers.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-7}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
cargo build --release --quiet -p alloc-trace --example work
cargo build --quiet -p alloc-trace --features report --bin strata-trace
for peer in dhat jemalloc; do
  cargo build --release --quiet --manifest-path "benches/$peer/Cargo.toml" --target-dir "$target/$peer"
done
work=$target/release/examples/work
dhat=$target/dhat/release/alloc-trace-dhat
jemalloc=$target/jemalloc/release/alloc-trace-jemalloc
tcmalloc=$(ls /usr/lib/*/libtcmalloc.so.4 2>/dev/null | head -1 || true)

# The row of that name is compared with the other.
declare -A base=([sampled]=untraced [exact]=untraced [aggregate]=untraced [heaptrack]=untraced [dhat-rs]=untraced
  [jemalloc sampling]=jemalloc [tcmalloc sampling]=tcmalloc [tcmalloc heap profiler]=tcmalloc)
names=(untraced sampled exact aggregate)
command -v heaptrack >/dev/null && names+=(heaptrack)
names+=(dhat-rs jemalloc "jemalloc sampling")
[ -n "$tcmalloc" ] && names+=(tcmalloc "tcmalloc sampling" "tcmalloc heap profiler")

command_of() { # name: the command, one word a line
  case $1 in
    untraced) printf '%s\n' "$work" ;;
    sampled | exact | aggregate) printf '%s\n' env "STRATA_TRACE=$1:$folder/trace" "$work" ;;
    heaptrack) printf '%s\n' heaptrack -o "$folder/trace" "$work" ;;
    dhat-rs) printf '%s\n' "$dhat" ;;
    jemalloc) printf '%s\n' "$jemalloc" ;;
    "jemalloc sampling")
      printf '%s\n' env "_RJEM_MALLOC_CONF=prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:$folder/trace" "$jemalloc" ;;
    tcmalloc) printf '%s\n' env "LD_PRELOAD=$tcmalloc" "$work" ;;
    # Samples stay in the process: the program would have to ask for them.
    "tcmalloc sampling") printf '%s\n' env "LD_PRELOAD=$tcmalloc" TCMALLOC_SAMPLE_PARAMETER=524288 "$work" ;;
    "tcmalloc heap profiler") printf '%s\n' env "LD_PRELOAD=$tcmalloc" "HEAPPROFILE=$folder/trace" "$work" ;;
  esac
}

# name threads: appends seconds, peak KiB and bytes of the trace to the name's file
once() {
  local words
  mapfile -t words < <(command_of "$1")
  rm -f "$folder"/trace* "$folder"/dhat-heap.json
  # GNU time: the peak of a process begins with that of the one that started it, and this one is small.
  (cd "$folder" && /usr/bin/time -f %M -o "$folder/peak" "${words[@]}" "$2" 20 >"$folder/said" 2>&1)
  local seconds size
  seconds=$(grep -oE '^[0-9.]+ s$' "$folder/said" | cut -d' ' -f1)
  size=$(find "$folder" -maxdepth 1 \( -name 'trace*' -o -name dhat-heap.json \) -printf '%s\n' | awk '{sum += $1} END {print sum + 0}')
  echo "$seconds $(tail -1 "$folder/peak") $size" >>"$folder/$1-$2"
}

for _ in $(seq "$rounds"); do
  for threads in 1 2; do
    for name in "${names[@]}"; do once "$name" "$threads"; done
  done
done

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
column() { cut -d' ' -f"$2" "$folder/$1" | median; }
for threads in 1 2; do
  STRATA_TRACE=exact:$folder/trace "$work" "$threads" 20 >/dev/null 2>&1
  "$target/debug/strata-trace" compress "$folder/trace" -o "$folder/small"
  events[threads]=$("$target/debug/strata-trace" json "$folder/small" |
    sed 's/.*"allocs":\([0-9]*\),"alloc_bytes":[0-9]*,"frees":\([0-9]*\),.*/\1 \2/' | awk '{print $1 + $2}')
  echo "$threads thread(s): ${events[threads]} events; exact trace $(stat -c %s "$folder/trace") bytes, compressed $(stat -c %s "$folder/small")"
done
echo
echo "| tracer | threads | seconds | times the untraced | ns added to an event | peak MiB | MiB more than untraced | bytes written | bytes an event |"
echo "|---|---|---|---|---|---|---|---|---|"
for threads in 1 2; do
  for name in "${names[@]}"; do
    file=$name-$threads
    before=${base[$name]:-$name}-$threads
    # Of `threads` at work at the same time, each had its part of the events.
    awk -v n="$name" -v t="$threads" -v s="$(column "$file" 1)" -v b="$(column "$before" 1)" -v p="$(column "$file" 2)" \
      -v q="$(column "$before" 2)" -v z="$(column "$file" 3)" -v e="${events[threads]}" \
      'BEGIN {printf "| %s | %s | %.3f | %.2f | %.0f | %.0f | %.0f | %s | %.2f |\n", n, t, s, s / b, (s - b) * 1e9 * t / e, p / 1024, (p - q) / 1024, z, z / e}'
  done
done
