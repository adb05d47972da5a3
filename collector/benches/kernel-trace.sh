#!/usr/bin/env bash
# What `hangdog run --kernel-trace` costs a command: `kernel-trace.sh HANGDOG [ROUNDS]`, as root.
#
# Two commands: one that makes system calls and does nothing else, and two processes that wake each other in turn.
# In each round every mode once, `off` twice: how far these two are apart is the noise. The figures are medians: wall
# time and processor time of the command alone, and the wall time that all of hangdog takes around `true`.
set -euo pipefail
hangdog=$1 rounds=${2:-9}
export LC_ALL=C XDG_STATE_HOME
XDG_STATE_HOME=$(mktemp -d)
trap 'rm -rf "$XDG_STATE_HOME"' EXIT
calls=1000000 turns=50000
dd="dd if=/dev/zero of=/dev/null bs=1 count=$calls status=none"
pipes="perl -e 'pipe(A,B);pipe(C,D);if(fork){close A;close D;for(1..$turns){syswrite B,\"x\";sysread C,\$x,1}close B;wait}else{close B;close C;while(sysread A,\$x,1){syswrite D,\"y\"}}'"
once() { # NAME MODE COMMAND
    "$hangdog" run --kernel-trace="${2%2}" -- bash -c "TIMEFORMAT='%R %U %S'; time $3" 2>&1 |
        awk -v key="$1 $2" '{ print key, $1, $2 + $3 }' >> "$XDG_STATE_HOME/times"
}
around() { # MODE
    local begun=$EPOCHREALTIME
    "$hangdog" run --kernel-trace="${1%2}" -- true
    awk -v key="start $1" -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { print key, b - a, 0 }' >> "$XDG_STATE_HOME/times"
}
for ((round = 0; round < rounds; round++)); do
    for mode in off on syscalls off2; do
        once dd "$mode" "$dd"
        once pipes "$mode" "$pipes"
        around "$mode"
        # An instance is removed after the run; while that goes on, the next one has to wait for it.
        sleep 0.5
    done
done
sort "$XDG_STATE_HOME/times" | awk '
    function median(list, n,   i, j, t, v) {
        split(list, v, " ")
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
        return v[int((n + 1) / 2)]
    }
    { key = $1 " " $2; keys[key]; wall[key] = wall[key] " " $3; cpu[key] = cpu[key] " " $4; n[key]++ }
    END {
        for (key in keys) {
            split(key, part, " "); base = part[1] " off"
            w = median(wall[key], n[key]); c = median(cpu[key], n[key])
            bw = median(wall[base], n[base]); bc = median(cpu[base], n[base])
            printf "%-6s %-9s wall %.3f s (%+.1f %%)", part[1], part[2], w, 100 * (w / bw - 1)
            if (c > 0) printf "  processor %.3f s (%+.1f %%)", c, 100 * (c / bc - 1)
            printf "\n"
        }
    }' | sort
