#!/usr/bin/env bash
# What the other steps need beyond a Rust toolchain: a C and a C++ compiler with make for the peers, and valgrind for
# instruction counts. Does nothing where they are present.
set -euo pipefail
missing=()
for pair in cc:gcc c++:g++ make:make valgrind:valgrind; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
