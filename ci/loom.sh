#!/bin/sh
# Model-checks the protocols between threads. Fails if a model fails, or if a broken one passes.
set -eu
cd "$(dirname "$0")/.."
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-core --release --test loom_lock "$@"
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-ptmalloc --release --test loom_inbox "$@"
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-trace --test loom "$@"
