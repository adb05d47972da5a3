//! Recorders in unusual states: left by an exec, which ends the phases while the process lives on; and in a memfd.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use hangdog_flight::{ClockSource, Options, Place, Recorder, Site, SiteNumber};
use hangdog_schemas::Record;
use libtest_mimic::Failed;

use crate::bench::{Bench, check_code, records};

/// The argument that makes this program a traced one.
pub(crate) const RECORD_AND_EXEC: &str = "--record-and-exec";

/// Opens a phase, says so, waits for a line, and becomes `sleep`.
pub(crate) fn record_and_exec() -> ! {
    static NUMBER: SiteNumber = SiteNumber::new();
    static PREPARE: Site = Site::new("prepare", &[], &NUMBER);
    let _open = hangdog_flight::begin(&PREPARE).expect("there is a run directory").publish();
    println!("open");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let error = Command::new("sh").args(["-c", "read line; exit 7"]).exec();
    panic!("sh cannot be run: {error}");
}

/// The argument that makes this program one that can record in a memfd only.
pub(crate) const RECORD_IN_MEMFD: &str = "--record-in-memfd";

/// Opens a phase and waits for a line.
pub(crate) fn record_in_memfd() -> ! {
    static NUMBER: SiteNumber = SiteNumber::new();
    static SANDBOX: Site = Site::new("in a sandbox", &[], &NUMBER);
    let options = Options { clock: ClockSource::Tick, ..Options::default() };
    let recorder = Recorder::start(&Place::Memfd, options).expect("memfds can be made");
    recorder.with(|| {
        let _open = hangdog_flight::begin(&SANDBOX).expect("there is room").publish();
    });
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::process::exit(0)
}

pub(crate) fn phases_in_a_memfd_are_found() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("memfd.hang");
    let me = std::env::current_exe()?;
    let mut runner = bench.runner(&[me.to_str().unwrap(), RECORD_IN_MEMFD]);
    let mut child = runner.env("HANGDOG_TEST_CAPTURE", &capture).stdin(Stdio::piped()).spawn()?;
    crate::bench::until("the capture has the phase", || {
        let bytes = std::fs::read(&capture).unwrap_or_default();
        let is_it = |record: &Record| matches!(record, Record::PhaseOpen(open) if open.name == "in a sandbox");
        hangdog_schemas::file::Reader::from_bytes(&bytes).is_ok_and(|reader| reader.read_all().0.iter().any(is_it))
    })?;
    drop(child.stdin.take());
    check_code(child.wait()?, 0);
    Ok(())
}

pub(crate) fn phases_end_with_an_exec() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("exec.hang");
    let me = std::env::current_exe()?;
    let mut runner = bench.runner(&[me.to_str().unwrap(), RECORD_AND_EXEC]);
    runner.env("HANGDOG_TEST_CAPTURE", &capture).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = runner.spawn()?;
    assert_eq!(crate::bench::first_line(&mut child), "open\n");
    let mut stdin = child.stdin.take().unwrap();
    let seen = |is_it: fn(&Record) -> bool| {
        crate::bench::until("the capture says so", || {
            let bytes = std::fs::read(&capture).unwrap_or_default();
            hangdog_schemas::file::Reader::from_bytes(&bytes)
                .is_ok_and(|reader| reader.read_all().0.iter().any(is_it))
        })
    };
    seen(|record| matches!(record, Record::PhaseOpen(open) if open.name == "prepare"))?;
    writeln!(stdin, "go")?;
    seen(|record| matches!(record, Record::PhaseClose(_)))?;
    writeln!(stdin, "end")?;
    check_code(child.wait()?, 7);
    let (mut opened, mut closed) = (0, 0);
    for record in records(&capture) {
        opened += u32::from(matches!(record, Record::PhaseOpen(_)));
        closed += u32::from(matches!(record, Record::PhaseClose(_)));
    }
    assert_eq!((opened, closed), (1, 1), "it ended once, and was not opened again");
    Ok(())
}
