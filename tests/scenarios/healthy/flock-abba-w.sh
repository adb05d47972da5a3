#!/bin/bash
# Two subshells hold one flock each and want the other's (a true cycle in /proc/locks).
# Looks like: deadlock-cycle over file locks, the root waits for both.
# Ended by: `flock -w 6` on one side: it gives up by its timer (a signal, not a timeout argument), lets go and goes on.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkfifo "$T/s1" "$T/s2"
( exec 8>"$T/A" 9>"$T/B"; flock 8; echo >"$T/s1"; read -r _ <"$T/s2"; flock 9; echo one >>"$T/out" ) &
p1=$!
( exec 8>"$T/A" 9>"$T/B"; flock 9; read -r _ <"$T/s1"; echo >"$T/s2"; ! flock -w 6 8; flock -u 9; flock 8; flock 9; echo two >>"$T/out" ) &
p2=$!
wait $p1; wait $p2
[ "$(sort "$T/out" | tr '\n' ' ')" = "one two " ]
