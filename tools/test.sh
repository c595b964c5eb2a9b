#!/bin/bash
# Everything, from a bare machine: installs, builds (plain and with sanitizers), checks, unit and contract tests, simulations, fuzzers for
# a minute each, scenarios against the real binary and engine, unmodified clients. Says at the end how long each step took and how many passed.
# What failed is said once more in the last lines: often they are all that is seen of a run elsewhere.
#   FUZZ_SECONDS  for each fuzzer (60)      TEST_MINUTES  for all (80): what is not done by then is ended, and has failed
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 code=0 times="" name="" began=$(date +%s)
export FAILURES; FAILURES=$(mktemp) # a line or two for each; steps that know their parts add to it
deadline=$((began + ${TEST_MINUTES:-80} * 60))

step() { # NAME COMMAND…
  local start left
  name=$1 start=$(date +%s) left=$((deadline - $(date +%s))); shift
  printf '\n== %s\n' "$name"
  [ $left -gt 0 ] || left=1
  timeout --foreground --kill-after=60 $left "$@"
  code=$?
  times+=$(printf '%6d s  %s' $(($(date +%s) - start)) "$name")$'\n'
  if [ $code = 0 ]; then
    passed=$((passed + 1)); printf -- '-- %s: passed in %d s\n' "$name" $(($(date +%s) - start))
  else
    failed=$((failed + 1)); echo "FAILED: $name" >> "$FAILURES"; printf -- '-- %s: FAILED after %d s%s\n' "$name" $(($(date +%s) - start)) "$([ $code != 124 ] || echo ': the time for all is over')"
  fi
}
meson_step() { # NAME BUILD COMMAND…
  step "$1" "${@:3}"
  [ $code = 0 ] || sed -nE 's/.*"name": "([^"]*)".*"result": "(FAIL|ERROR|TIMEOUT)".*/\1: \2/p' "$2/meson-logs/testlog.json" | head -20 >> "$FAILURES"
}
finish() {
  printf '\n%s\n' "$times"
  head -c 4000 "$FAILURES"
  rm -f "$FAILURES"
  printf 'the whole took %d min\nsteps: %d passed, %d failed\n' $((($(date +%s) - began) / 60)) $passed $failed
}
trap 'echo "stopped from outside within: $name"; finish; exit 143' TERM INT HUP

step "setup" tools/setup.sh --tests
[ $failed = 0 ] || { finish; exit 1; }
step "build" make --no-print-directory build
step "check" make --no-print-directory check
meson_step "unit, contract and simulation tests (ASan, UBSan)" build-debug make --no-print-directory unit
step "simulations, thousands of seeds" tools/scratch.sh tools/sim.py
step "mistakes kept as patches: the simulation finds each" tools/planted.sh
step "browser SDK: unit tests and size" npm --prefix sdk test
step "dashboard: unit tests" npm --prefix dashboard test
meson_step "thread sanitizer" build-tsan tools/tsan.sh
step "scenarios and clients" python3 test/run_scenarios.py --lanes "$(nproc)"
step "fuzzers, ${FUZZ_SECONDS:-60} s each" tools/fuzz.sh all "${FUZZ_SECONDS:-60}"
finish
[ $failed = 0 ]
