//! hangdog killed with SIGKILL at any moment of a run: the command's result is what it is without hangdog, the
//! capture can be opened as far as it goes, and the next run clears what is left.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use hangdog_schemas::Record;
use hangdog_schemas::file::Reader;
use hangdog_tests::{Bench, programs, until};

use crate::{descendants, rounds};

/// What the command prints, one line every two milliseconds.
const LINES: u64 = 100;
/// Tells that the command was started, and how it ended, all at once.
const TELLING: &str = r#": > "$0.started"; "$@"; code=$?; echo $code > "$0.new"; mv "$0.new" "$0"; exit $code"#;

pub(crate) fn at_random_moments() {
    rounds::each(|seed| {
        let round = Round::new(seed);
        let status = round.kill();
        // What was started goes on to its end by itself; so do hangdog's helpers.
        descendants::none(&round.mark, &BTreeSet::new(), &format!("seed {seed}"));
        round.check_result(status);
        round.check_capture();
        round.check_next_run();
    });
}

struct Round {
    bench: Bench,
    /// Where hangdog keeps what is in memory, for this round alone.
    runtime: tempfile::TempDir,
    seed: u64,
    mark: String,
    pid: std::cell::Cell<u32>,
}

impl Round {
    fn new(seed: u64) -> Self {
        let runtime = tempfile::Builder::new().prefix("hangdog-tests-").tempdir_in("/dev/shm").expect("a tmpfs");
        let mark = format!("killed-{}-{seed}", std::process::id());
        Self { bench: Bench::new(programs!()), runtime, seed, mark, pid: std::cell::Cell::new(0) }
    }

    fn code(&self) -> i32 {
        (self.seed % 5) as i32
    }

    /// Starts hangdog and kills it at its moment: half of them while hangdog starts, the others until it has ended.
    fn kill(&self) -> ExitStatus {
        let mut line: Vec<OsString> = ["sh", "-c", TELLING].map(OsString::from).into();
        line.push(self.done().into());
        let (lines, code) = (LINES.to_string(), self.code().to_string());
        line.extend(self.bench.scenario("print-and-exit", &[lines.as_ref(), code.as_ref(), self.mark.as_ref()]));
        let options: &[&str] = if self.seed.is_multiple_of(3) { &["--tee"] } else { &[] };
        let mut command = self.bench.watched(options, line);
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        let file = |name: &str| File::create(self.bench.path(name)).expect("a file for output");
        let mut hangdog = command.stdout(file("out")).stderr(file("err")).spawn().expect("hangdog");
        self.pid.set(hangdog.id());
        let chance = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let limit = if self.seed.is_multiple_of(2) { 60_000 } else { 600_000 };
        std::thread::sleep(Duration::from_micros(chance % limit));
        // It may have ended.
        let _ended = hangdog.kill();
        hangdog.wait().expect("our own child")
    }

    fn done(&self) -> PathBuf {
        self.bench.path("done")
    }

    fn check_result(&self, status: ExitStatus) {
        let seed = self.seed;
        let printed = fs::read_to_string(self.bench.path("out")).expect("the output");
        let told = fs::read_to_string(self.bench.path("err")).unwrap_or_default();
        let was_started = self.bench.path("done.started").exists();
        match status.code() {
            Some(code) => assert_eq!(code, self.code(), "seed {seed}: {told}"),
            None => assert_eq!(status.signal(), Some(libc::SIGKILL), "seed {seed}: {told}"),
        }
        if was_started {
            let code = fs::read_to_string(self.done()).expect("the command came to its end");
            assert_eq!(code.trim(), self.code().to_string(), "seed {seed}: {told}");
            let lines: Vec<String> = (0..LINES).map(|line| format!("line {line}")).collect();
            assert_eq!(printed.lines().collect::<Vec<_>>(), lines, "seed {seed}: {told}");
        } else {
            assert_eq!((printed.as_str(), status.code()), ("", None), "seed {seed}: {told}");
        }
    }

    fn check_capture(&self) {
        let bytes = fs::read(self.bench.capture_path()).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        let reader = Reader::from_bytes(&bytes).unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let (records, _) = reader.read_all();
        assert!(matches!(records.first(), Some(Record::Run(_)) | None), "seed {}: {:?}", self.seed, records.first());
    }

    fn check_next_run(&self) {
        let mut command = self.bench.hangdog(["run", "--", "true"]);
        let next = self.bench.end_of(command.env("XDG_RUNTIME_DIR", self.runtime.path()));
        assert_eq!((next.status.code(), next.stderr.as_str()), (Some(0), ""), "seed {}", self.seed);
        assert_eq!(names(&self.runtime.path().join("hangdog")), [""; 0], "seed {}: in memory", self.seed);
        let own = format!("hangdog-{}-", self.pid.get());
        until("the end of the kernel's recorder of the killed one", || {
            let instances = names(Path::new("/sys/kernel/tracing/instances"));
            (!instances.iter().any(|name| name.starts_with(&own))).then_some(())
        });
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
