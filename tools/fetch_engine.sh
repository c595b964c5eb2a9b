#!/bin/bash
# Puts the ClickHouse engine's library at .deps/engine/libchdb.so: one pinned version from npm, checked by its hash.
# Does nothing when it is there. usage: fetch_engine.sh   (WEIR_ENGINE_TGZ=FILE: take this archive instead of asking npm)
set -eu
cd "$(dirname "$0")/.."
version=26.7.3-stable.1
package=@chdb/lib-linux-x64-gnu
sha256=c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad
to=.deps/engine

fail() { echo "fetch_engine: $1" >&2; exit "${2:-69}"; }

[ -f $to/libchdb.so ] && [ "$(cat $to/version 2>/dev/null)" = "$version" ] && exit 0
[ "$(uname -sm)" = "Linux x86_64" ] || fail "the engine comes for Linux on x86-64 only; elsewhere point engine.url at one on such a machine (docs/kafka.md)"
mkdir -p $to
exec 9>$to/.lock
flock 9 # two builds at once: the second finds the first one's work done
[ -f $to/libchdb.so ] && [ "$(cat $to/version 2>/dev/null)" = "$version" ] && exit 0

work=$(mktemp -d $to/fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
free_mb=$(df -Pm $to | awk 'NR == 2 { print $4 }')
[ "$free_mb" -ge 900 ] || fail "$to needs 900 MB, $free_mb MB are free" 74
if [ -n "${WEIR_ENGINE_TGZ:-}" ]; then
  archive=$WEIR_ENGINE_TGZ
  [ -f "$archive" ] || fail "WEIR_ENGINE_TGZ names $archive, which does not exist" 66
else
  command -v npm >/dev/null || fail "npm is missing: apt-get install npm, then again"
  echo "fetch_engine: fetching $package $version (178 MB)"
  for turn in 1 2 3; do
    (cd "$work" && npm pack --silent "$package@$version") >"$work/npm.log" 2>&1 && break
    [ $turn -lt 3 ] || { tail -5 "$work/npm.log" >&2; fail "npm could not fetch it; is the registry reachable? (npm ping)"; }
    echo "fetch_engine: npm failed, trying again"
  done
  archive=$(ls "$work"/*.tgz)
fi
echo "fetch_engine: checking"
found=$(sha256sum "$archive" | cut -d ' ' -f 1)
[ "$found" = "$sha256" ] || fail "the archive's SHA-256 is $found, not $sha256: not used" 65
echo "fetch_engine: unpacking (566 MB)"
tar -xzf "$archive" -C "$work" package/libchdb.so || fail "the archive could not be unpacked; is the disk full? (df $to)" 74
mv "$work/package/libchdb.so" $to/libchdb.so
echo "$version" >$to/version
echo "fetch_engine: $to/libchdb.so is there"
