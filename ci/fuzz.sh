#!/usr/bin/env bash
# Fuzzes every target for a while under AddressSanitizer: ci/fuzz.sh [SECONDS for each, default 60]. Needs nightly and
# cargo-fuzz (`cargo install cargo-fuzz`). Run by hand; a finding is kept under fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
for target in fuzz/fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  # Requests that cannot be served are part of the language: they are errors, not ends.
  ASAN_OPTIONS=allocator_may_return_null=1 cargo +nightly fuzz run --release "$name" -- \
    -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=4096 -malloc_limit_mb=1024
done
