#!/bin/sh
# Times of alloc-bump and its peers, as Markdown tables: for each case the medians of criterion, and the ratio of our fastest arena
# to the fastest peer (below 1: faster than every peer). Takes about three minutes; wants a quiet machine.
#
#   ci/bench-bump.sh            everything
#   ci/bench-bump.sh 'cold'     the cases whose name matches
set -eu
cd "$(dirname "$0")/.."

CRITERION_HOME=$(mktemp -d)
export CRITERION_HOME
trap 'rm -rf "$CRITERION_HOME"' EXIT

cargo bench --quiet --package alloc-bump --all-features --bench bump -- --noplot "$@" \
    >"$CRITERION_HOME/log" 2>&1 || { cat "$CRITERION_HOME/log" >&2; exit 1; }

find "$CRITERION_HOME" -path '*/new/benchmark.json' | while read -r benchmark; do
    case_of() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$benchmark"; }
    # Criterion gives the time of a round; rounds of several elements say how many.
    elements=$(sed -n 's/.*"Elements":\([0-9]*\).*/\1/p' "$benchmark")
    median=$(sed -n 's/.*"median":{[^}]*}[^}]*"point_estimate":\([0-9.eE+-]*\).*/\1/p' "${benchmark%benchmark.json}estimates.json")
    printf '%s\t%s\t%s\t%s\n' "$(case_of group_id)" "$(case_of function_id)" "$median" "${elements:-1}"
done | sort -t "$(printf '\t')" -k1,1n -k2,2 | awk -F '\t' '
    function time(ns) {
        if (ns < 1e3) return sprintf("%.2f ns", ns)
        if (ns < 1e6) return sprintf("%.2f µs", ns / 1e3)
        if (ns < 1e9) return sprintf("%.2f ms", ns / 1e6)
        return sprintf("%.2f s", ns / 1e9)
    }
    BEGIN {
        columns = split("alloc-bump up|alloc-bump up 8|alloc-bump down|alloc-bump sync|bumpalo|bump-scope up|" \
            "bump-scope down|blink-alloc", column, "|")
    }
    {
        ns = $3 / $4
        sub(/^[0-9]+ /, "", $1)
        if (!($1 in seen)) { seen[$1] = 1; order[++groups] = $1 }
        cell[$1, $2] = ns
        rows[$1] = rows[$1] $2 "|"
        ours = $2 ~ /^alloc-bump/
        if (ours && (!(($1, 1) in best) || ns < best[$1, 1])) best[$1, 1] = ns
        if (!ours && (!(($1, 0) in best) || ns < best[$1, 0])) best[$1, 0] = ns
    }
    function ratio(a, b) { return b > 0 ? sprintf("%.2f", a / b) : "-" }
    END {
        header = "| case |"; rule = "|---|"
        for (c = 1; c <= columns; c++) { header = header " " column[c] " |"; rule = rule "---:|" }
        print header " ours to peers |"
        print rule "---:|"
        for (g = 1; g <= groups; g++) {
            name = order[g]
            if (!((name, column[1]) in cell)) continue
            line = "| " name " |"
            for (c = 1; c <= columns; c++) line = line " " (((name, column[c]) in cell) ? time(cell[name, column[c]]) : "-") " |"
            print line " " ratio(best[name, 1], best[name, 0]) " |"
        }
        for (g = 1; g <= groups; g++) {
            name = order[g]
            if ((name, column[1]) in cell) continue
            print "\n| " name " | time | to the fastest peer |\n|---|---:|---:|"
            count = split(rows[name], arena, "|")
            for (i = 1; i < count; i++)
                print "| " arena[i] " | " time(cell[name, arena[i]]) " | " ratio(cell[name, arena[i]], best[name, 0]) " |"
        }
    }'
