#!/bin/bash
# Runs a command with a directory of its own for temporary files, which goes when the command ends, however that is: a test in it that was killed,
# or ended by a sanitizer, leaves nothing either.
# usage: scratch.sh COMMAND…
set -u
directory=$(mktemp -d "${TMPDIR:-/tmp}/weir-run-XXXXXX") || exit 73
chmod 755 "$directory" # the engine, as a user of its own, reads below it
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT # when the command has ended, which the signal reached, too
trap 'exit 143' TERM HUP
TMPDIR=$directory "$@"
