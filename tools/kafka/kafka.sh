#!/bin/bash
# Real Kafka brokers (KRaft) without containers, for tests and benches.
#   kafka.sh fetch              the jars by Maven to .deps/kafka, checked by hash; nothing when they are there
#   kafka.sh client             a newer librdkafka by pip to .deps/kafka/client, checked by hash; prints the folder, for LD_LIBRARY_PATH
#   kafka.sh start DIR [N]      N brokers (1 or 3) on free loopback ports, data and logs in DIR; prints HOST:PORT,… when they answer
#   kafka.sh start DIR N USER:PASSWORD…   with a second listener of TLS and passwords (SCRAM-SHA-512, PLAIN) for these users, whose addresses it
#                               prints; users may nothing but by ACLs; the authority is DIR/ca.pem; the plain listener stays and may everything
#   KAFKA_PROXY=PORT[,PORT…] kafka.sh start …   with a listener that each broker knows by that port of a proxy (DIR/ID/behind says what to
#                               forward to); prints the proxy's addresses
#   kafka.sh tool DIR CLASS WORD…   one of Kafka's own tools (org.apache.kafka.tools.AclCommand, …) against the plain listeners
#   kafka.sh stop DIR [ID]      ends all brokers of DIR, or the one; data stays
#   kafka.sh kill DIR [ID]      the same with SIGKILL
#   kafka.sh again DIR [ID]     starts them again on their data and ports
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
libs=$top/.deps/kafka/libs
wait_s=${KAFKA_WAIT_S:-60}
tidy=(-XX:-UsePerfData) # Java writes to /tmp whatever TMPDIR says: its counters, and libraries that a killed broker leaves

fail() { echo "kafka.sh: $1" >&2; exit "${2:-69}"; }

# One at a time, also with registry.sh (two Mavens spoil each other's cache): false when who waited finds it done.
lock() { # COMMAND: what says that all is there
  mkdir -p "$top/.deps/kafka"
  exec 9>"$top/.deps/.fetching"; flock 9
  "$@" || return 0
  flock -u 9
  return 1
}

has_jars() { [ -f "$libs/.checked" ] && cmp -s "$here/jars.sha256" "$libs/.checked"; }
fetch() {
  has_jars && return
  command -v mvn >/dev/null && command -v java >/dev/null || fail "mvn or java is missing: tools/setup.sh --tests"
  lock has_jars || return 0
  rm -rf "$libs"
  mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$libs" >"$top/.deps/kafka/mvn.log" 2>&1 || fail "Maven could not fetch the jars, see $top/.deps/kafka/mvn.log"
  (cd "$libs" && sha256sum --quiet --strict -c "$here/jars.sha256") >&2 || fail "a jar is not the one that was pinned: not used" 65
  cp "$here/jars.sha256" "$libs/.checked"
  flock -u 9
}

has_client() { cmp -s "$here/client.txt" "$top/.deps/kafka/client/.checked"; }
client() {
  local to=$top/.deps/kafka/client
  if ! has_client && lock has_client; then
    rm -rf "$to"; mkdir -p "$to"
    { python3 -m venv "$to/venv" && "$to/venv/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary :all: \
      --python-version 3.11 --platform manylinux_2_28_x86_64 --require-hashes -r "$here/client.txt" -d "$to" &&
      python3 -m zipfile -e "$to"/*.whl "$to/wheel" && mv "$to"/wheel/confluent_kafka.libs/librdkafka-*.so.1 "$to/librdkafka.so.1"; } \
      >"$top/.deps/kafka/client.log" 2>&1 || fail "pip could not fetch librdkafka, see $top/.deps/kafka/client.log"
    rm -rf "$to/venv" "$to/wheel" "$to"/*.whl
    cp "$here/client.txt" "$to/.checked"
    flock -u 9
  fi
  echo "$to"
}

# An authority of its own, and a certificate of 127.0.0.1 that it has signed, with its key.
make_certificates() { # DIR
  local dir=$1
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=weir test authority" -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj "/CN=127.0.0.1" -keyout "$dir/broker.key" -out "$dir/broker.csr" 2>/dev/null
  openssl x509 -req -in "$dir/broker.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$dir/broker.crt" 2>/dev/null
  cat "$dir/broker.key" "$dir/broker.crt" >"$dir/broker.pem"
}

add_listener() { # FILE NAME PROTOCOL PORT ADVERTISED_PORT
  sed -i -e "s|^\(listeners=.*\)|\1,$2://127.0.0.1:$4|" -e "s|^\(advertised.listeners=.*\)|\1,$2://127.0.0.1:$5|" \
    -e "s|^\(listener.security.protocol.map=.*\)|\1,$2:$3|" "$1"
}

# Clients come through the proxy; what the brokers say to each other does not.
behind_proxy() { # DIR ID PORT PROXY_PORT
  add_listener "$1/$2/server.properties" PROXIED PLAINTEXT "$3" "$4"
  echo "127.0.0.1:$3" >"$1/$2/behind"
  echo "127.0.0.1:$4" >"$1/$2/proxied"
}

# The second listener: TLS, passwords, and no right that no ACL gives. Sets scram: what formatting must know of the users.
secure() { # DIR ID PORT USER:PASSWORD…
  local dir=$1 id=$2 port=$3 user plain=""
  shift 3
  for user in "$@"; do
    plain="$plain user_${user%%:*}=\"${user#*:}\""
    scram+=(--add-scram "SCRAM-SHA-512=[name=${user%%:*},password=${user#*:}]")
  done
  add_listener "$dir/$id/server.properties" SASL_SSL SASL_SSL "$port" "$port"
  cat >>"$dir/$id/server.properties" <<END
ssl.keystore.type=PEM
ssl.keystore.location=$dir/broker.pem
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required$plain;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
END
  echo "127.0.0.1:$port" >"$dir/$id/secure"
}

# What a broker needs to know; the internal topics are as well replicated as there are brokers. A dead broker is noticed after 3 s (Kafka's
# default is 9 s): until then its partitions have no leader.
configure() { # DIR N [USER:PASSWORD…]
  local dir=$1 n=$2 ports voters="" id
  shift 2
  read -r -a ports <<<"$("$top/test/support/ports.py" $((n * 3)))"
  [ $# = 0 ] || make_certificates "$dir"
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
    scram=()
    [ -z "${KAFKA_PROXY:-}" ] || behind_proxy "$dir" "$id" "${ports[$((2 * n + id - 1))]}" "$(cut -d, -f"$id" <<<"$KAFKA_PROXY")"
    [ $# = 0 ] || secure "$dir" "$id" "${ports[$((2 * n + id - 1))]}" "$@"
    java "${tidy[@]}" "-Djava.io.tmpdir=$dir/$id" -Xmx128m -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool format -t AAAAAAAAQACAAAAAAAAAAQ \
      -c "$dir/$id/server.properties" "${scram[@]}" >"$dir/$id/format.log" 2>&1 || fail "formatting failed, see $dir/$id/format.log"
  done
}

ids() { if [ -n "${2:-}" ]; then echo "$2"; else (cd "$1" && ls -d [0-9]*); fi; }

launch() { # DIR ID
  local dir=$1/$2
  # shellcheck disable=SC2086
  setsid java "${tidy[@]}" "-Djava.io.tmpdir=$dir" ${KAFKA_HEAP:--Xms256m -Xmx512m} -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Dorg.slf4j.simpleLogger.logFile="$dir/broker.log" \
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
client) client ;;
start)
  fetch
  mkdir -p "$2"; dir=$(cd "$2" && pwd)
  configure "$dir" "${3:-1}" "${@:4}"
  for id in $(ids "$dir"); do launch "$dir" "$id"; done
  for id in $(ids "$dir"); do await "$dir" "$id"; done
  name=address
  [ $# -le 3 ] || name=secure
  [ -z "${KAFKA_PROXY:-}" ] || name=proxied
  cat "$dir"/*/$name | paste -sd, ;;
tool)
  dir=$2 class=$3
  shift 3
  exec java "${tidy[@]}" "-Djava.io.tmpdir=$dir" -Xmx128m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$libs/*" "$class" \
    --bootstrap-server "$(cat "$dir"/*/address | paste -sd,)" "$@" ;;
again)
  for id in $(ids "$2" "${3:-}"); do launch "$2" "$id"; done
  for id in $(ids "$2" "${3:-}"); do await "$2" "$id"; done ;;
stop) for id in $(ids "$2" "${3:-}"); do end TERM "$2" "$id"; done ;;
kill) for id in $(ids "$2" "${3:-}"); do end KILL "$2" "$id"; done ;;
*) sed -n '2,13p' "$0"; exit 64 ;;
esac
