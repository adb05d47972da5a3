//! An exec ends the phases of the program that called it; the process lives on.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use hangdog_schemas::Record;
use libtest_mimic::Failed;

use crate::bench::{Bench, check_code, records};

/// The argument that makes this program a traced one.
pub(crate) const RECORD_AND_EXEC: &str = "--record-and-exec";

/// Opens a phase, says so, waits for a line, and becomes `sleep`.
pub(crate) fn record_and_exec() -> ! {
    let recorder = hangdog_flight::current().expect("there is a run directory");
    let _open = recorder.begin(recorder.name("prepare"), None).expect("there is room").publish();
    println!("open");
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let error = Command::new("sh").args(["-c", "read line; exit 7"]).exec();
    panic!("sh cannot be run: {error}");
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
