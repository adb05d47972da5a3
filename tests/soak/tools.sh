# Tools of every day.

#: git-work | git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git config --global user.email a@b; git config --global user.name a; git init -q r; cd r
printf '#!/bin/sh\nsleep %s\n' "$P" > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit
for i in $(seq 20); do echo "$i" > "f$i"; done; git add .; git commit -qm one
git clone -q . ../c; cd ../c; git gc -q; git log -p | cat >/dev/null

#: git-editor-and-pager | git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_EDITOR="sh -c 'sleep $P; echo message > \$1' x"; git config --global user.email a@b; git config --global user.name a
git init -q r; cd r; git commit -q --allow-empty >/dev/null; git -c core.pager='sleep 2; cat' -p log >/dev/null

#: git-push-to-a-slow-hook | git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git config --global user.email a@b; git config --global user.name a; git init -q --bare b.git
printf '#!/bin/sh\nsleep %s; cat >/dev/null\n' "$P" > b.git/hooks/pre-receive; chmod +x b.git/hooks/pre-receive
git init -q r; cd r; git commit -q --allow-empty -m x; git push -q ../b.git HEAD:x; git fetch -q ../b.git x

#: git-behind-a-lock | git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git config --global user.email a@b; git config --global user.name a; git init -q; git config core.filesRefLockTimeout 20000
mkdir -p .git/refs/heads; git commit -q --allow-empty -m x; touch .git/refs/heads/x.lock; (sleep "$P"; rm .git/refs/heads/x.lock) & git branch x; wait

#: follows-a-log | tail
(for i in 1 2 3; do sleep 2.3; echo "$i" >> log; done) & writer=$!; touch log
tail -n +1 -f --pid=$writer log | tail -1 | grep -q 3

#: follows-until-a-word | tail
touch log; (sleep "$P"; echo ready >> log) & 
(tail -f log & echo $! > pid; wait) | grep -q -m1 ready; kill "$(cat pid)" 2>/dev/null || true; wait

#: waits-for-a-file-by-inotify | inotifywait
(sleep "$P"; touch x) & inotifywait -qq -e create . ; wait

#: watches-for-events | inotifywait
timeout 9 inotifywait -qq -m -e create . & sleep 2; touch a; sleep 2.5; touch b; wait || true

#: watch-command | watch script
timeout 7 script -qec 'watch -n 2 date' /dev/null </dev/null >/dev/null || true

#: archives | tar
seq 200000 > x; tar c x | (sleep "$P"; tar t >/dev/null); gzip -9 < x | (sleep 2; gunzip) | cmp - x

#: dd-through-a-fifo | dd
mkfifo f; dd if=/dev/zero of=f bs=64k count=20 2>/dev/null & (sleep "$P"; dd if=f of=/dev/null bs=1k count=1280 2>/dev/null); wait || true

#: package-tools | dpkg-deb
mkdir -p p/DEBIAN p/usr; printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: d\n' > p/DEBIAN/control
head -c 3000000 /dev/urandom > p/usr/x; dpkg-deb --root-owner-group -b p p.deb >/dev/null; dpkg-deb -c p.deb | (sleep "$P"; cat) >/dev/null; dpkg -l >/dev/null

#: pip-of-a-local-package | pip3
export HOME=$PWD; pip3 list --disable-pip-version-check >/dev/null 2>&1; sleep "$P"

#: npm-script | npm
export HOME=$PWD; printf '{"name":"x","version":"1.0.0","scripts":{"pretest":"sleep 2","test":"sleep 3 & wait"}}' > package.json; npm test --silent

#: coprocess-bc | bc
coproc BC { bc; }; for i in 1 2 3; do sleep 2.2; echo "$i+1" >&"${BC[1]}"; read -r x <&"${BC[0]}"; test "$x" = $((i + 1)); done; exec {BC[1]}>&-; wait

#: ed-fed-slowly | ed
(echo a; sleep "$P"; echo text; echo .; echo 'w f'; sleep 1; echo q) | ed -s; grep -q text f

#: run-parts-in-turn | run-parts
mkdir d; for i in a b; do printf '#!/bin/sh\nsleep 2.5\n' > d/$i; chmod +x d/$i; done; run-parts d

#: detached-session | setsid
setsid -w sh -c "sleep $P"; setsid -f sh -c 'sleep 3; touch done' ; until test -e done; do sleep 0.4; done

#: sleeps-until-killed-by-a-limit | timeout
timeout -k 1 5 sh -c 'trap "" TERM; sleep 3; sleep 30' || true

#: lists-of-open-files | lsof
sleep "$P" & lsof -p $! >/dev/null 2>&1 || true; wait

#: perl-open3 | perl
perl -MIPC::Open3 -e 'my $pid = open3(my $in, my $out, undef, "sort"); for (1..3) { print $in "$_\n"; sleep 2 } close $in; my @l = <$out>; waitpid $pid, 0; die unless @l == 3'

#: find-with-a-slow-reader | find
find /usr/share/doc -name '*.gz' 2>/dev/null | (sleep "$P"; cat >/dev/null)
