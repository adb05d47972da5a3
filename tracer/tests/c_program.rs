//! A C program with phases, compiled with `cc` and read back while it waits.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hangdog_flight::{EventKind, Outcome, Reader, Recording};

const PROGRAM: &str = r#"
#include <stdio.h>
#include <string.h>
#include "hangdog.h"

#define TEXT(text) text, strlen(text)

int main(void) {
    /* None of this may do anything. */
    hangdog_end(0, HANGDOG_OK);
    hangdog_end(12345678901234567890u, 77);
    hangdog_exit(42);
    hangdog_field(7, NULL, 5, NULL, 5);
    uint64_t nothing = hangdog_begin(NULL, 0);
    hangdog_end(nothing, -1);
    uint64_t garbage = hangdog_begin("\xff\xfe bytes", 8);
    hangdog_end(garbage, HANGDOG_FAILED);
    hangdog_end(garbage, HANGDOG_OK);
    uint64_t walk = hangdog_begin(TEXT("walk"));
    hangdog_field(walk, TEXT("hang.wait"), TEXT("path:/mnt/x"));
    hangdog_field_number(walk, TEXT("depth"), -3);
    hangdog_enter(walk);
    uint64_t read = hangdog_begin(TEXT("read"));
    puts("open");
    fflush(stdout);
    getchar();
    hangdog_end(read, HANGDOG_CANCELLED);
    hangdog_exit(walk);
    hangdog_end(walk, HANGDOG_OK);
    puts("closed");
    fflush(stdout);
    getchar();
    return 0;
}
"#;

/// The library for C, built beside what the tests were built with. `None` where there is no compiler for it.
fn library(directory: &Path) -> Option<PathBuf> {
    let cargo = Command::new(env!("CARGO"))
        .args([
            "rustc",
            "--offline",
            "--quiet",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .args(["--lib", "--features", "ffi", "--crate-type", "staticlib", "--target-dir"])
        .arg(directory)
        .status();
    cargo.is_ok_and(|status| status.success()).then(|| directory.join("debug/libhangdog_tracer.a"))
}

fn recording(run: &Path) -> Recording {
    let file = std::fs::read_dir(run.join("flight")).unwrap().next().unwrap().unwrap().path();
    Reader::open(&file).unwrap().read().unwrap()
}

#[test]
fn phases_of_a_c_program_are_seen() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("c_program");
    std::fs::create_dir_all(&directory).unwrap();
    let Some(library) = library(&directory) else {
        return println!("SKIPPED: the library for C cannot be built here");
    };
    let (source, program) = (directory.join("program.c"), directory.join("program"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-I", concat!(env!("CARGO_MANIFEST_DIR"), "/include"), "-o"])
        .args([&program, &source, &library])
        .args(["-lpthread", "-ldl", "-lm"])
        .status();
    let Ok(compiled) = compiled else { return println!("SKIPPED: there is no cc here") };
    assert!(compiled.success());

    let run = tempfile::Builder::new().tempdir_in("/dev/shm").unwrap();
    let mut child = Command::new(&program)
        .env("HANGDOG_RUN_DIR", run.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "open");
    let phases = recording(run.path()).open;
    let find =
        |name: &str| phases.iter().find(|phase| phase.name == name).unwrap_or_else(|| panic!("{name}: {phases:?}"));
    let (walk, read) = (find("walk"), find("read"));
    assert_eq!(phases.len(), 2);
    assert_eq!((walk.hang.wait.as_deref(), walk.polled_now), (Some("path:/mnt/x"), true));
    assert_eq!(walk.fields, [("depth".to_owned(), "-3".to_owned())]);
    assert_eq!((read.parent, read.polled_now), (Some(walk.id), false));
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"\n").unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "closed");
    let recording = recording(run.path());
    assert_eq!(recording.open, []);
    let outcomes: Vec<_> = recording
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Close { name, outcome, .. } => Some((name.as_str(), *outcome)),
            _ => None,
        })
        .collect();
    let expected = [
        ("\u{fffd}\u{fffd} bytes", Some(Outcome::Failed)),
        ("read", Some(Outcome::Cancelled)),
        ("walk", Some(Outcome::Ok)),
    ];
    assert_eq!(outcomes, expected);
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
