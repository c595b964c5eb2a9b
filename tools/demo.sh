#!/bin/bash
# From a bare machine to something alive: installs, builds, starts weir with live traffic of a small shop, and shows it. Ctrl-C (or q) ends
# everything that was started here. DEMO_DATA: keep the data there (default: a directory of its own under ./data/demo).
set -u
cd "$(dirname "$0")/.."
began=$(date +%s)
tools/setup.sh || exit $?
make --no-print-directory build || exit $?

data=${DEMO_DATA:-$PWD/data/demo}
mkdir -p "$data"
pids=()
finish() {
  trap - INT TERM EXIT
  # The senders first, then weir, which drains.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -TERM "${pids[i]}" 2>/dev/null; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
  echo "demo: all is stopped; the data is in $data"
  exit "${1:-0}"
}
trap finish INT TERM EXIT

log=$data/weir.log
build/weir up --config config --env dev --data "$data" >"$log" 2>&1 &
weir=$!
pids+=("$weir")
for _ in $(seq 300); do
  grep -q '^ready' "$log" && break
  if ! kill -0 "$weir" 2>/dev/null; then tail -5 "$log" >&2; pids=(); finish 1; fi
  sleep 0.1
done
grep -q '^ready' "$log" || { tail -5 "$log" >&2; echo "demo: weir did not get ready in 30 s, see $log" >&2; finish 1; }

# A day of history, then as time goes by.
exec 3> >(exec build/weir send - --quiet >"$data/send.log" 2>&1)
pids+=($!)
build/weir generate --live --days 1 --rate "${DEMO_RATE:-12}" --visitors 3000 --seed "$(date +%s)" >&3 &
pids+=($!)
exec 3>&-

cat <<TEXT

  weir is up, $(($(date +%s) - began)) s after make demo.

    live page    http://127.0.0.1:8001/
    events in    curl -X POST http://127.0.0.1:8000/track -H 'Content-Type: application/json' -d '{"customer_id":"demo_tenant",
                   "visitor_id":"you","session_id":"s1","event_type":"page_view","event_name":"Hello","properties":{"page":"/"}}'
    answers out  build/weir sql "SELECT event_type, count() AS events, uniq(visitor_id) AS visitors FROM events_raw GROUP BY 1 ORDER BY 2 DESC"

TEXT
if [ -t 0 ] && [ -t 1 ]; then
  sleep "${DEMO_PAUSE:-4}"
  build/weir top
else
  echo "  (no terminal: ctrl-C or kill $$ ends it; \`build/weir top\` shows it live)"
  wait "$weir"
fi
