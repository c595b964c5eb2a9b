#!/bin/bash
# Installs what building, running and testing weir needs on Debian 12: system packages by apt, the engine's library by npm.
# Does nothing when all is there. usage: setup.sh [--tests|--peers]   (--tests: also what only `make test` and `make bench` need; --peers: what
# `make race` needs)
set -eu
cd "$(dirname "$0")/.."

build=(gcc g++ make meson ninja-build pkg-config git libuv1-dev node-llhttp libsimdjson-dev libdeflate-dev zlib1g-dev libfyaml-dev
  liblz4-dev libzstd-dev liblzma-dev libxxhash-dev librocksdb-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev libsodium-dev libluajit-5.1-dev librdkafka-dev libpq-dev libcmocka-dev
  ca-certificates curl python3 xz-utils)
tests=(clang-14 libclang-rt-14-dev llvm-14 clang-format-14 cppcheck pyflakes3 wrk nginx-light openssl python3-venv faketime chromium zsh openjdk-17-jre-headless maven postgresql libavro-dev libjansson-dev)
peers=(openjdk-17-jdk-headless maven)
wanted=("${build[@]}")
[ "${1:-}" = --tests ] && wanted+=("${tests[@]}")
[ "${1:-}" = --peers ] && wanted+=("${peers[@]}")

have() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing=()
for package in "${wanted[@]}"; do have "$package" || missing+=("$package"); done
command -v npm >/dev/null || missing+=(nodejs npm)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then sudo=(); else sudo=(sudo); fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "setup: please install as root: apt-get install ${missing[*]}" >&2; exit 69
  fi
  echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -20 "$log" >&2; echo "setup: apt-get failed, see $log" >&2; exit 69
  fi
  rm -f "$log"
fi
tools/fetch_engine.sh
