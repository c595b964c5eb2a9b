#!/bin/bash
# Can bytes from outside hurt us? Builds the fuzzers (clang) and runs one of them, or all, from the kept corpus.
# usage: tools/fuzz.sh NAME|all [SECONDS]   NAME as in test/fuzz/fuzz_NAME.c; 60 seconds each unless said.
# What is found goes to test/fuzz/out/; a crash, a leak, a hang or more than 2 GB fail the run. New inputs that reach new
# code stay in build-fuzz/corpus/NAME: move those worth keeping to test/fuzz/corpus/NAME.
# libfyaml has a leak of its own. Whole stacks, which tell it from ours, cost nearly all the speed: so what libfyaml has
# allocated passes while fuzzing, and every input that was kept is run once more, with whole stacks.
set -eu
cd "$(dirname "$0")/.."
target=${1:-} seconds=${2:-60}
[ -n "$seconds" ] || seconds=60
names=$(find test/fuzz -name 'fuzz_*.c' | sed 's|.*/fuzz_||; s|\.c$||' | sort)
if [ "$target" != all ] && ! grep -qx -- "$target" <<< "$names"; then
  echo "fuzz: say which: all, or one of:" $names >&2
  echo "usage: make fuzz T=NAME [SECONDS=60]" >&2
  exit 64
fi
for tool in clang-14 clang++-14; do
  command -v $tool >/dev/null || { echo "fuzz: $tool is missing: tools/setup.sh --tests" >&2; exit 69; }
done
[ -f build-fuzz/build.ninja ] || CC=clang-14 CXX=clang++-14 meson setup build-fuzz -Dfuzz=true --buildtype=debugoptimized >/dev/null
tools/reconfigure_if_new.sh build-fuzz
[ "$target" = all ] || names=$target
ninja -C build-fuzz --quiet $(sed 's/^/fuzz_/' <<< "$names")
mkdir -p test/fuzz/out
touch build-fuzz/began

fail() { # NAME [again]
  local log=build-fuzz/$1${2:+-$2}.log input what
  input=$(find test/fuzz/out -name "$1-*" -newer build-fuzz/began | head -n 1)
  what="fuzz $1: $(grep -am1 -e 'Assertion' -e 'runtime error' -e 'ERROR:' "$log" || echo "see $log")"
  [ -z "$input" ] || what+=$'\n'"  $input, base64: $(base64 -w 0 "$input" | head -c 600)"
  tail -40 "$log"
  echo "fuzz: $1 FAILED${input:+: run it with build-fuzz/fuzz_$1 $input}" >&2
  echo "$what" >> "${FAILURES:-/dev/null}"
  return 1
}
run_one() { # NAME
  local name=$1
  local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="test/fuzz/out/$name-")
  mkdir -p "build-fuzz/corpus/$name" "test/fuzz/corpus/$name"
  [ -f "test/fuzz/$name.dict" ] && options+=(-dict="test/fuzz/$name.dict")
  local kept=("build-fuzz/corpus/$name" "test/fuzz/corpus/$name")
  export LSAN_OPTIONS=print_suppressions=0:suppressions=test/fuzz/leaks.supp ASAN_OPTIONS=detect_leaks=1
  "build-fuzz/fuzz_$name" "${options[@]}" "${kept[@]}" > "build-fuzz/$name.log" 2>&1 || { fail "$name"; return 1; }
  export LSAN_OPTIONS=print_suppressions=0:suppressions=test/fuzz/leaks_of_libfyaml.supp
  export ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0
  "build-fuzz/fuzz_$name" "${options[@]}" -runs=0 "${kept[@]}" > "build-fuzz/$name-again.log" 2>&1 || { fail "$name" again; return 1; }
  echo "fuzz: $name, $seconds s, $(find "test/fuzz/corpus/$name" -type f | wc -l) kept inputs: $(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$name.log") runs"
}
export -f run_one fail
export seconds
# One on each core.
tools/scratch.sh xargs -n 1 -P "$(nproc)" bash -c 'run_one "$0"' <<< "$names"
