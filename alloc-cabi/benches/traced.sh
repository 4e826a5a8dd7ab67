#!/usr/bin/env bash
# What tracing costs real programs: seconds of processor time of each program on its C library's own allocator, under
# libstrata.so, and traced in each mode; the order turns from round to round, and figures are medians of the ratios to the
# untraced run of the same round. heaptrack, where it is installed, is compared with the C library's allocator, which it keeps; its
# second process, which reads what the first one writes, counts.
#
#   alloc-cabi/benches/traced.sh [ROUNDS, default 5] [REGEX of programs, default all]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
only=${2:-.}
library=$(ci/library.sh)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python=$(python3 -c 'import sys; print(sys.executable)')
repository=$PWD
{
  echo 'CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); BEGIN;'
  awk 'BEGIN {for (i = 0; i < 60000; i++) printf "INSERT INTO t(b, c) VALUES (\x27%d-%d\x27, %d.5);\n", i % 777, i * 7919 % 60013, i}'
  echo 'COMMIT; CREATE INDEX i ON t(b, c); SELECT count(*), sum(c) FROM t; SELECT b FROM t GROUP BY substr(b, 1, 3) ORDER BY b LIMIT 5;'
} > "$scratch/base.sql"

wrap=()
program() { # name: runs it
  case $1 in
    python-json) "${wrap[@]}" "$python" -c 'import json
d = [{"id": i, "name": "item %d" % i, "tags": ["a%d" % (i % 97)] * 3, "x": i * 0.5} for i in range(3000)]
for _ in range(12): d = json.loads(json.dumps(d, indent=1))
print(len(d))' ;;
    git-log) "${wrap[@]}" git -C "$repository" log --stat -n 150 --format='%h %s' ;;
    sqlite) "${wrap[@]}" sqlite3 :memory: < "$scratch/base.sql" ;;
  esac > "$scratch/output"
}

seconds() { # name, variables: processor time of a run
  local name=$1
  shift
  TIMEFORMAT='%U %S'
  { time (export "$@"; program "$name" 2> "$scratch/said"); } 2>&1 | awk '{printf "%.4f\n", $1 + $2}'
}

modes=(glibc untraced sampled aggregate exact history)
if command -v heaptrack > /dev/null; then modes+=(heaptrack); fi
echo "| program | untraced, s | glibc alone | sampled | aggregate | exact | history | heaptrack | bytes of the exact trace | of heaptrack's |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
for name in python-json git-log sqlite; do
  [[ $name =~ $only ]] || continue
  rm -f "$scratch"/times.*
  for ((round = 0; round < rounds; round++)); do
    for ((step = 0; step < ${#modes[@]}; step++)); do
      mode=${modes[$(((round + step) % ${#modes[@]}))]}
      wrap=()
      case $mode in
        heaptrack)
          wrap=(heaptrack -o "$scratch/heaptrack-0")
          set -- NOTHING=1
          ;;
        glibc) set -- NOTHING=1 ;;
        untraced) set -- "LD_PRELOAD=$library" ;;
        history) set -- "LD_PRELOAD=$library" STRATA_HISTORY=1000 ;;
        *) set -- "LD_PRELOAD=$library" "STRATA_TRACE=$mode:$scratch/$mode-%p" ;;
      esac
      seconds "$name" "$@" >> "$scratch/times.$mode"
      # It tells of itself in the program's output.
      [ "$mode" != heaptrack ] || cp "$scratch/expected.$name" "$scratch/output"
      cmp -s "$scratch/output" "$scratch/expected.$name" 2> /dev/null || [ ! -f "$scratch/expected.$name" ] || { echo "traced: $name: the output differs under $mode" >&2; exit 1; }
      cp "$scratch/output" "$scratch/expected.$name"
      [ "$mode" != exact ] || bytes=$(cat "$scratch"/exact-* | wc -c)
      [ "$mode" != heaptrack ] || theirs=$(cat "$scratch"/heaptrack-0* | wc -c)
      rm -f "$scratch"/*-[0-9]*
    done
  done
  median() { sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
  row="| $name | $(median < "$scratch/times.untraced" | awk '{printf "%.2f", $1}')"
  for mode in glibc sampled aggregate exact history; do
    row+=" | $(paste "$scratch/times.$mode" "$scratch/times.untraced" | awk '{print $1 / $2}' | median | awk '{printf "%.2f", $1}')"
  done
  if [ -f "$scratch/times.heaptrack" ]; then
    row+=" | $(paste "$scratch/times.heaptrack" "$scratch/times.glibc" | awk '{print $1 / $2}' | median | awk '{printf "%.2f", $1}') | $bytes | $theirs"
  else
    row+=" | | $bytes | "
  fi
  echo "$row |"
done
