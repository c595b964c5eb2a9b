#!/bin/bash
# Real Kafka brokers (KRaft) without containers, for tests and benches.
#   kafka.sh fetch              the jars by Maven to .deps/kafka, checked by hash; nothing when they are there
#   kafka.sh start DIR [N]      N brokers (1 or 3) on free loopback ports, data and logs in DIR; prints HOST:PORT,… when they answer
#   kafka.sh stop DIR [ID]      ends all brokers of DIR, or the one; data stays
#   kafka.sh kill DIR [ID]      the same with SIGKILL
#   kafka.sh again DIR [ID]     starts them again on their data and ports
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
libs=$top/.deps/kafka/libs
wait_s=${KAFKA_WAIT_S:-60}

fail() { echo "kafka.sh: $1" >&2; exit "${2:-69}"; }

fetch() {
  [ -f "$libs/.checked" ] && cmp -s "$here/jars.sha256" "$libs/.checked" && return
  command -v mvn >/dev/null && command -v java >/dev/null || fail "mvn or java is missing: tools/setup.sh --tests"
  mkdir -p "$top/.deps/kafka"
  exec 9>"$top/.deps/kafka/.lock"; flock 9
  rm -rf "$libs"
  mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$libs" >"$top/.deps/kafka/mvn.log" 2>&1 || fail "Maven could not fetch the jars, see $top/.deps/kafka/mvn.log"
  (cd "$libs" && sha256sum --quiet --strict -c "$here/jars.sha256") >&2 || fail "a jar is not the one that was pinned: not used" 65
  cp "$here/jars.sha256" "$libs/.checked"
  flock -u 9
}

free_ports() { # how many
  python3 -c '
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])' "$1"
}

# What a broker needs to know; the internal topics are as well replicated as there are brokers. A dead broker is noticed after 3 s (Kafka's
# default is 9 s): until then its partitions have no leader.
configure() { # DIR N
  local dir=$1 n=$2 ports voters="" id
  read -r -a ports <<<"$(free_ports $((n * 2)))"
  for id in $(seq "$n"); do voters="$voters,$id@127.0.0.1:${ports[$((n + id - 1))]}"; done
  for id in $(seq "$n"); do
    mkdir -p "$dir/$id"
    cat >"$dir/$id/server.properties" <<END
process.roles=broker,controller
node.id=$id
controller.quorum.voters=${voters#,}
listeners=PLAINTEXT://127.0.0.1:${ports[$((id - 1))]},CONTROLLER://127.0.0.1:${ports[$((n + id - 1))]}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[$((id - 1))]}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$dir/$id/data
auto.create.topics.enable=false
offsets.topic.replication.factor=$n
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$n
transaction.state.log.min.isr=$(((n + 1) / 2))
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$n
share.coordinator.state.topic.min.isr=$(((n + 1) / 2))
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
controlled.shutdown.enable=true
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
END
    echo "127.0.0.1:${ports[$((id - 1))]}" >"$dir/$id/address"
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool format -t AAAAAAAAQACAAAAAAAAAAQ \
      -c "$dir/$id/server.properties" >"$dir/$id/format.log" 2>&1 || fail "formatting failed, see $dir/$id/format.log"
  done
}

ids() { if [ -n "${2:-}" ]; then echo "$2"; else (cd "$1" && ls -d [0-9]*); fi; }

launch() { # DIR ID
  local dir=$1/$2
  # shellcheck disable=SC2086
  setsid java ${KAFKA_HEAP:--Xms256m -Xmx512m} -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Dorg.slf4j.simpleLogger.logFile="$dir/broker.log" \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/*" kafka.Kafka "$dir/server.properties" >"$dir/broker.out" 2>&1 </dev/null 8>&- 9>&- &
  echo $! >"$dir/pid"
}

# A broker answers when it takes connections and its controller has let it in: the log of clients would say more, but needs a client.
await() { # DIR ID
  local dir=$1/$2 address until
  address=$(cat "$dir/address")
  until=$((SECONDS + wait_s))
  while [ $SECONDS -lt $until ]; do
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || { tail -5 "$dir/broker.out" "$dir/broker.log" >&2; fail "broker $2 ended, see $dir/broker.log"; }
    (exec 7<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null && return
    sleep 0.1
  done
  fail "broker $2 does not answer after $wait_s s, see $dir/broker.log"
}

end() { # SIGNAL DIR ID
  local pid
  pid=$(cat "$2/$3/pid" 2>/dev/null) || return 0
  kill "-$1" "$pid" 2>/dev/null || true
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$2/$3/pid"
}

case ${1:-} in
fetch) fetch ;;
start)
  fetch
  mkdir -p "$2"; dir=$(cd "$2" && pwd)
  configure "$dir" "${3:-1}"
  for id in $(ids "$dir"); do launch "$dir" "$id"; done
  for id in $(ids "$dir"); do await "$dir" "$id"; done
  cat "$dir"/*/address | paste -sd, ;;
again)
  for id in $(ids "$2" "${3:-}"); do launch "$2" "$id"; done
  for id in $(ids "$2" "${3:-}"); do await "$2" "$id"; done ;;
stop) for id in $(ids "$2" "${3:-}"); do end TERM "$2" "$id"; done ;;
kill) for id in $(ids "$2" "${3:-}"); do end KILL "$2" "$id"; done ;;
*) sed -n '2,7p' "$0"; exit 64 ;;
esac
