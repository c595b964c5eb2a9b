#!/bin/bash
# Real mistakes, kept as patches in test/sim/planted/: each is applied to a copy of the sources, and the simulation of windows and
# sessions must fail. usage: planted.sh [PATCH…]
set -u
cd "$(dirname "$0")/.." || exit 1
test=test_sim_stream_sim_test_c copy=$(mktemp -d) missed=0
trap 'rm -rf "$copy"' EXIT
[ $# -gt 0 ] || set -- test/sim/planted/*.patch
git ls-files -z | xargs -0 cp --parents -t "$copy" || exit 1
(cd "$copy" && meson setup build-debug --buildtype=debug -Db_sanitize=address,undefined >/dev/null && ninja -C build-debug --quiet $test) || exit 1
for patch in "$@"; do
  patch -s -d "$copy" -p1 <"$patch" || { echo "planted: $patch does not apply any more"; missed=1; continue; }
  if ! ninja -C "$copy/build-debug" --quiet $test; then
    echo "planted: ${patch##*/} does not build any more"; missed=1
  elif (cd "$copy" && ASAN_OPTIONS=detect_leaks=0 SEEDS=100 "build-debug/$test" >/dev/null 2>&1); then
    echo "planted: $patch was NOT caught"; missed=1
  else
    echo "planted: ${patch##*/} was caught"
  fi
  patch -s -R -d "$copy" -p1 <"$patch" || exit 1
done
exit $missed
