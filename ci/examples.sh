#!/usr/bin/env bash
# Runs every example: each checks its own answers and exits non-zero when one is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
for example in per_request scoped; do
  cargo run -q -p alloc-bump --all-features --example "$example"
done
for example in global shared_memory; do
  cargo run -q -p alloc-freelist --all-features --example "$example"
done
for example in global two_heaps; do
  cargo run -q -p alloc-ptmalloc --all-features --example "$example"
done
# A package of its own, without std: built for the host, where it can run.
CARGO_TARGET_DIR=$PWD/target/bare cargo run -q --release --manifest-path alloc-freelist/examples/bare/Cargo.toml
