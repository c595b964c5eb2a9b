#!/bin/bash
# How fast is the HTTP server by itself? wrk posts 300 B and 30 KB bodies to it and to nginx, which answers the same 202
# from its configuration, in turns within one run: the ratio is what counts, since the machine's speed changes from hour
# to hour. usage: bench/http_ceiling.sh [SECONDS a round] [ROUNDS]. Needs wrk, nginx and `make build`.
# Prints a line per body size and server: requests a second, CPU microseconds a request, both beside nginx. On a machine that
# does other things, look at the CPU: it does not depend on who else runs.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-4} rounds=${2:-3}
for tool in wrk nginx; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || { echo "http_ceiling: $tool is missing (apt-get install wrk nginx-light)" >&2; exit 69; }
done
PATH=$PATH:/usr/sbin
dir=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
[ -x build/http_ceiling ] || make -s build
mkdir "$dir/body"
cat > "$dir/nginx.conf" <<CONF
worker_processes 1; daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/error.log crit;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; client_body_temp_path $dir/body;
  server { listen 127.0.0.1:19109; location /v1/track { default_type application/json; return 202 '{"accepted":100}'; } } }
CONF
cat > "$dir/post.lua" <<'LUA'
local f = assert(io.open(os.getenv("BODY"), "rb")); wrk.body = f:read("*a"); f:close()
wrk.method = "POST"; wrk.path = "/v1/track"
wrk.headers["Content-Type"] = "application/json"; wrk.headers["Authorization"] = "Bearer wk_0123456789abcdef"
LUA
head -c 300 /dev/zero | tr '\0' 'a' > "$dir/300"
head -c 30720 /dev/zero | tr '\0' 'a' > "$dir/30720"

nginx -c "$dir/nginx.conf" -p "$dir" 2>/dev/null & pids+=($!); nginx_pid=$!
build/http_ceiling 19110 now & pids+=($!); now_pid=$!
build/http_ceiling 19111 later & pids+=($!); later_pid=$!
sleep 0.5
ticks=$(getconf CLK_TCK)
cpu_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13}'; }

# one PORT PID BODY NAME: appends "NAME BODY requests seconds ticks"
one() {
    local before after
    before=$(cpu_ticks "$2")
    BODY="$dir/$3" wrk -t1 -c32 -d"${seconds}s" -s "$dir/post.lua" "http://127.0.0.1:$1" > "$dir/wrk.out"
    after=$(cpu_ticks "$2")
    if grep -qE 'Non-2xx|Socket errors' "$dir/wrk.out"; then echo "http_ceiling: $4: $(grep -E 'Non-2xx|Socket errors' "$dir/wrk.out")" >&2; exit 1; fi
    awk -v name="$4" -v body="$3" -v t=$((after - before)) \
        '/requests in/ { sub(/s,/, "", $4); sub(/m/, "", $4); print name, body, $1, $4, t }' "$dir/wrk.out" >> "$dir/rounds"
}
for _ in $(seq "$rounds"); do
    for body in 300 30720; do
        one 19109 "$nginx_pid" $body nginx
        one 19110 "$now_pid" $body weir
        one 19111 "$later_pid" $body weir-deferred
    done
done
awk -v hz="$ticks" '
    { k = $1 " " $2; n[k] += $3; s[k] += $4; t[k] += $5 }
    END { for (b = 300; b <= 30720; b += 30420) for (i = 1; i <= 3; i++) {
        split("nginx weir weir-deferred", names, " "); k = names[i] " " b
        printf "%-14s %6d B  %8.0f req/s (%.2f of nginx)  %6.2f us CPU/request (nginx needs %.2f of it)\n", names[i], b, n[k] / s[k], \
               (n[k] / s[k]) / (n["nginx " b] / s["nginx " b]), t[k] / hz * 1e6 / n[k], (t["nginx " b] / n["nginx " b]) / (t[k] / n[k]) } }' "$dir/rounds"
