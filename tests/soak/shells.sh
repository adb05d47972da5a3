# Shells with jobs, pipes and pauses. A recipe begins with `#: name`, and after `|` the programs that it needs. It is run
# by `bash -eu` in a directory of its own with these variables: P, a pause of some seconds; S, one below a second; N, a
# number from 2 to 5; OUT_*, what is held by a program outside of the run. It ends well by itself.

#: sleeps
sleep "$P"

#: background-jobs
for i in $(seq "$N"); do sleep "$P" & done
wait

#: wait-for-any
sleep "$P" & sleep "$S" & sleep 30 & last=$!
wait -n; wait -n
kill $last; wait $last || true

#: trap-and-wait
trap 'exit 9' TERM
sleep "$P" & child=$!
wait $child

#: read-with-a-limit
mkfifo ask; exec 3<>ask
read -r -t "$P" -u 3 || true

#: output-held-by-a-grandchild
said=$( (sleep "$P"; echo late) & echo now)
test "$said" = "now
late"

#: output-held-by-a-silent-orphan
said=$(setsid sh -c "sleep $P" & echo now)
test "$said" = now

#: orphan-of-an-orphan-holds-the-output
said=$(sh -c 'sh -c "sleep '"$P"' & exit" & exit'; echo now)
test "$said" = now

#: fifo-waits-for-its-writer
mkfifo f; (sleep "$P"; echo hi > f) &
test "$(cat f)" = hi; wait

#: fifo-waits-for-its-reader
mkfifo f; (sleep "$P"; cat f > got) &
echo hi > f; wait; grep -q hi got

#: fifo-opened-by-an-orphan
mkfifo f; sh -c "(sleep $P; echo hi > f) & exit"
read -r word < f; test "$word" = hi

#: fifos-in-a-ring-with-one-who-sleeps
mkfifo a b c
(sleep "$P"; echo token > a; read -r _ < c) &
(read -r x < a; echo "$x" > b) &
(read -r x < b; echo "$x" > c) &
wait

#: coprocess
coproc WORKER { while read -r line; do sleep "$S"; echo "did $line"; done; }
for i in $(seq "$N"); do sleep 2; echo "$i" >&"${WORKER[1]}"; read -r reply <&"${WORKER[0]}"; test "$reply" = "did $i"; done
exec {WORKER[1]}>&-; wait

#: process-substitution
diff <(sleep "$P"; echo a) <(echo a)

#: tee-to-slow-readers
head -c 1000000 /dev/zero | tee >(sleep "$P"; cat >/dev/null) >(sleep 1; wc -c >/dev/null) >/dev/null
sleep 1

#: slow-consumer
head -c 5000000 /dev/zero | (sleep "$P"; wc -c) | grep -q 5000000

#: slow-producer
(sleep "$P"; echo b; echo a) | sort | uniq | wc -l | grep -q 2

#: long-pipeline-behind-a-sleeper
(sleep "$P"; seq 1000) | cat | tr 0-9 a-j | sort -u | gzip | gunzip | cat | wc -l | grep -q 1000

#: stopped-and-continued
sleep 1 & job=$!
kill -STOP $job; (sleep "$P"; kill -CONT $job) &
wait

#: job-control
set -m
sleep "$P" & fg %1 >/dev/null

#: whole-group-stopped-and-continued
setsid sh -c 'sleep 1 | cat' & job=$!
sleep 0.3; kill -STOP -- -$job; sleep "$P"; kill -CONT -- -$job; wait $job

#: waits-for-a-file
(sleep "$P"; touch flag) &
until test -e flag; do sleep 0.2; done; wait

#: waits-for-a-file-by-lock-file
(set -o noclobber; echo $$ > lock; sleep "$P"; rm lock) &
sleep 0.2
until (set -o noclobber; echo $$ > lock) 2>/dev/null; do sleep 0.3; done
rm lock; wait

#: mkdir-lock
(mkdir lock; sleep "$P"; rmdir lock) &
sleep 0.2; until mkdir lock 2>/dev/null; do sleep 0.5; done; rmdir lock; wait

#: waits-for-a-process-by-polling
(exec sleep "$P") & job=$!
while kill -0 $job 2>/dev/null; do sleep 0.5; done

#: restarts-what-crashes
for i in $(seq "$N"); do sh -c 'sleep 1; exit 3' || sleep "$S"; done; sleep 2.5

#: zombie-reaped-late | perl
perl -e 'my $pid = fork // die; exit 0 unless $pid; select undef, undef, undef, $ENV{P}; waitpid $pid, 0'

#: zombies-beside-a-poller | perl
perl -e 'my $pid = fork // die; exit 0 unless $pid; for (1..4 * $ENV{P}) { select undef, undef, undef, 0.25 } waitpid $pid, 0'

#: idle-children-ended-later
tail -f /dev/null & idle=$!
mkfifo f; cat <> f >/dev/null & reader=$!
sleep infinity & forever=$!
sleep "$P"; kill $idle $reader $forever; wait || true

#: idle-daemon-that-holds-nothing
setsid sh -c 'exec tail -f /dev/null' </dev/null >/dev/null 2>&1 & idle=$!
sleep "$P"; kill $idle; wait $idle || true

#: cron-like
end=$(($(date +%s) + ${P%.*} + 1))
while test "$(date +%s)" -lt $end; do date >> log; sleep 1; done

#: countdown-in-one-line
for i in $(seq 6); do printf '\r%s' "$i"; sleep 1; done

#: nested-shells
sh -c "sh -c \"sh -c 'sleep $P; true'; true\"; true"

#: deep-wait
f() { if test "$1" -gt 0; then (f $(($1 - 1))); true; else sleep "$P"; fi; }
f 12

#: many-waiters
for i in $(seq 40); do sleep "$P" & done; wait

#: time-limits
timeout 40 sh -c "sleep $P; true"
timeout --foreground 40 sleep 1
timeout 2 sleep 30 || test $? = 124

#: parent-replaced-while-children-run
bash -c "sleep $P & exec sleep 1"
sleep 2

#: here-document-to-a-sleeper
(sleep "$P"; cat) <<EOT | grep -q word
word
EOT

#: exec-with-a-closed-pipe
(sleep "$P"; exec 1>&-; sleep 2) | cat

#: subshell-keeps-a-write-end-for-a-while
{ (exec 3>&1; sleep "$P") & } | cat
sleep 1

#: umask-nice-env
nice -n 5 env -i PATH="$PATH" sh -c "sleep $P"

#: signal-sent-by-a-child
trap 'got=1' USR1; got=0
(sleep "$P"; kill -USR1 $$) &
while test $got = 0; do wait || true; done
