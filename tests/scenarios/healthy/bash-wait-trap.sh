#!/bin/bash
# The shell sits in `wait` for a child that would sleep far beyond (300 s).
# Looks like: a wait far beyond any patience.
# Ended by: a daemonised process that sends USR1 to the shell after 6 s; the trap ends the long child.
set -u
sleep 300 & long=$!
trap 'kill $long' USR1
( setsid bash -c 'sleep 6; kill -USR1 "$0"' $$ </dev/null >/dev/null 2>&1 & )
wait $long; wait $long
[ $? = 143 ]
