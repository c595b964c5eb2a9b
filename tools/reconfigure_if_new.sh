#!/bin/sh
# Source files are found by name: tells meson when one came or went. usage: reconfigure_if_new.sh BUILDDIR
cd "$(dirname "$0")/.." || exit 1
tools/list_sources.sh > "$1/.sources.new"
cmp -s "$1/.sources.new" "$1/.sources" || { [ ! -f "$1/.sources" ] || meson setup --reconfigure "$1" >/dev/null || exit 1; mv "$1/.sources.new" "$1/.sources"; }
