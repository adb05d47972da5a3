#!/bin/bash
# A child holds a flock and is frozen by the cgroup freezer (v2); the root waits for the lock without limit.
# Looks like: frozen.
# Ended by: a background job that sleeps 6 s and thaws the group. Needs root and a writable cgroup2; else the child only sleeps.
set -eu
T=$(mktemp -d); C=
cleanup() { if [ -n "$C" ]; then echo 0 >"$C/cgroup.freeze" 2>/dev/null || true; for i in 1 2 3 4 5 6 7 8 9; do rmdir "$C" 2>/dev/null && break; sleep 0.1; done; fi; rm -rf "$T"; }
trap cleanup EXIT
for m in $(awk '$3 == "cgroup2" { print $2 }' /proc/mounts); do
  c=$m/lookalike-$$; if mkdir "$c" 2>/dev/null && [ -w "$c/cgroup.freeze" ]; then C=$c; break; fi; rmdir "$c" 2>/dev/null || true
done
bash -c 'exec 9>"$0/L"; flock 9; echo >"$0/up"; sleep '"$([ -n "$C" ] && echo 0.3 || echo 6)" "$T" & k=$!
while [ ! -e "$T/up" ]; do sleep 0.02; done
if [ -n "$C" ]; then echo $k >"$C/cgroup.procs"; echo 1 >"$C/cgroup.freeze"; ( sleep 6; echo 0 >"$C/cgroup.freeze" ) & t=$!; fi
exec 8>"$T/L"; flock 8
wait $k; if [ -n "$C" ]; then wait $t; fi
