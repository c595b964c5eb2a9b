#!/bin/bash
# Fetches Flink and Kafka Streams by Maven (pinned in flink.xml and streams.xml, every jar checked by hash) to .deps/peers and compiles their
# sides of the race. Nothing when all is there and newer than its source.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=$(cd "$here/../.." && pwd)/.deps/peers

fail() { echo "fetch.sh: $1" >&2; exit "${2:-69}"; }
command -v mvn >/dev/null && command -v javac >/dev/null || fail "mvn or javac is missing: tools/setup.sh --peers"
mkdir -p "$to"
exec 9>"$to/.lock"; flock 9

if ! cmp -s "$here/jars.sha256" "$to/.checked"; then
  echo "race: fetching Flink and Kafka Streams (210 MB, once)" >&2
  for peer in flink streams; do
    rm -rf "${to:?}/$peer"
    mvn -q -B -f "$here/$peer.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime \
      -DoutputDirectory="$to/$peer" >"$to/mvn-$peer.log" 2>&1 || fail "Maven could not fetch the jars, see $to/mvn-$peer.log"
  done
  (cd "$to" && sha256sum --quiet --strict -c "$here/jars.sha256") >&2 || fail "a jar is not the one that was pinned: not used" 65
  cp "$here/jars.sha256" "$to/.checked"
fi

compile() { # PEER CLASS, and those whose names begin with it
  local classes=$to/classes/$1
  [ -f "$classes/.done" ] && [ -z "$(find "$here/java" -newer "$classes/.done" -name '*.java')" ] && return
  rm -rf "$classes"; mkdir -p "$classes"
  javac -nowarn -Xlint:none -cp "$to/$1/*" -d "$classes" "$here"/java/race/*.java "$here/java/$2"*.java || fail "$2.java does not compile" 70
  touch "$classes/.done"
}
compile flink RaceFlink
compile streams RaceStreams
