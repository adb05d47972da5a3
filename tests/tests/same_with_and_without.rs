//! The caller sees the same with and without hangdog: exit code, signal, output; and the command is given the same.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use hangdog_tests::{Bench, Ended, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};

/// Prints what a program gets from whoever starts it, but for what is hangdog's own.
const GIVEN: &str = r#"
grep -E '^(Sig(Blk|Ign|Cgt)|Uid|Gid|Groups|Cap.*|NoNewPrivs|Seccomp|Cpus_allowed|Umask):' /proc/self/status
cut -d' ' -f6,7,19 /proc/self/stat
for fd in 0 1 2 3 4 5 6 7 8 9; do
    if [ -e /proc/$$/fd/$fd ]; then echo "descriptor $fd: $(stat -Lc %F /proc/$$/fd/$fd)"; fi
    if [ -t $fd ]; then echo "terminal $fd"; fi
done
ulimit -a
pwd
cat /proc/self/cgroup /proc/self/oom_score_adj
env | grep -v ^HANGDOG | sort
echo out
echo err >&2
"#;

/// What a test does with a program: how it is called, and whether hangdog stands before it.
type Call = fn(&Bench, &mut Command) -> Ended;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials = vec![
        same("what it is given", &["sh", "-c", GIVEN], plainly),
        same("what it is given with signals ignored", &["sh", "-c", GIVEN], with_signals_ignored),
        same("what it is given with stdin closed", &["sh", "-c", GIVEN], with_stdin_closed),
        same("exit code of a shell", &["sh", "-c", "echo out; echo err >&2; exit 7"], plainly),
        same("a program that reads a pipe", &["cat"], with_a_line_to_read),
        same("a program whose reader has gone", &["yes"], with_a_reader_that_goes),
        trial("a terminal", Needs::Nothing, || on_a_terminal(programs!())),
        trial("not found is 127", Needs::Nothing, || refused(programs!(), "/nowhere/at/all", 127)),
        trial("not executable is 126", Needs::Nothing, || refused(programs!(), "/dev/null", 126)),
    ];
    for code in [0, 1, 7, 124, 255] {
        trials.push(same_scenario(format!("exit {code}"), "exit", &code.to_string()));
    }
    for signal in ["SIGSEGV", "SIGTERM", "SIGKILL", "SIGINT", "SIGABRT"] {
        trials.push(same_scenario(format!("death by {signal}"), "die", signal));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn same(name: &str, line: &'static [&'static str], call: Call) -> Trial {
    trial(name, Needs::Nothing, move || {
        let bench = Bench::new(programs!());
        compare(&bench, &line.iter().map(OsString::from).collect::<Vec<_>>(), call);
    })
}

fn same_scenario(name: String, scenario: &'static str, argument: &str) -> Trial {
    let argument = OsString::from(argument);
    trial(name, Needs::Nothing, move || {
        let bench = Bench::new(programs!());
        let line = bench.scenario(scenario, &[&argument]);
        compare(&bench, &line, plainly);
    })
}

#[track_caller]
fn compare(bench: &Bench, line: &[OsString], call: Call) {
    let without = call(bench, &mut bench.unwatched(line));
    let with = call(bench, &mut under_hangdog(bench, line));
    assert_eq!(with.stdout, without.stdout, "standard output");
    assert_eq!(with.stderr, without.stderr, "standard error");
    assert_eq!(with.status, without.status);
    assert_eq!(with.status.core_dumped(), without.status.core_dumped());
}

/// As users call it: without a report and a place for the capture.
fn under_hangdog(bench: &Bench, line: &[OsString]) -> Command {
    let mut command = bench.hangdog(["run", "--"]);
    command.args(line);
    command
}

fn plainly(bench: &Bench, command: &mut Command) -> Ended {
    bench.end_of(command)
}

fn with_stdin_closed(bench: &Bench, command: &mut Command) -> Ended {
    let mut shell = bench.unwatched(["sh", "-c", "exec \"$@\" <&-", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    bench.end_of(&mut shell)
}

fn with_signals_ignored(bench: &Bench, command: &mut Command) -> Ended {
    let mut shell = bench.unwatched(["sh", "-c", "trap '' INT PIPE USR2; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    bench.end_of(&mut shell)
}

fn with_a_line_to_read(bench: &Bench, command: &mut Command) -> Ended {
    let (from, mut into) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut into, b"a line\n").expect("room for a line");
    drop(into);
    bench.end_of(command.stdin(Stdio::from(std::os::fd::OwnedFd::from(from))))
}

fn with_a_reader_that_goes(bench: &Bench, command: &mut Command) -> Ended {
    let (mut from, into) = std::io::pipe().expect("a pipe");
    command.stdout(Stdio::from(std::os::fd::OwnedFd::from(into)));
    let reader = std::thread::spawn(move || from.read_exact(&mut [0; 16]));
    let status = bench.status_of(command);
    reader.join().expect("the reader").expect("something to read");
    Ended { status, stdout: String::new(), stderr: String::new() }
}

/// The command has the same terminal, in the foreground: it can read what is typed.
fn on_a_terminal(programs: Programs) {
    let bench = Bench::new(programs);
    let script =
        "read line; echo \"read: $line\"; tty; for fd in 0 1 2; do [ -t $fd ] && echo terminal $fd; done; exit 7";
    let command = ["sh", "-c", script].map(OsString::from);
    let typed = OsString::from("typed");
    let on_terminal = |line: &[OsString]| {
        let words: Vec<&std::ffi::OsStr> = std::iter::once(&typed).chain(line).map(OsString::as_os_str).collect();
        let outer = bench.scenario("on-terminal", &words);
        bench.end_of(&mut bench.unwatched(outer))
    };
    let hangdog = under_hangdog(&bench, &command);
    let line: Vec<OsString> =
        std::iter::once(hangdog.get_program()).chain(hangdog.get_args()).map(OsString::from).collect();
    let (without, with) = (on_terminal(&command), on_terminal(&line));
    // Each has a terminal of its own number.
    let plain = |ended: &Ended| {
        ended.stdout.lines().filter(|line| !line.starts_with("/dev/pts/")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(plain(&with), plain(&without));
    assert!(plain(&with).contains("read: typed"), "{}", with.stdout);
    assert_eq!((with.status, with.status.code()), (without.status, Some(7)));
}

/// A command that cannot be started: the code of `env` and `timeout`, and a message.
fn refused(programs: Programs, program: &str, code: i32) {
    let bench = Bench::new(programs);
    let ended = bench.end_of(&mut bench.watched(&[], [program]));
    assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
    assert!(ended.stderr.contains(program), "the message names it: {}", ended.stderr);
    assert!(ended.stderr.contains("try: "), "the message has advice: {}", ended.stderr);
}
