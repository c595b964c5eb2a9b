#!/bin/bash
# Real mistakes, kept as patches in test/sim/planted/: each is applied to a copy of the sources, and the simulation of windows and
# sessions (of journal_….patch: the journal's) must fail, by one of its kept seeds or one of the first 300. Says which seed it was.
# usage: planted.sh [PATCH…]
set -u
cd "$(dirname "$0")/.." || exit 1
stream=test_sim_stream_sim_test_c journal=test_sim_journal_crash_test_c copy=$(mktemp -d) missed=0
trap 'rm -rf "$copy"' EXIT
[ $# -gt 0 ] || set -- test/sim/planted/*.patch
git ls-files -z | xargs -0 cp --parents -t "$copy" || exit 1
(cd "$copy" && meson setup build --buildtype=debugoptimized >/dev/null && ninja -C build --quiet $stream $journal) || exit 1
(cd "$copy" && SEEDS=20 build/$stream >/dev/null 2>&1 && SEEDS=20 build/$journal >/dev/null 2>&1) || { echo "planted: without any mistake the simulation fails, too"; exit 1; }
for patch in "$@"; do
  test=$stream
  [[ ${patch##*/} = journal_* ]] && test=$journal
  patch -s -d "$copy" -p1 <"$patch" || { echo "planted: $patch does not apply any more"; missed=1; continue; }
  if ! ninja -C "$copy/build" --quiet $test; then
    echo "planted: ${patch##*/} does not build any more"; missed=1
  elif (cd "$copy" && SEEDS=300 build/$test >out.txt 2>&1); then
    echo "planted: $patch was NOT caught"; missed=1
  else
    echo "planted: ${patch##*/} was caught by seed $(grep -aoP '^SEED=\K\d+' "$copy/out.txt" | tail -1), $(grep -ac '^SEED=' "$copy/out.txt") seeds run"
  fi
  patch -s -R -d "$copy" -p1 <"$patch" || exit 1
done
exit $missed
