#!/bin/sh
# Counts instructions under callgrind: builds the bench NAME of PACKAGE as released, runs it, and prints one line for each
# function named count_*: its name without that, and the instructions of all its calls, callees included.
#
#   ci/count.sh PACKAGE NAME
#
# Exits with 77 when a tool is missing.
set -eu
cd "$(dirname "$0")/.."
package=$1
bench=$2

for tool in valgrind callgrind_annotate objcopy; do
    command -v "$tool" >/dev/null || { echo "count: $tool is not installed; nothing was counted" >&2; exit 77; }
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cargo bench --quiet --package "$package" --all-features --bench "$bench" --no-run \
    --message-format=json 2>"$scratch/build.log" >"$scratch/build.json" || { cat "$scratch/build.log" >&2; exit 1; }
binary=$(sed -n 's/.*"name":"'"$bench"'".*"executable":"\([^"]*\)".*/\1/p' "$scratch/build.json" | tail -n 1)

# Without debug information every function is one line of the report, whatever was inlined into it.
objcopy --strip-debug "$binary" "$scratch/counts"
valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --toggle-collect='count_*' "$scratch/counts" \
    2>"$scratch/valgrind.log" || { cat "$scratch/valgrind.log" >&2; exit 1; }

callgrind_annotate --inclusive=yes --threshold=100 --show-percs=no "$scratch/out" | awk '
    match($0, /count_[a-z0-9_]+/) {
        name = substr($0, RSTART + 6, RLENGTH - 6)
        gsub(",", "", $1)
        print name, $1
    }'
