#!/usr/bin/env bash
# The floors: a crate may name only crates to its left, and a strategy no other strategy. Then files over 500 lines, which
# are printed, not refused: a longer file says at its head why.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

# crate: the crates of this workspace that its sources may depend on (dev-dependencies apart)
allowed() {
  case $1 in
    alloc-core | alloc-cabi/preload) echo "" ;;
    alloc-bump | alloc-freelist | alloc-ptmalloc | alloc-trace | alloc-testkit) echo "alloc-core" ;;
    alloc-cabi) echo "alloc-core alloc-bump alloc-freelist alloc-ptmalloc alloc-trace" ;;
    alloc-select) echo "alloc-core alloc-bump alloc-freelist alloc-ptmalloc" ;;
    bench-harness) echo "alloc-core alloc-select strata-preload" ;;
    *) echo "unknown" ;;
  esac
}

for manifest in */Cargo.toml alloc-cabi/preload/Cargo.toml; do
  crate=${manifest%/Cargo.toml}
  [ "$crate" = fuzz ] && continue
  may=$(allowed "$crate")
  if [ "$may" = unknown ]; then
    echo "layers: $crate is not in ci/layers.sh: say which crates it may use" >&2
    status=1
    continue
  fi
  uses=$(awk '/^\[/{in_deps = ($0 ~ /^\[(target\..*\.)?dependencies/)} in_deps && /^(alloc-(core|bump|freelist|ptmalloc|trace|select|cabi|testkit)|bench-harness|strata-preload) *[=.]/{print $1}' "$manifest" | cut -d. -f1 | cut -d= -f1)
  for used in $uses; do
    case " $may " in
      *" $used "*) ;;
      *)
        echo "layers: $manifest depends on $used, which is not to its left" >&2
        status=1
        ;;
    esac
  done
done

# Only programs choose the process's allocator.
if grep -rn --include='*.rs' '^#\[global_allocator\]' alloc-*/src; then
  echo "layers: a library crate declares a global allocator" >&2
  status=1
fi

git ls-files '*.rs' | xargs wc -l | awk '$2 != "total" && $1 > 500 {print "layers: note: " $2 " has " $1 " lines"}'
exit $status
