#!/bin/bash
# A reader blocks in open() of a fifo that no process has open.
# Looks like: orphan wait (no resolver exists); the future writer is a double-forked, setsid'd sleeper
# that has no fd on the fifo, only its name.
# Ended by: that sleeper, which opens and writes the fifo after 6 s.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkfifo "$T/f"
( setsid bash -c 'sleep 6; echo hello >"$0"' "$T/f" </dev/null >/dev/null 2>&1 & )
read -r line <"$T/f"
[ "$line" = hello ]
