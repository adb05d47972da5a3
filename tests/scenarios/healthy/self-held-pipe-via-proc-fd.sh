#!/bin/bash
# The shell reads a pipe whose both ends only it holds (fd 5, read-write, and its name is already deleted).
# Looks like: self-deadlock on a nameless pipe, single thread, no children.
# Ended by: a daemonised sleeper that after 6 s opens /proc/PID/fd/5 of the shell and writes into it.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkfifo "$T/f"; exec 5<>"$T/f"; rm "$T/f"
( setsid bash -c 'exec 5>&-; sleep 6; echo hi >/proc/$0/fd/5' $$ </dev/null >/dev/null 2>&1 & )
read -r x <&5
[ "$x" = hi ]
