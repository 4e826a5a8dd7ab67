#!/usr/bin/env bash
# Bytes an event of exact traces of real programs, as they are written and compressed afterwards; processes that a program starts
# are traced too, and summed. Counts, not times: runs beside anything else.
#
#   alloc-cabi/benches/bytes.sh [REGEX of programs, default all]
#
# STRATA_LIBRARY and STRATA_TRACE_TOOL name a library and a `strata-trace` that are built already.
set -euo pipefail
cd "$(dirname "$0")/../.."
only=${1:-.}
tool=${STRATA_TRACE_TOOL:-}
library=$(ci/library.sh)
if [ -z "$tool" ]; then
  cargo build -q -p alloc-trace --features report --bin strata-trace
  tool=${CARGO_TARGET_DIR:-target}/debug/strata-trace
fi
tool=$(realpath "$tool")
repository=$PWD
python=$(python3 -c "import sys; print(sys.executable)")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
{
  echo 'CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); BEGIN;'
  awk 'BEGIN {for (i = 0; i < 60000; i++) printf "INSERT INTO t(b, c) VALUES (\x27%d-%d\x27, %d.5);\n", i % 777, i * 7919 % 60013, i}'
  echo 'COMMIT; CREATE INDEX i ON t(b, c); SELECT count(*), sum(c) FROM t;'
} > "$scratch/base.sql"
cat > "$scratch/program.cpp" <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<std::shared_ptr<int>>> m;
  for (int i = 0; i < 50000; i++) m[std::to_string(i % 997) + " has a name of its own"].push_back(std::make_shared<int>(i));
  std::regex r("([0-9]+) has.*");
  long n = 0;
  for (auto &[k, v] : m) n += std::regex_match(k, r) ? static_cast<long>(v.size()) : 0;
  std::cout << n << "\n";
}
END
g++ -std=c++17 -O1 "$scratch/program.cpp" -o "$scratch/program"
cat > "$scratch/objects.py" <<'END'
import json, re, collections
d = [{"id": i, "name": "item %d" % i, "tags": ["a%d" % (i % 97)] * 3, "x": i * 0.5} for i in range(3000)]
for _ in range(3): d = json.loads(json.dumps(d, indent=1))
print(len(d), len(re.findall(r"\w+", " ".join(x["name"] for x in d))), len(collections.Counter(x["x"] for x in d)))
END
awk 'BEGIN {for (i = 0; i < 20000; i++) print "a line of some words, and", i % 89, "numbers", i}' > "$scratch/lines"

program() { # name: runs it
  case $1 in
    python3) "$python" "$scratch/objects.py" ;;
    python3-malloc) PYTHONMALLOC=malloc "$python" "$scratch/objects.py" ;;
    perl) perl -e 'my %h; $h{$_ % 9973} .= "x$_" for 1..100000; print length(join ",", map {$h{$_}} sort keys %h), "\n"' ;;
    git-log) git -C "$repository" log --stat -n 150 --format='%h %s' ;;
    sqlite3) sqlite3 :memory: < "$scratch/base.sql" ;;
    g++) g++ -std=c++17 -O1 -c "$scratch/program.cpp" -o "$scratch/program.o" ;;
    c++-program) "$scratch/program" ;;
    bash) bash -c 'for ((i = 0; i < 20000; i++)); do a[i % 100]="$i ${a[i * 7 % 100]:0:20}"; done; echo ${#a[@]}' ;;
    awk) awk '{n[$7] += $9; l = l substr($0, 1, 3)} END {for (k in n) s += n[k]; print s, length(l)}' "$scratch/lines" ;;
    xz) tar -C "$repository" -cf - docs alloc-core | xz -T2 -1 ;;
  esac > "$scratch/output"
}

echo "| program | processes | events | bytes of the traces | bytes an event | compressed |"
echo "|---|---:|---:|---:|---:|---:|"
for name in python3 python3-malloc perl git-log sqlite3 g++ c++-program bash awk xz; do
  [[ $name =~ $only ]] || continue
  mkdir "$scratch/traces"
  (
    export LD_PRELOAD=$library STRATA_TRACE=$scratch/traces/%p
    program "$name"
  )
  for trace in "$scratch"/traces/*; do
    "$tool" compress "$trace" -o "$scratch/small"
    events=$("$tool" json "$scratch/small" | sed 's/.*"allocs":\([0-9]*\),"alloc_bytes":[0-9]*,"frees":\([0-9]*\),.*/\1 \2/')
    echo "$events $(stat -c %s "$trace") $(stat -c %s "$scratch/small")"
  done | awk -v n="$name" '{p++; e += $1 + $2; b += $3; c += $4}
    END {printf "| %s | %d | %d | %d | %.2f | %.2f |\n", n, p, e, b, b / e, c / e}'
  rm -rf "$scratch/traces"
done
