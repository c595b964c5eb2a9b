#!/bin/bash
# A real schema registry (Apicurio, with Confluent's API) without containers, for tests.
#   registry.sh fetch        the program by Maven to .deps/registry, checked by hash; nothing when it is there
#   registry.sh start DIR    on a free loopback port, everything in memory, log and pid in DIR; prints its URL when it answers
#   registry.sh stop DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
home=$top/.deps/registry
version=2.6.13.Final
archive=apicurio-registry-app-$version-all.tar.gz
sha256=3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba

fail() { echo "registry.sh: $1" >&2; exit "${2:-69}"; }

is_there() { [ "$(cat "$home/.checked" 2>/dev/null)" = "$sha256" ]; }
fetch() {
  is_there && return
  command -v mvn >/dev/null && command -v java >/dev/null || fail "mvn or java is missing: tools/setup.sh --tests"
  mkdir -p "$home"
  exec 9>"$top/.deps/.fetching"; flock 9 # one Maven at a time: kafka.sh
  ! is_there || { flock -u 9; return; } # somebody else fetched it meanwhile
  rm -rf "${home:?}"/*
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -DoutputDirectory="$home" \
    -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" >"$home/mvn.log" 2>&1 || fail "Maven could not fetch it, see $home/mvn.log"
  echo "$sha256  $home/$archive" | sha256sum --quiet --strict -c >&2 || fail "the archive is not the one that was pinned: not used" 65
  tar -xzf "$home/$archive" -C "$home" && rm "$home/$archive"
  echo "$sha256" >"$home/.checked"
  flock -u 9
}

start() { # DIR
  local port pid
  fetch
  mkdir -p "$1"
  port=$("$top/test/support/ports.py" 1)
  setsid java -XX:-UsePerfData -Djava.io.tmpdir="$1" -Xmx384m -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
    -jar "$home/apicurio-registry-app-$version-runner.jar" >"$1/registry.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo $pid >"$1/registry.pid"
  for _ in $(seq 600); do
    kill -0 $pid 2>/dev/null || { tail -5 "$1/registry.log" >&2; fail "the registry ended, see $1/registry.log"; }
    curl -sf -o /dev/null "http://127.0.0.1:$port/apis/ccompat/v7/subjects" && { echo "http://127.0.0.1:$port/apis/ccompat/v7"; return; }
    sleep 0.2
  done
  fail "the registry does not answer after two minutes, see $1/registry.log"
}

stop() { # DIR
  local pid
  pid=$(cat "$1/registry.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$1/registry.pid"
}

case ${1:-} in
fetch) fetch ;;
start) start "$2" ;;
stop) stop "$2" ;;
*) sed -n '2,5p' "$0"; exit 64 ;;
esac
