#!/usr/bin/env bash
# Builds the example of a bare program for targets without an operating system, of 64 and of 32 bits, with `core` and `alloc` from
# their sources, and checks that the program is in what was linked.
#
#   ci/bare.sh [TARGET..., default x86_64-unknown-none aarch64-unknown-none thumbv7em-none-eabi]
#
# Needs a compiler that has those sources: a nightly with the component rust-src, or Debian's packages rustc-web and rust-web-src.
# Exits with 77 where there is none. Run by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(x86_64-unknown-none aarch64-unknown-none thumbv7em-none-eabi)

compiler=
for candidate in "$(rustup +nightly which rustc 2> /dev/null)" /usr/bin/rustc; do
  if [ -x "$candidate" ] && [ -d "$("$candidate" --print sysroot)/lib/rustlib/src/rust/library/core" ]; then
    compiler=$candidate
    break
  fi
done
[ -n "$compiler" ] || { echo "bare: no compiler has the sources of core (rust-src, or rust-web-src); nothing was built" >&2; exit 77; }

# The linker comes with rustup's compilers, not with Debian's.
linkers=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
folder=${CARGO_TARGET_DIR:-$PWD/target}/bare-targets
# Without an entry, the linker would keep nothing.
for target in "${targets[@]}"; do
  PATH=$linkers:$PATH RUSTC=$compiler RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$folder \
    RUSTFLAGS="-D warnings -C linker=rust-lld -C link-arg=--entry=main" \
    cargo build -q --release -Z build-std=core,alloc --target "$target" --manifest-path alloc-freelist/examples/bare/Cargo.toml
  program=$folder/$target/release/bare
  # The heap's 64 KiB, and what works on it.
  memory=$((16#0$(readelf -SW "$program" | sed -n 's/.* \.bss *NOBITS *[^ ]* [^ ]* \([0-9a-f]*\).*/\1/p')))
  [ "$memory" -ge 65536 ] || { echo "bare: $target: the program's heap is not in what was linked" >&2; exit 1; }
  echo "bare: $target: $(stat -c %s "$program") bytes, $memory of memory"
done
