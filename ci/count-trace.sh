#!/bin/sh
# Instructions that a tracer adds to an allocation and a free of a Rust program, as a Markdown table, counted by callgrind: while it
# is off, and while it samples and the event is none.
#
#   ci/count-trace.sh            the table
#   ci/count-trace.sh --check    also fails when a budget is exceeded
set -eu
cd "$(dirname "$0")/.."
counts=$(ci/count.sh alloc-trace counts)

echo "$counts" | awk -v check="${1:-}" '
    BEGIN {
        calls = 100 # as in benches/counts.rs
        count = split("off_alloc off_free sampled_alloc sampled_free", names, " ")
        label["off_alloc"] = "off, allocation"; label["off_free"] = "off, free"
        label["sampled_alloc"] = "sampled, allocation"; label["sampled_free"] = "sampled, free"
        # Off: the sink, its switch, a test and a branch.
        budget["off_alloc"] = 4; budget["off_free"] = 4; budget["sampled_alloc"] = 14; budget["sampled_free"] = 18
    }
    { cost[$1] = $2 }
    END {
        print "| event | instructions more | budget |"
        print "|---|---:|---:|"
        for (i = 1; i <= count; i++) {
            name = names[i]
            bare = "bare" substr(name, index(name, "_"))
            if (!(name in cost && bare in cost)) {
                print "count-trace: " name " was not counted" > "/dev/stderr"
                failed = 1
                continue
            }
            each = (cost[name] - cost[bare]) / calls
            printf "| %s | %.3g | %d |\n", label[name], each, budget[name]
            if (check == "--check" && each > budget[name]) {
                printf "count-trace: %s takes %g instructions more, its budget is %d\n", name, each, budget[name] > "/dev/stderr"
                failed = 1
            }
        }
        exit failed
    }'
