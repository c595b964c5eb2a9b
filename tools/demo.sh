#!/bin/bash
# From a bare machine to something alive: installs, builds, starts weir with a month of a small shop's history and its live traffic, and shows
# it. Ctrl-C (or q) ends everything that was started here, also while the history is loading; the next run goes on with the same data.
#   DEMO_DATA  where the data is kept (./data/demo)          DEMO_DAYS  days of history (30)     DEMO_RATE  live events a second (3)
#   DEMO_INGEST_PORT, DEMO_API_PORT, DEMO_OLAP_PORT (8000, 8001, 8123)
set -u
cd "$(dirname "$0")/.."
began=$(date +%s%N)
seconds() { awk -v from="$began" -v to="$(date +%s%N)" 'BEGIN { printf "%.1f", (to - from) / 1e9 }'; }
tools/setup.sh || exit $?
make --no-print-directory build || exit $?

data=${DEMO_DATA:-$PWD/data/demo} days=${DEMO_DAYS:-30} rate=${DEMO_RATE:-3}
ingest=${DEMO_INGEST_PORT:-8000} api=${DEMO_API_PORT:-8001} olap=${DEMO_OLAP_PORT:-8123}
mkdir -p "$data" || exit 73
log=$data/weir.log history=$data/history
weir= generate= send= front=

has_ended() { # PID; one that ended stays as a zombie while this shell, broken off within a wait, has not looked at it
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
  [ -z "$state" ] || [ "$state" = Z ]
}
end_one() { # PID: asks it to end, and after 20 s makes it
  [ -n "$1" ] || return
  kill -TERM "$1" 2>/dev/null || return
  for _ in $(seq 200); do has_ended "$1" && break; sleep 0.1; done
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}
finish() { # the display, which gives the terminal back, then whoever sends, then weir, which drains
  trap '' INT TERM HUP
  trap - EXIT
  end_one "$front"; end_one "$generate"; end_one "$send"; end_one "$weir"
  echo "demo: all is stopped; the data is in $data, make demo goes on with it"
  exit "${1:-0}"
}
trap finish INT TERM HUP EXIT
fail() { echo "demo: $1" >&2; finish 1; }

flow() { # LOG GENERATE_OPTION…: traffic through HTTP, as from any client; sets $generate and $send
  local to=$1; shift
  exec 3> >(exec build/weir send - --url "http://127.0.0.1:$ingest" --key demo_write --quiet >"$to" 2>&1)
  send=$!
  build/weir generate --visitors 4000 --seed 11 --faults 0.5 "$@" >&3 3>&- &
  generate=$!
  exec 3>&-
}
load() { # GENERATE_OPTION…: a stretch of history, to its end; it grows to the live rate, so that the charts have no step
  local surge made sent
  surge=$(awk -v rate="$rate" 'BEGIN { print (rate > 0.5) ? rate - 0.5 : 0 }')
  flow "$data/history.log" --progress --rate 0.45 --growth 8 --surge "$surge" "$@"
  wait "$generate"; made=$?; generate=
  wait "$send"; sent=$?; send= # 65: some were refused, as they should be
  [ $made = 0 ] && { [ $sent = 0 ] || [ $sent = 65 ]; } || { tail -3 "$data/history.log" >&2; fail "the history could not be loaded; make demo tries again"; }
}
in_front() { # CMD…: beside the script, since a signal to the script alone breaks off a wait, and not a command
  "$@" <&4 4<&- &
  front=$!
  wait "$front"
  front=
}
sql() { build/weir sql --url "http://127.0.0.1:$api" --format tsv "$1" 2>/dev/null | tail -1; }

# weir
: >"$log" # here, not in the background: what an earlier run said must be gone before anybody looks
build/weir up --config config --env dev --data "$data" --ingest-port "$ingest" --api-port "$api" --olap-port "$olap" >"$log" 2>&1 &
weir=$!
for _ in $(seq 600); do
  grep -q '^ready' "$log" && break
  kill -0 "$weir" 2>/dev/null || { weir=; tail -3 "$log" >&2; fail "weir did not start; a port in use? DEMO_INGEST_PORT, DEMO_API_PORT and DEMO_OLAP_PORT choose others"; }
  sleep 0.05
done
grep -q '^ready' "$log" || { tail -3 "$log" >&2; fail "weir did not get ready in 30 s, see $log"; }
cat <<TEXT

  weir is up, $(seconds) s after make demo.

    dashboard    http://127.0.0.1:$api/
    shop         http://127.0.0.1:$api/shop/

TEXT

# History first, so that charts are full. The file remembers its end: a run that was broken off makes the same events again, with the same
# ids, so each counts once; a later run adds what is missing since then.
[ -s "$history" ] || echo "loading $(date -u +%Y-%m-%dT%H:%M:%S.000Z)" >"$history"
read -r state end <"$history"
if [ "$state" = loading ]; then
  from=$(date +%s%N)
  load --days "$days" --until "$end"
  echo "loaded $end" >"$history"
  accepted=$(sed -n 's/^\([0-9]*\) accepted.*/\1/p' "$data/history.log" | tail -1)
  awk -v n="${accepted:-0}" -v days="$days" -v ns=$(($(date +%s%N) - from)) \
    'BEGIN { printf "  %d days of history: %d events in %.1f s, %d a second, durable, each one counted once.\n", days, n, ns / 1e9, n / ns * 1e9 }'
else
  last=$(sql "SELECT max(timestamp) FROM events_raw WHERE visitor_id LIKE 'vid_%' AND timestamp < now() + 60")
  end=$(date -u -d "${last:-$end} UTC" +%Y-%m-%dT%H:%M:%S.000Z 2>/dev/null || echo "$end")
  echo "  The history of an earlier run is there, up to $end."
fi
if [ $(($(date +%s) - $(date -u -d "$end" +%s))) -gt 120 ]; then
  now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
  load --start "$end" --until "$now"
  end=$now
fi

# Then as time goes by, from where the history ends.
flow "$data/send.log" --live --start "$end" --rate "$rate"
cat <<TEXT
  The dashboard is live, $(seconds) s after make demo.

    events in    curl -X POST http://127.0.0.1:$ingest/track -H 'Content-Type: application/json' -d '{"customer_id":"demo_tenant",
                   "visitor_id":"you","session_id":"s1","event_type":"page_view","event_name":"Hello","properties":{"page":"/"}}'
    answers out  build/weir sql "SELECT event_type, count() AS events, uniq(visitor_id) AS visitors FROM events_raw GROUP BY 1 ORDER BY 2 DESC"

TEXT
if [ -t 0 ] && [ -t 1 ]; then
  exec 4<&0 # what runs beside a script has nothing to read by itself
  in_front sleep "${DEMO_PAUSE:-4}"
  in_front build/weir top --url "http://127.0.0.1:$api"
else
  echo "  (no terminal: ctrl-C or kill $$ ends it; \`build/weir top\` shows it live)"
  wait "$weir"
  weir=
  fail "weir ended by itself, see $log"
fi
