#!/bin/bash
# tail -f | grep: tail waits in inotify/poll on a file whose writer has it not open; grep reads tail's pipe.
# Looks like: a log that nobody writes any more.
# Ended by: a background job that sleeps 6 s, then appends by name; tail leaves when that job is gone (--pid).
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
echo start >"$T/log"
( sleep 6; echo "server ready" >>"$T/log"; sleep 0.3 ) >/dev/null & w=$!
n=$(tail --pid=$w -n +1 -f "$T/log" | grep -c ready)
[ "$n" = 1 ]
wait $w
