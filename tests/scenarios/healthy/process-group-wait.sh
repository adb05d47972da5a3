#!/bin/bash
# A job-control shell (set -m) waits for a background pipeline of its own process group, each member blocked on the next.
# Looks like: cat | cat | cat with everybody in read() and only a `sleep` that never touches its stdout at the head.
# Ended by: the head's `sleep 6` closing the pipe (EOF runs down the row).
set -eum
sleep 6 | cat | cat | cat | cat >/dev/null &
wait $!
