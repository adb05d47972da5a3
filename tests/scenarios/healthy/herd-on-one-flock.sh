#!/bin/bash
# Thirty processes wait for one flock without limit; the holder sleeps; the root waits for all of them.
# Looks like: a lock convoy in which nothing moves.
# Ended by: the holder's `sleep 6`; then all pass one by one.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkfifo "$T/up"
( exec 9>"$T/L"; flock 9; echo >"$T/up"; sleep 6 ) & read -r _ <"$T/up"
for i in $(seq 30); do ( exec 9>"$T/L"; flock 9; echo x >>"$T/n" ) & done
wait
[ "$(wc -l <"$T/n")" = 30 ]
