#!/usr/bin/env bash
# Every library crate without features, with each one alone, and with all: built and tested, no warning. Bare targets need
# no std; a host build with `-D warnings` and `#![no_std]` shows that nothing of it is named.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="-D warnings"
export CARGO_TARGET_DIR=target/features
each() {
  local crate=$1
  shift
  cargo test -q -p "$crate" --no-default-features
  for feature in "$@"; do
    cargo test -q -p "$crate" --no-default-features --features "$feature"
  done
  cargo test -q -p "$crate" --all-features
}
# Where features only add names, that every combination builds is what there is to know.
builds() {
  local crate=$1
  shift
  cargo check -q --all-targets -p "$crate" --no-default-features
  for feature in "$@"; do
    cargo check -q --all-targets -p "$crate" --no-default-features --features "$feature"
  done
  cargo check -q --all-targets -p "$crate" --all-features
}
each alloc-core libc std lock_api allocator-api2-02 allocator-api2-04
each alloc-bump libc std allocator-api2-02 allocator-api2-04
each alloc-freelist libc std allocator-api2-02 allocator-api2-04
each alloc-select ptmalloc libc freelist mem_io bump
builds alloc-ptmalloc std allocator-api2-02 allocator-api2-04
builds alloc-trace report allocator-api2-02 allocator-api2-04
for peer in mimalloc jemalloc snmalloc rpmalloc; do
  cargo check -q -p bench-harness --features "$peer"
done
