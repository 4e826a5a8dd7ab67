#!/usr/bin/env bash
# The main job, as a newcomer runs it, and a short run with every peer. Fails when a cell fails or answers differ.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo matrix --quick
cargo matrix --quick --features peers --only churn,json,larson --threads 2 --rounds 3 --output target/strata/peers
