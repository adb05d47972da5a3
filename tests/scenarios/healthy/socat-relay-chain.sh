#!/bin/bash
# client -> socat relay (unix) -> socat relay (unix) -> slow server; all relays in select/poll without limit (or a far one).
# Looks like: a chain of idle proxies; the server's shell waits for a child that has all the pipes closed.
# Ended by: the server's `sleep 6`, then its answer runs back.
set -eu
T=$(mktemp -d); trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$T"' EXIT
socat -t 20 UNIX-LISTEN:"$T/c" SYSTEM:'read -r q; sleep 6 <&- >&- 2>&-; echo "re $q"' & p1=$!
socat -t 20 UNIX-LISTEN:"$T/b" UNIX-CONNECT:"$T/c",retry=50,interval=0.1 2>/dev/null & p2=$!
socat -t 20 UNIX-LISTEN:"$T/a" UNIX-CONNECT:"$T/b",retry=50,interval=0.1 2>/dev/null & p3=$!
a=$(echo hello | socat -t 20 - UNIX-CONNECT:"$T/a",retry=50,interval=0.1 2>/dev/null)
[ "$a" = "re hello" ]
wait $p1; wait $p2; wait $p3
