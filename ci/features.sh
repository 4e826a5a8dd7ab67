#!/usr/bin/env bash
# Every library crate without features, with each one alone, and with all: built, no warning; and tested without and with
# all, between which the single ones lie. Bare targets need no std; a host build with `-D warnings` and `#![no_std]` shows
# that nothing of it is named.
set -euo pipefail
cd "$(dirname "$0")/.."
# By clippy, whose flags hold for the workspace alone: `RUSTFLAGS` would have everything else checked anew.
strictly() {
  cargo clippy -q "$@" -- -D warnings
}
# The library itself with each feature alone; what lies beside it is built without and with all.
builds() {
  local crate=$1
  shift
  for feature in "$@"; do
    strictly -p "$crate" --no-default-features --features "$feature"
  done
  strictly --all-targets -p "$crate" --no-default-features
  strictly --all-targets -p "$crate" --all-features
}
# Instruction budgets are counted in a build of their own, which is the same whatever the features here.
each() {
  builds "$@"
  cargo test -q -p "$1" --no-default-features -- --skip fast_paths_keep_their_budgets
  cargo test -q -p "$1" --all-features -- --skip fast_paths_keep_their_budgets
}
# Which strategy is the default, and which names there are, is the features' doing: each alone has its tests.
alone() {
  local crate=$1
  each "$@"
  shift
  for feature in "$@"; do
    cargo test -q -p "$crate" --no-default-features --features "$feature"
  done
}
each alloc-core libc std lock_api allocator-api2-02 allocator-api2-04
each alloc-bump libc std allocator-api2-02 allocator-api2-04
each alloc-freelist libc std allocator-api2-02 allocator-api2-04
alone alloc-select ptmalloc libc freelist mem_io bump
builds alloc-ptmalloc std allocator-api2-02 allocator-api2-04
builds alloc-trace report allocator-api2-02 allocator-api2-04
# Peers are compiled as the matrix compiles them, so that it finds them done.
for peer in mimalloc jemalloc snmalloc rpmalloc; do
  cargo clippy -q --release -p bench-harness --features "$peer" -- -D warnings
done
