#!/bin/bash
# Builds what browsers load (dashboard/, sdk/) where its sources changed since its dist/ was made; embed_pages.py then puts it into the binary.
# What has no package.json (yet) is left out. usage: build_pages.sh [FOLDER…]
set -eu
cd "$(dirname "$0")/.."

fingerprint() { # of all sources of a folder: their names and contents, so that a checkout of the same files builds nothing
  find "$1" \( -name node_modules -o -name dist -o -name '.*' -o -name test-results \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}

[ $# -gt 0 ] || set -- dashboard sdk
for part in "$@"; do
  [ -f "$part/package.json" ] || continue
  now=$(fingerprint "$part")
  stamp=$part/node_modules/.weir-built-from
  [ -d "$part/dist" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && continue
  command -v npm >/dev/null || { echo "build: $part/ needs npm: run make setup" >&2; exit 69; }
  echo "build: $part"
  log=$(mktemp)
  lock=$(sha256sum "$part/package-lock.json")
  if [ "$(cat "$part/node_modules/.weir-installed-from" 2>/dev/null)" != "$lock" ]; then
    npm --prefix "$part" ci --no-audit --no-fund --loglevel=error >"$log" 2>&1 || { cat "$log" >&2; echo "build: npm ci failed in $part/" >&2; exit 1; }
    echo "$lock" >"$part/node_modules/.weir-installed-from"
  fi
  npm --prefix "$part" run build >"$log" 2>&1 || { cat "$log" >&2; echo "build: npm run build failed in $part/" >&2; exit 1; }
  echo "$now" >"$stamp"
  rm -f "$log"
done
