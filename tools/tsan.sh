#!/bin/bash
# The unit tests that use threads, under ThreadSanitizer.
set -eu
cd "$(dirname "$0")/.."
[ -f build-tsan/build.ninja ] || meson setup build-tsan --buildtype=debug -Db_sanitize=thread -Db_lundef=false >/dev/null
tools/reconfigure_if_new.sh build-tsan
ninja -C build-tsan -j "$(nproc)" --quiet
TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tools/tsan_suppressions.txt" meson test -C build-tsan --no-rebuild --print-errorlogs \
  --num-processes "$(nproc)" --timeout-multiplier 4
