#!/bin/bash
# The root waits for a flock whose holder lives in a pid namespace of its own (pid 1 there) and has its own mounts.
# Looks like: a lock whose holder's pid cannot be found / stale lock.
# Ended by: the holder, which sleeps 6 s and exits.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkfifo "$T/up"
# without the right to make a namespace: in a user namespace of its own, else in none
U='unshare --pid --fork --mount-proc'
$U true 2>/dev/null || U="unshare -r --pid --fork --mount-proc"
$U true 2>/dev/null || U=
$U bash -c 'exec 9>"$0/L"; flock 9; echo >"$0/up"; sleep 6' "$T" &
k=$!
read -r _ <"$T/up"
exec 8>"$T/L"; flock 8
wait $k
