//! Wrong usage and unreadable input: the right exit code, and a message with its cause and what to do.

use std::fs;

use hangdog_tests::{Bench, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};

/// Arguments (`@x` is the file of that name), exit code, and what the message must hold.
const USAGE: &[(&str, i32, &[&str])] = &[
    ("", 2, &["Usage"]),
    ("frobnicate", 2, &["frobnicate"]),
    ("run", 125, &["CMD"]),
    ("run --no-such-flag -- true", 125, &["--no-such-flag"]),
    ("run --quiet-after soon -- true", 125, &["soon", "30s"]),
    ("run --quiet-after 5 -- true", 125, &["5s"]),
    ("run --on-hang explode -- true", 125, &["explode", "rescue"]),
    ("run --report report.docx -- true", 125, &["report.docx", "json"]),
    ("run -- /nowhere/at/all", 127, &["/nowhere/at/all", "try: "]),
    ("report", 2, &["FILE"]),
    ("report @missing", 2, &["missing", "because: ", "try: "]),
    ("report @empty", 2, &["empty", "try: "]),
    ("report @text", 2, &["no capture", "try: "]),
    ("report @gzip", 2, &["no capture", "try: "]),
    ("report @header-cut", 2, &["cut", "try: "]),
    ("report @version-2", 2, &["2.0", "1.0", "try: upgrade"]),
    ("report @directory", 2, &["directory", "try: "]),
    ("replay @empty", 2, &["empty", "try: "]),
    ("replay @text", 2, &["no capture", "try: "]),
    ("phase end", 2, &[]),
    ("schema nothing", 2, &["nothing"]),
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = USAGE
        .iter()
        .map(|&(line, code, words)| {
            trial(format!("hangdog {line}"), Needs::Nothing, move || check(programs!(), line, code, words))
        })
        .collect();
    trials.push(trial("a command that dies at once", Needs::Nothing, dies_at_once));
    trials.push(trial("a recorder file with garbage in it", Needs::Nothing, garbage_in_recorder));
    trials.push(trial("a reader that has gone", Needs::Nothing, reader_has_gone));
    libtest_mimic::run(&arguments, trials).exit();
}

#[track_caller]
fn check(programs: Programs, line: &str, code: i32, words: &[&str]) {
    let bench = Bench::new(programs);
    furnish(&bench);
    let arguments = line.split_whitespace().map(|word| match word.strip_prefix('@') {
        Some(name) => bench.path(name).into_os_string(),
        None => word.into(),
    });
    let ended = bench.end_of(&mut bench.hangdog(arguments));
    assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "what is wrong belongs on standard error");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in: {}", ended.stderr);
    }
}

fn furnish(bench: &Bench) {
    let frame = |text: &[u8]| zstd::encode_all(text, 3).expect("zstd");
    let header = br#"{"kind":"run","format":"2.0","hangdog":"9.0.0"}
"#;
    fs::create_dir(bench.path("directory")).expect("a directory");
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"this is no capture\n".to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec()),
        ("header-cut", frame(header)[..8].to_vec()),
        ("version-2", frame(header)),
    ] {
        fs::write(bench.path(name), bytes).expect("a file");
    }
}

fn dies_at_once() {
    let bench = Bench::new(programs!());
    let line = bench.scenario("die", &["SIGKILL".as_ref()]);
    let ended = bench.end_of(&mut bench.watched(&[], line));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(9), "{}", ended.stderr);
    assert_eq!(bench.report().expect("a report").verdict, None);
}

/// A program that writes rubbish where recorders lie harms nobody.
fn garbage_in_recorder() {
    let bench = Bench::new(programs!());
    let script = "mkdir -p \"$HANGDOG_RUN_DIR/flight\" && cd \"$HANGDOG_RUN_DIR/flight\" && \
                  head -c 100000 /dev/urandom > garbage && : > empty && ln -s /dev/zero link && mkfifo pipe && \
                  printf 'no json\\n{\"do\":\"begin\"}\\n\\377\\n' > \"$HANGDOG_PHASES\"; exit 7";
    let ended = bench.end_of(&mut bench.watched(&[], ["sh", "-c", script]));
    assert_eq!(ended.status.code(), Some(7), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(bench.capture_path().exists());
}

fn reader_has_gone() {
    let bench = Bench::new(programs!());
    let script = "\"$0\" --help | true; \"$0\" schema record | true; exit 0";
    let program = bench.hangdog(["run"]).get_program().to_owned();
    let ended =
        bench.end_of(&mut bench.unwatched(["sh".as_ref(), "-c".as_ref(), script.as_ref(), program.as_os_str()]));
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}
