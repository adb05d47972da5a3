//! `hangdog clean`: in a mount namespace of its own, where `/dev/shm` holds nobody else's.

use std::fs;
use std::process::{Command, Stdio};

use hangdog_tests::{Bench, programs};

/// Needs `H`, `S` and `D`: hangdog, the scenarios, a directory. Says line by line what it finds.
const SCRIPT: &str = r#"
set -u
mount -t tmpfs tmpfs /dev/shm || exit 99
unset XDG_RUNTIME_DIR
base=/dev/shm/hangdog-$(id -u)
wait_for() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 600 ] || { echo "no $1"; exit 98; }; sleep 0.05; done; }
start() { "$H" run -o "$D/$1.hang" -- sh -c 'echo $$ > "$0"; exec sleep 1000' "$D/$1.pid" & }

start dead; dead_hangdog=$!
wait_for '[ -s "$D/dead.pid" ]'
dead=$(ls -d $base/run-*)
wait_for 'grep -q root.*pid $dead/owner'
kill -9 $dead_hangdog $(cat "$D/dead.pid")
wait $dead_hangdog 2> /dev/null
wait_for '! kill -0 $(cat "$D/dead.pid") 2> /dev/null'

"$H" clean > "$D/dry"; echo "dry run: $?"
[ -d "$dead" ] && echo "it is still there"

# A directory that is there already is not taken for a new run; the next one would remove the dead: so it gets a mount.
mkdir "$D/precious" "$dead/below"
echo keep > "$D/precious/file"
mount --bind "$D/precious" "$dead/below" || exit 97

start live; live_hangdog=$!
wait_for '[ -s "$D/live.pid" ]'
live=$(ls -d $base/run-* | grep -v "$dead")

"$H" clean --apply > "$D/applied" 2> "$D/refused"; echo "with a mount: $?"
cat "$D/precious/file"
[ -d "$live" ] && kill -0 $live_hangdog && kill -0 $(cat "$D/live.pid") && echo "the live one is left alone"
umount "$dead/below"
"$H" clean --apply > "$D/again"; echo "without: $?"
[ -d "$dead" ] || echo "it is gone"
cat "$D/precious/file"
[ -d "$live" ] && echo "the live one is left alone"
kill $live_hangdog; wait $live_hangdog 2> /dev/null
[ -d "$live" ] || echo "its own is removed by a run that ends"
"$H" clean
"#;

/// `unshare` into a mount namespace; as an ordinary user into a user namespace too.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.arg(if nix::unistd::geteuid().is_root() { "-m" } else { "-Urm" });
    command
}

pub(crate) fn no_namespace() -> Option<String> {
    let tried = unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]).stderr(Stdio::null()).status();
    (!tried.is_ok_and(|status| status.success())).then(|| "needs unshare(1), and root or user namespaces".to_owned())
}

pub(crate) fn clean() {
    let bench = Bench::new(programs!());
    let hangdog = bench.hangdog(["clean"]);
    let mut command = bench.unwatched([unshare().get_program()]);
    command
        .args(unshare().get_args())
        .args(["sh", "-c", SCRIPT])
        .env("H", hangdog.get_program())
        .env("D", bench.path(""));
    let ended = bench.end_of(&mut command);
    let file = |name: &str| fs::read_to_string(bench.path(name)).unwrap_or_default();
    let told = format!("{}{}", ended.stdout, ended.stderr);
    let expected = "dry run: 0\nit is still there\nwith a mount: 1\nkeep\nthe live one is left alone\nwithout: 0\nit is gone\n\
                    keep\nthe live one is left alone\nits own is removed by a run that ends\ndead runs have left nothing here\n";
    assert_eq!(ended.stdout, expected, "{told}");
    assert!(file("dry").contains("would remove  directory of a run"), "{}", file("dry"));
    assert!(file("dry").contains("--apply"), "{}", file("dry"));
    assert!(file("refused").contains("a mount lies on it"), "{}", file("refused"));
    assert!(file("applied").contains("in use        directory of a run"), "{}", file("applied"));
    assert!(file("again").contains("removed       directory of a run"), "{}", file("again"));
}
