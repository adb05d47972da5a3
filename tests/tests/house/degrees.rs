//! What `hangdog doctor` says in places with fewer rights is tried there, claim by claim; and `hangdog run` names a
//! hang with what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use hangdog_schemas::file::Reader;
use hangdog_schemas::record::WatchedBy;
use hangdog_schemas::{Confidence, FindingKind, Record};
use hangdog_tests::{Bench, Undo, programs, until};
use serde_json::Value;

use crate::descendants;

/// Needs `H`, `S`, `D`, `C`, `P`: hangdog, the scenarios, a directory, a FUSE connection of somebody else, its server.
const SCRIPT: &str = r#"
export XDG_STATE_HOME="$D/state" HOME="$D" SCENARIO_ROLES="$D/roles"
unset XDG_RUNTIME_DIR
cd "$D"
try() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
"$H" doctor --json > "$D/doctor.json" || echo "doctor failed"
try system-calls cat /proc/self/syscall
try wait-channels cat /proc/self/wchan
try kernel-stacks cat /proc/self/stack
try children cat /proc/thread-self/children
try fuse-device sh -c 'test -c /dev/fuse && : <> /dev/fuse'
try fuse-connections cat "/sys/fs/fuse/connections/$C/waiting"
try control-groups test -e /sys/fs/cgroup/cgroup.controllers -o -d /sys/fs/cgroup/freezer
try hidepid cat /proc/1/status
try pid-namespace sh -c 'test "$(cat /proc/$P/comm)" = server'
try kernel "$S" asks-for-a-mapping
try user-namespaces sh -c 'unshare -m true || unshare -Urm true'
# In a pid namespace of its own the server is not there, or another process has its number.
if test "$(cat /proc/$P/comm)" = server; then try rights readlink /proc/$P/cwd; fi 2> /dev/null
try memory-files "$H" run -- sh -c 'test -n "${HANGDOG_RUN_DIR-}"'
"$H" run -- false 2> "$D/err.false"
try captures sh -c 'ls "$XDG_STATE_HOME"/hangdog/*.hang'
"$H" run --quiet-after 1s --timeout 30s --report "$D/report.json" -o "$D/run.hang" -- "$S" pipe-full-cycle 2> "$D/err.run"
echo "run $?"
"$H" run --quiet-after 1s --timeout 30s -o "$D/unix.hang" -- "$S" unix-cycle 2> "$D/err.unix"
echo "unix $?"
"#;

/// Before the script: what makes the place.
const PLACES: [(&str, &[&str]); 8] = [
    ("root", &[]),
    ("ordinary user", USER),
    (
        "user namespace",
        &[
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "unshare",
            "-Urpmnf",
            "--mount-proc",
            "--kill-child",
        ],
    ),
    (
        "user namespace among others' processes",
        &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "unshare", "-Urmf", "--kill-child"],
    ),
    (
        "container",
        &[
            "unshare",
            "-pmnf",
            "--mount-proc",
            "--kill-child",
            "setpriv",
            "--bounding-set",
            DOCKER,
            "$S",
            "as-in-docker",
        ],
    ),
    (
        "hidden processes",
        &[
            "unshare",
            "-pmf",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            HIDE,
            "sh",
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ],
    ),
    ("without tracefs and fusectl", &["unshare", "-m", "sh", "-c", WITHOUT, "sh"]),
    ("an older kernel", &["$S", "as-on-linux", "5.10"]),
];
const USER: &[&str] = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
const DOCKER: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";
/// The mount is the namespace's own: nobody else's `/proc` changes. The shell stays, as a process of another user.
const HIDE: &str = "mount -o remount,hidepid=2 /proc && \"$@\"; exit $?";
const WITHOUT: &str = "for place in /sys/kernel/tracing /sys/kernel/debug; do mount -t tmpfs tmpfs $place; done
umount -l /sys/fs/fuse/connections; exec \"$@\"";

/// Claims that show in a capture, in what the kernel says of somebody else, or where others' processes are there.
const SHOWN_ELSEWHERE: [&str; 6] =
    ["file-events", "kernel-recorder", "socket-diagnosis", "yama", "fuse-servers", "rights"];

/// Somebody else's mount, whose requests wait.
pub(crate) struct Foreign {
    /// Before the directory goes.
    _undo: Undo,
    bench: Bench,
    starter: Child,
    connection: String,
    server: u32,
}

impl Foreign {
    pub(crate) fn new() -> Self {
        let bench = Bench::new(programs!());
        let mount = bench.path("mount");
        let undo = Undo::by("umount -l \"$1\"", [&mount]);
        let mut command = bench.unwatched(bench.scenario("stuck", &["stat".as_ref(), mount.as_ref()]));
        let starter = command.stderr(Stdio::null()).spawn().expect("a program");
        let connection = until("the mount", || {
            let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
            let line = mounts.lines().find(|line| line.contains(&format!(" {} ", mount.display())))?;
            Some(line.split(' ').nth(2)?.split_once(':')?.1.to_owned())
        });
        until("the victim", || bench.roles().iter().any(|(role, _)| role == "victim").then_some(()));
        let server = until("the server", || {
            bench.roles().into_iter().find_map(|(role, pid)| (role == "server").then_some(pid))
        });
        Self { bench, starter, connection, server, _undo: undo }
    }

    /// Whether the kernel says which connection a server of FUSE has.
    fn says_whose(&self) -> bool {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", self.server)).expect("it lives");
        let wanted = ["fuse_connection:", self.connection.as_str()];
        infos.flatten().any(|info| {
            let text = fs::read_to_string(info.path()).unwrap_or_default();
            text.lines().any(|line| line.split_whitespace().eq(wanted))
        })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // Its server ends, and with it the wait of its victim.
        for (role, pid) in self.bench.roles() {
            if role == "server" {
                let _ended = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid.cast_signed()),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
        }
        let _ended = fs::write(format!("/sys/fs/fuse/connections/{}/abort", self.connection), "1");
        let _status = self.starter.wait();
    }
}

pub(crate) fn claims_are_true() {
    let foreign = Foreign::new();
    std::thread::scope(|scope| {
        for (name, place) in PLACES {
            scope.spawn(|| {
                let bench = Bench::new(programs!());
                let scenario = bench.scenario("x", &[])[0].clone();
                let words =
                    place.iter().map(|word| if *word == "$S" { scenario.clone() } else { OsString::from(word) });
                Visit::new(name, bench, words.collect(), &foreign).check(&foreign);
            });
        }
    });
}

/// What is too old is said; without pidfds no command is started.
pub(crate) fn too_old_a_kernel_is_told() {
    let bench = Bench::new(programs!());
    let on_linux = |version: &str, arguments: &[&str]| {
        let mut line = bench.scenario("as-on-linux", &[version.as_ref()]);
        line.push(bench.hangdog([""; 0]).get_program().to_owned());
        line.extend(arguments.iter().map(OsString::from));
        bench.end_of(&mut bench.unwatched(line))
    };
    for (version, state) in [("4.19", "missing"), ("5.4", "missing"), ("5.10", "limited")] {
        let doctor = on_linux(version, &["doctor", "--json"]);
        let checks: Vec<Value> = serde_json::from_str(&doctor.stdout).expect("a list");
        let kernel = checks.iter().find(|check| check["name"] == "kernel").expect("a check of the kernel");
        assert_eq!(kernel["state"], state, "{version}: {kernel}");
    }
    let marker = bench.path("started");
    let run = on_linux("4.19", &["run", "--", "touch", marker.to_str().expect("a path of ours")]);
    assert_eq!((run.status.code(), marker.exists()), (Some(125), false), "{}", run.stderr);
    assert!(run.stderr.starts_with("hangdog: "), "{}", run.stderr);
    // Nor does one of hangdog's own helpers stay.
    descendants::none(&marker.to_string_lossy(), &BTreeSet::new(), &run.stderr);
}

/// What came of it.
pub(crate) struct Visit {
    name: &'static str,
    bench: Bench,
    told: String,
    errors: String,
    claims: BTreeMap<String, String>,
}

impl Visit {
    /// `place` comes before the script.
    pub(crate) fn new(name: &'static str, bench: Bench, mut place: Vec<OsString>, foreign: &Foreign) -> Self {
        fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o777)).expect("our own directory");
        place.extend(["sh", "-c", SCRIPT].map(OsString::from));
        let mut command = bench.unwatched(place);
        command.env("H", bench.hangdog([""; 0]).get_program()).env("S", &bench.scenario("x", &[])[0]);
        command.env("D", bench.path("")).env("C", &foreign.connection).env("P", foreign.server.to_string());
        let ended = bench.end_of(&mut command);
        let json = fs::read_to_string(bench.path("doctor.json")).unwrap_or_default();
        let checks: Vec<Value> = serde_json::from_str(&json).unwrap_or_else(|error| {
            panic!("{name}: {error}: {}{}", ended.stdout, ended.stderr);
        });
        let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let claims = checks.iter().map(|check| (text(check, "name"), text(check, "state"))).collect();
        let errors: Vec<String> = ["err.false", "err.run", "err.unix"]
            .iter()
            .filter_map(|file| fs::read_to_string(bench.path(file)).ok())
            .chain([ended.stderr, json])
            .collect();
        Self { name, bench, told: ended.stdout, errors: errors.concat(), claims }
    }

    pub(crate) fn check(&self, foreign: &Foreign) {
        for (claim, state) in &self.claims {
            self.check_claim(claim, state == "ok");
        }
        assert_eq!(self.claims.get("fuse-servers").is_some_and(|state| state == "ok"), foreign.says_whose());
        self.check_capture();
        assert!(self.told.contains("run 124\n"), "{}: {}{}", self.name, self.told, self.errors);
        assert!(self.told.contains("unix 124\n"), "{}: {}{}", self.name, self.told, self.errors);
        let verdict = self.bench.report().and_then(|report| report.verdict);
        let named = verdict.map(|verdict| (verdict.kind, verdict.confidence >= Confidence::Likely));
        assert_eq!(named, Some((FindingKind::DeadlockCycle, true)), "{}: {}", self.name, self.errors);
        assert_eq!(self.bench.alive(), [""; 0], "{}", self.name);
    }

    /// What was tried came out as the claim says. No claim is left out, but one that shows elsewhere.
    #[track_caller]
    fn check_claim(&self, claim: &str, is_ok: bool) {
        let told = |answer: &str| self.told.lines().any(|line| line == format!("{claim} {answer}"));
        if told("yes") || told("no") {
            assert_eq!(told("yes"), is_ok, "{}: {claim}: {}{}", self.name, self.told, self.errors);
        } else {
            assert!(SHOWN_ELSEWHERE.contains(&claim), "{}: {claim} is not tried: {}", self.name, self.told);
        }
    }

    /// What shows in a capture only.
    fn check_capture(&self) {
        let records = |name: &str| {
            let bytes = fs::read(self.bench.path(name)).unwrap_or_default();
            let reader = Reader::from_bytes(&bytes);
            reader.unwrap_or_else(|error| panic!("{}: {name}: {error}: {}", self.name, self.errors)).read_all().0
        };
        let (run, unix) = (records("run.hang"), records("unix.hang"));
        let by_fanotify =
            run.iter().any(|record| matches!(record, Record::FileWatch(watch) if watch.by == WatchedBy::Fanotify));
        let from_kernel = run.iter().any(|record| matches!(record, Record::KernelEvent(_)));
        let calls_seen = run.iter().any(|record| {
            matches!(record, Record::Thread(thread) if thread.syscall.seen().is_some_and(|call| call.name().is_some()))
        });
        let gap = |what: &str| unix.iter().any(|record| matches!(record, Record::Gap(gap) if gap.what == what));
        for (claim, was_so) in [
            ("file-events", by_fanotify),
            ("kernel-recorder", from_kernel),
            ("socket-diagnosis", !gap("sock_diag")),
            ("yama", calls_seen),
        ] {
            let is_ok = self.claims.get(claim).is_some_and(|state| state == "ok");
            assert_eq!(is_ok, was_so, "{}: {claim}: {}", self.name, self.errors);
        }
    }
}
