#!/bin/sh
# Builds libstrata.so as it is shipped, and prints where it is. STRATA_LIBRARY names one that is built already.
set -eu
cd "$(dirname "$0")/.."
library=${STRATA_LIBRARY:-}
if [ -z "$library" ]; then
    cargo build -q --release -p alloc-cabi --config 'profile.release.panic="abort"'
    library=${CARGO_TARGET_DIR:-target}/release/libstrata.so
fi
realpath "$library"
