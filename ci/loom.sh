#!/bin/sh
# Model-checks the protocols between threads. Fails if a model fails, or if a broken one passes.
set -eu
cd "$(dirname "$0")/.."
# Models are the same without the optimisation of whole programs, which would be done once for each of them.
export CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-core --release --test loom_lock "$@"
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-ptmalloc --release --test loom_inbox "$@"
RUSTFLAGS="--cfg alloc_loom ${RUSTFLAGS:-}" cargo test -p alloc-trace --test loom "$@"
