#!/bin/sh
# Instructions that a tracer adds to an allocation and a free of a Rust program, on one thread and on several, as a Markdown
# table: while it is off, while it samples and the event is none, and while it traces exactly, on hot stacks. Counted by stepping
# through them.
#
#   ci/count-trace.sh            the table
#   ci/count-trace.sh --check    also fails when a budget is exceeded
set -eu
cd "$(dirname "$0")/.."
crate=alloc-trace/benches/steps
target=${CARGO_TARGET_DIR:-target}/steps
# The versions of the workspace.
cp Cargo.lock "$crate/Cargo.lock"
cargo build --quiet --release --manifest-path "$crate/Cargo.toml" --target-dir "$target" >&2
exec "$target/release/alloc-trace-steps" "$@"
