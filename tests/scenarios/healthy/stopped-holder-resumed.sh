#!/bin/bash
# A child holds a flock and is stopped (SIGSTOP); the root waits for the lock without limit.
# Looks like: stopped-holder.
# Ended by: a daemonised helper that sends SIGCONT after 6 s; the child then ends and the lock is free.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
bash -c 'exec 9>"$0/L"; flock 9; echo $$ >"$0/pid"; kill -STOP $$; exit 0' "$T" &
k=$!
while [ ! -s "$T/pid" ]; do sleep 0.05; done
( setsid bash -c 'exec >/dev/null 2>&1 </dev/null; sleep 6; kill -CONT "$0"' "$k" & )
exec 8>"$T/L"; flock 8
wait $k
