#!/bin/sh
# Instructions of the fast paths of alloc-ptmalloc, as a Markdown table, counted by callgrind from a function's entry up to its
# return (the `ret` itself is left out), callees included; and of a block in a batch that is allocated and freed as a whole, refills and flushes
# included.
#
#   ci/count-ptmalloc.sh            the table
#   ci/count-ptmalloc.sh --check    also fails when a budget is exceeded
set -eu
cd "$(dirname "$0")/.."
counts=$(ci/count.sh alloc-ptmalloc counts)

echo "$counts" | awk -v check="${1:-}" '
    BEGIN {
        calls = 100; batch = 10000 # as in benches/counts.rs
        count = split("malloc free alloc_layout dealloc_layout alloc_bytes dealloc_bytes alloc_const dealloc_const " \
            "batch_alloc batch_free", names, " ")
        label["malloc"] = "`malloc(n)`, hit"; label["free"] = "`free(p)`, hit"
        label["alloc_layout"] = "`allocate(layout)`, unknown"; label["dealloc_layout"] = "`deallocate(p, layout)`, unknown"
        label["alloc_bytes"] = "`allocate`, alignment known"; label["dealloc_bytes"] = "`deallocate`, alignment known"
        label["alloc_const"] = "`allocate`, layout known"; label["dealloc_const"] = "`deallocate`, layout known"
        label["batch_alloc"] = "one of 10 000 allocations in a row, 48 bytes"
        label["batch_free"] = "one of 10 000 frees in a row"
        budget["malloc"] = 16; budget["free"] = 21; budget["alloc_layout"] = 15; budget["dealloc_layout"] = 16
        budget["alloc_bytes"] = 14; budget["dealloc_bytes"] = 15; budget["alloc_const"] = 9; budget["dealloc_const"] = 11
        budget["batch_alloc"] = 36; budget["batch_free"] = 36
    }
    { cost[$1] = $2 }
    END {
        print "| path | instructions | budget |"
        print "|---|---:|---:|"
        for (i = 1; i <= count; i++) {
            name = names[i]
            if (!(name in cost)) { print "count-ptmalloc: " name " was not counted" > "/dev/stderr"; failed = 1; continue }
            each = name ~ /^batch/ ? cost[name] / batch : int(cost[name] / calls) - 1
            printf "| %s | %.3g | %s |\n", label[name], each, (name in budget ? budget[name] : "")
            if (check == "--check" && name in budget && each > budget[name]) {
                printf "count-ptmalloc: %s takes %g instructions, its budget is %d\n", name, each, budget[name] > "/dev/stderr"
                failed = 1
            }
        }
        exit failed
    }'
