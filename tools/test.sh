#!/bin/bash
# Everything, from a bare machine: installs, builds (plain and with sanitizers), checks, unit and contract tests, simulations, fuzzers for
# a minute each, scenarios against the real binary and engine, unmodified clients. Says at the end how many steps passed.
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 began=$(date +%s)

step() { # NAME COMMAND…
  local name=$1 start; shift
  start=$(date +%s)
  printf '\n== %s\n' "$name"
  if "$@"; then
    passed=$((passed + 1)); printf -- '-- %s: passed in %d s\n' "$name" $(($(date +%s) - start))
  else
    failed=$((failed + 1)); printf -- '-- %s: FAILED after %d s\n' "$name" $(($(date +%s) - start))
  fi
}

step "setup" tools/setup.sh --tests
[ $failed = 0 ] || { echo "steps: $passed passed, $failed failed"; exit 1; }
step "build" make --no-print-directory build
step "check" make --no-print-directory check
step "unit, contract and simulation tests (ASan, UBSan)" make --no-print-directory unit
step "simulations, thousands of seeds" tools/scratch.sh tools/sim.py
step "mistakes kept as patches: the simulation finds each" tools/planted.sh
step "browser SDK: unit tests and size" npm --prefix sdk test
step "dashboard: unit tests" npm --prefix dashboard test
step "thread sanitizer" tools/tsan.sh
step "scenarios and clients" python3 test/run_scenarios.py
step "fuzzers, ${FUZZ_SECONDS:-60} s each" tools/fuzz.sh all "${FUZZ_SECONDS:-60}"

printf '\nthe whole took %d min\nsteps: %d passed, %d failed\n' $((($(date +%s) - began) / 60)) $passed $failed
[ $failed = 0 ]
