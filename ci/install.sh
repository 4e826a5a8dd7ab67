#!/usr/bin/env bash
# What the other steps need beyond a Rust toolchain: a C and a C++ compiler with make for the peers, and valgrind for
# instruction counts. Does nothing where they are present.
#
#   ci/install.sh               the above
#   ci/install.sh --programs    and the programs of ci/programs.sh that come in packages: databases, archivers, tools
set -euo pipefail
pairs=(cc:gcc c++:g++ make:make valgrind:valgrind)
if [ "${1:-}" = --programs ]; then
  pairs+=(python3:python3 perl:perl git:git sqlite3:sqlite3 xz:xz-utils zstd:zstd bzip2:bzip2 jq:jq openssl:openssl bc:bc
    vim:vim gdb:gdb objdump:binutils gpg:gpg ssh-keygen:openssh-client strace:strace redis-server:redis-server
    node:nodejs javac:default-jdk-headless)
fi
missing=()
for pair in "${pairs[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
