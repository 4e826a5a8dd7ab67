#!/bin/sh
# Instructions of one operation in alloc-bump and its peers, as a Markdown table, counted by callgrind from a function's
# entry up to its return (the `ret` itself, one for all, is left out), callees included, on the path that is taken
# when there is room.
#
#   ci/count-bump.sh            the table
#   ci/count-bump.sh --check    also fails when alloc-bump exceeds its budgets
set -eu
cd "$(dirname "$0")/.."

counts=$(ci/count.sh alloc-bump counts)

echo "$counts" | awk -v check="${1:-}" '
    BEGIN {
        calls = 100 # as in benches/counts.rs
        count = split("ours_up ours_up8 ours_down ours_down8 ours_sync bumpalo bumpalo8 bump_scope_up bump_scope_up8 " \
            "bump_scope_down bump_scope_down8 blink_alloc", arenas, " ")
        label["ours_up"] = "**alloc-bump** `Up`"; label["ours_up8"] = "**alloc-bump** `Up<8>`"
        label["ours_down"] = "**alloc-bump** `Down`"; label["ours_down8"] = "**alloc-bump** `Down<8>`"
        label["ours_sync"] = "**alloc-bump** `SyncBump`"; label["bumpalo"] = "bumpalo"; label["bumpalo8"] = "bumpalo, 8"
        label["bump_scope_up"] = "bump-scope up"; label["bump_scope_up8"] = "bump-scope up, 8"
        label["bump_scope_down"] = "bump-scope down"; label["bump_scope_down8"] = "bump-scope down, 8"
        label["blink_alloc"] = "blink-alloc"
        operations = split("u32 layout grow free reset", operation, " ")
        # What alloc-bump may spend: what it does spend, and one more where the compiler has room to choose.
        budget["ours_up u32"] = 8; budget["ours_up layout"] = 11; budget["ours_up grow"] = 9; budget["ours_up free"] = 5
        budget["ours_up8 u32"] = 8; budget["ours_up8 layout"] = 13; budget["ours_up8 grow"] = 13
        budget["ours_down u32"] = 8; budget["ours_down layout"] = 9; budget["ours_down grow"] = 25
        budget["ours_down8 u32"] = 8; budget["ours_down8 layout"] = 10; budget["ours_down8 grow"] = 25
        budget["ours_sync u32"] = 12; budget["ours_sync layout"] = 14; budget["ours_sync grow"] = 12
    }
    match($1, /_(u32|layout|grow|free|reset)$/) { cost[substr($1, 1, RSTART - 1) " " substr($1, RSTART + 1)] = $2 }
    END {
        print "| instructions | `alloc(u32)` | unknown layout | grow last | free last | reset |"
        print "|---|---:|---:|---:|---:|---:|"
        for (i = 1; i <= count; i++) {
            line = "| " label[arenas[i]] " |"
            for (j = 1; j <= operations; j++) {
                key = arenas[i] " " operation[j]
                if (!(key in cost)) { print "count-bump: " key " was not counted" > "/dev/stderr"; failed = 1; continue }
                each = cost[key] / calls - 1
                line = line sprintf(" %.3g |", each)
                if (check == "--check" && key in budget && each > budget[key]) {
                    printf "count-bump: %s takes %g instructions, its budget is %d\n", key, each, budget[key] > "/dev/stderr"
                    failed = 1
                }
            }
            print line
        }
        exit failed
    }'
