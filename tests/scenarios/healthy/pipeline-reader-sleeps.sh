#!/bin/bash
# A pipeline of four; the last sleeps before it reads, the others block in write() on full pipes.
# Looks like: a stuck pipeline, every writer blocked; the only reader is in wait4 for a program (sleep) that reads nothing.
# Ended by: the end of `sleep 6`.
set -eu
n=$(yes | cat | head -c 3000000 | { sleep 6; wc -c; })
[ "$n" = 3000000 ]
