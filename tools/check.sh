#!/bin/bash
# What a tool can decide is decided here: formatting, layers, forbidden calls, links, static analysis. Its messages name what to use instead.
set -u
cd "$(dirname "$0")/.."
failed=0
sources=$(git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'test/*.c' 'test/*.h' 'bench/*.c' 'tools/*.c')

echo "check: formatting"
# shellcheck disable=SC2086
if ! clang-format-14 --dry-run --Werror $(echo "$sources" | grep -v '\.cc$') 2>/tmp/weir-format.$$; then
  grep -E 'error' /tmp/weir-format.$$ | head -20; echo "  → clang-format-14 -i FILE"; failed=1
fi
rm -f /tmp/weir-format.$$

echo "check: layers and forbidden calls"
python3 tools/check_layers.py || failed=1

echo "check: Python: names that are not there, imports that nobody uses"
# shellcheck disable=SC2046
pyflakes3 $(git ls-files '*.py' bench/run bench/peers/run) || failed=1

echo "check: links and names of files in what is written for people"
python3 tools/check_links.py || failed=1

if [ -x build/weir ]; then
  echo "check: the schemas for editors"
  for kind in settings domain; do
    build/weir check --schema $kind | python3 -m json.tool | cmp -s - config/schema/$kind.json ||
      { echo "  → make build && build/weir check --schema $kind | python3 -m json.tool > config/schema/$kind.json"; failed=1; }
  done
fi

if [ -d dashboard/node_modules ]; then # make build installs it
  echo "check: the dashboard's types and formatting"
  npm --prefix dashboard run --silent check || { echo "  → npm --prefix dashboard exec prettier -- --write dashboard"; failed=1; }
fi

echo "check: cppcheck"
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
  --suppress=missingInclude --suppress=normalCheckLevelMaxBranches --suppress=checkLevelNormal -D_GNU_SOURCE -I src \
  --suppressions-list=tools/cppcheck_suppressions.txt $(echo "$sources" | grep '^src/.*\.c$') || failed=1

if [ $failed = 0 ]; then echo "check: all is well"; fi
exit $failed
