#!/bin/bash
# The unit and contract tests under ThreadSanitizer. Not the simulations and not hostile_test.c, which looks at the time: they are one
# thread by design. Not kafka_input_test.c: the brokers that librdkafka has for tests make threads that the sanitizer does not know, and dies of.
set -eu
cd "$(dirname "$0")/.."
[ -f build-tsan/build.ninja ] || meson setup build-tsan --buildtype=debug -Db_sanitize=thread -Db_lundef=false >/dev/null
tools/reconfigure_if_new.sh build-tsan
ninja -C build-tsan -j "$(nproc)" --quiet
mapfile -t tests < <(meson test -C build-tsan --list 2>/dev/null | sed 's/.* \/ //' | grep -E '^(src|test)/' | grep -v -e '^test/sim/' -e /hostile_test.c)
[ ${#tests[@]} -gt 10 ] || { echo "tsan: found only ${#tests[@]} tests" >&2; exit 1; }
TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tools/tsan_suppressions.txt" tools/scratch.sh meson test -C build-tsan --no-rebuild --print-errorlogs \
  --num-processes "$(nproc)" --timeout-multiplier 4 "${tests[@]}"
