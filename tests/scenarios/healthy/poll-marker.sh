#!/bin/bash
# A polling loop: test for a marker file every 0.5 s, same calls, same results, no output.
# Looks like: polling for something that never comes; the party that will make it has no fd, no lock, own session.
# Ended by: a daemonised sleeper that makes the marker after 7 s.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
( setsid sh -c 'sleep 7; : >"$0/ready"' "$T" </dev/null >/dev/null 2>&1 & )
until [ -e "$T/ready" ]; do sleep 0.5; done
