#!/bin/bash
# Lock files with dead and live pids lie about, and one is held by flock by a background child; but nobody waits for any of them.
# The shell only sleeps by `read -t` on a fifo that it holds open read-write itself.
# Looks like: stale-lock plus a read of a self-held fifo.
# Ended by: read's own timeout of 6 s.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
/bin/true & dead=$!; wait $dead
echo $dead >"$T/build.lock"; echo $$ >"$T/daemon.pid"; ln -s "host:$dead" "$T/.#lock"
flock "$T/held.lock" sleep 6.5 & k=$!
mkfifo "$T/f"; exec 5<>"$T/f"
! read -r -t 6 _ <&5
wait $k
