#!/usr/bin/env bash
# Opens what strata-trace writes in the programs that it is written for: heaptrack_print, pprof, the Firefox Profiler (its own code,
# as Mozilla's profiler-cli has it), DHAT's viewer and our page in a headless Chromium; and compares the totals that they show
# with those of the trace. Usage: readers.sh
#
# Installs what is missing (Debian, npm); where that fails, the reader's check is skipped with a line that says so.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
cargo build --quiet -p alloc-trace --features report --bin strata-trace
cargo build --quiet -p alloc-trace --example work

install() {
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  command -v apt-get >/dev/null && "${as_root[@]}" apt-get install -y -q --no-install-recommends "$@" >/dev/null 2>&1
}
have() { # command packages...
  command -v "$1" >/dev/null || install "${@:2}" && command -v "$1" >/dev/null
}
skip() { echo "readers: $1: skipped, $2"; }
fail() { echo "readers: $1" >&2; exit 1; }

STRATA_TRACE=exact:$folder/trace "$target/debug/examples/work" 2 1 >/dev/null 2>&1
for format in json pprof dhat heaptrack firefox html; do
  "$target/debug/strata-trace" "$format" "$folder/trace" -o "$folder/$format"
done
total() { sed "s/.*\"totals\":{[^}]*\"$1\":\([0-9]*\).*/\1/" "$folder/json"; }
allocs=$(total allocs) bytes=$(total alloc_bytes) peak=$(total peak_bytes) live=$(total live_bytes)
[ "$allocs" -gt 50000 ] || fail "the trace has $allocs allocations only"

if have heaptrack_print heaptrack; then
  heaptrack_print -f "$folder/heaptrack" >"$folder/seen"
  grep -q "^calls to allocation functions: $allocs " "$folder/seen" || fail "heaptrack_print does not count $allocs allocations"
  echo "readers: heaptrack_print: $allocs allocations"
else skip heaptrack_print "it cannot be installed"; fi

# Google's pprof, from Debian's source package, or one that is there; not gperftools' program of the same name.
pprof=$target/readers/pprof
if [ ! -x "$pprof" ] && have go golang-go && install golang-github-google-pprof-dev; then
  mkdir -p "$target/readers"
  GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$target/readers/go go build -o "$pprof" github.com/google/pprof || true
fi
if [ -x "$pprof" ]; then
  for pair in "1 $allocs" "2 $bytes"; do
    # The samples' four values stand before a colon in the raw listing.
    sum=$("$pprof" -symbolize=none -raw "$folder/pprof" 2>/dev/null |
      awk -v n="${pair% *}" '/^Locations/ {exit} /^ *[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+: / {sum += $n} END {printf "%d", sum}')
    [ "$sum" = "${pair#* }" ] || fail "pprof sums value ${pair% *} to $sum, not ${pair#* }"
  done
  "$pprof" -symbolize=none -sample_index=alloc_space -top "$folder/pprof" 2>/dev/null | grep -q "words::\|count" ||
    fail "pprof shows no function of the program"
  echo "readers: pprof: $allocs allocations, $bytes bytes"
else skip pprof "neither it nor a Go compiler can be installed"; fi

# The command line of the Firefox Profiler: a process that has the profile loaded, and clients that ask it.
profiler=$target/readers/firefox/node_modules/@firefox-devtools/profiler-cli/dist/profiler-cli.js
if [ ! -f "$profiler" ] && have node nodejs && have npm npm; then
  mkdir -p "$target/readers/firefox"
  npm install --prefix "$target/readers/firefox" --no-audit --no-fund --ignore-scripts @firefox-devtools/profiler-cli@0.10.0 >/dev/null 2>&1 || true
fi
if [ -f "$profiler" ] && have node nodejs; then
  export PROFILER_CLI_SESSION_DIR=$folder/sessions
  ask() { timeout 60 node "$profiler" "$@"; }
  trap 'ask stop --all >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
  cp "$folder/firefox" "$folder/firefox.json"
  # It waits for half a second only; on a busy machine the process is there later.
  ask load "$folder/firefox.json" >/dev/null 2>&1 || true
  for _ in $(seq 60); do ask profile info >"$folder/seen" 2>/dev/null && break; sleep 1; done
  grep -q '^Name: work$' "$folder/seen" || fail "the Firefox Profiler does not load the profile, or not by the program's name"
  for pair in "native-allocations $bytes" "native-retained-allocations $live"; do
    ask strategy "${pair% *}" >/dev/null
    ask thread samples --json >"$folder/seen"
    sum=$(sed -n 's/.*"totalSamples": \([0-9]*\).*/\1/p' "$folder/seen" | head -1)
    [ "$sum" = "${pair#* }" ] || fail "the Firefox Profiler sums ${pair% *} to $sum, not ${pair#* }"
  done
  ask strategy native-allocations >/dev/null
  ask thread samples | grep -q "words::\|count" || fail "the Firefox Profiler shows no function of the program"
  sum=$(ask counter info c-0 --json | sed -n 's/^ *"value": \([0-9]*\),.*/\1/p' | head -1)
  [ "$sum" = "$peak" ] || fail "the Firefox Profiler's memory track reaches $sum, not $peak"
  ask stop --all >/dev/null
  echo "readers: Firefox Profiler: $bytes bytes allocated, $live live, $peak at the peak"
else skip "Firefox Profiler" "its command line cannot be installed"; fi

viewer=$(ls /usr/libexec/valgrind/dh_view.html /usr/lib/valgrind/dh_view.html 2>/dev/null | head -1 || true)
if have chromium chromium; then
  browse() { timeout 120 chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=5000 "$@" 2>/dev/null; }
  if [ -n "$viewer" ]; then
    cp "${viewer%/*}"/dh_view.* "$folder"
    # As its button would do with a file.
    { echo '<script>addEventListener("load", () => tryFunc(() => { gFilename = "trace"; gData ='
      cat "$folder/dhat"
      echo '; buildTree(); displayTree(0, 0, 0); }));</script>'; } >"$folder/script"
    sed "/<body/r $folder/script" "$folder/dh_view.html" >"$folder/view.html"
    browse --dump-dom "file://$folder/view.html" | sed 's/<[^>]*>//g; s/,//g' >"$folder/seen"
    grep -q "Total: *$bytes bytes (100% .*in $allocs blocks" "$folder/seen" || fail "dh_view.html does not show $bytes bytes in $allocs blocks"
    grep -q "At t-gmax: *$peak bytes (100%)" "$folder/seen" || fail "dh_view.html does not show $peak bytes at the peak"
    echo "readers: dh_view.html: $bytes bytes in $allocs blocks, $peak at the peak"
  else skip dh_view.html "valgrind is not installed"; fi
  cp "$folder/html" "$folder/page.html"
  browse --dump-dom "file://$folder/page.html" >"$folder/seen"
  shown=$(printf %s "$allocs" | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta')
  grep -q "<b>$shown</b>blocks" "$folder/seen" || fail "the page does not show $shown blocks"
  [ "$(grep -o 'position:absolute\|left: *[0-9.]*px; *width' "$folder/seen" | wc -l)" -gt 20 ] || fail "the page has no icicle graph"
  echo "readers: the page: $shown blocks"
else skip "dh_view.html and the page" "chromium cannot be installed"; fi
