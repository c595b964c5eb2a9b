#!/bin/sh
# Prints, a line each, every file that the build takes, with its kind: meson.build reads this, so nothing is registered by hand.
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
find src -name '*.c' -o -name '*.cc' | grep -v -e '_test\.c$' -e '^src/main\.c$' | sort | sed 's/^/source /'
find src test -name '*_test.c' | sort | sed 's/^/test /'
find test/fuzz -name 'fuzz_*.c' 2>/dev/null | sort | sed 's/^/fuzz /'
find test/contract test/sim test/support -name '*.c' 2>/dev/null | grep -v '_test\.c$' | sort | sed 's/^/helper /'
find bench -name '*.c' ! -name avro_peer.c 2>/dev/null | sort | sed 's/^/bench /' # the peer: bench/run builds it, with libavro
