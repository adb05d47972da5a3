#!/bin/bash
# A bash coproc: the shell reads from it, the coproc waits for a background job of its own (wait, no limit).
# Looks like: shell <-> coproc waiting for each other over two pipes whose ends both hold.
# Ended by: the coproc's background `sleep 6`.
set -eu
coproc C { read -r q; sleep 6 & wait; echo "re:$q"; }
exec 7<&"${C[0]}" 8>&"${C[1]}"; k=$C_PID
echo ping >&8
read -r a <&7
wait "$k"
[ "$a" = re:ping ]
