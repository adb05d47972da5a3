//! Recorders of traced programs in usual and unusual states: killed, many, in a memfd, in other namespaces, left by an
//! exec, which ends the phases while the process lives on.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hangdog_schemas::fact::Belonging;
use hangdog_schemas::record::{PhaseOpen, ThreadSample};
use hangdog_schemas::{Observed, PhaseId, Record, When};
use libtest_mimic::Failed;

use crate::bench::{Bench, check_code, first_line, records, until};
use crate::recording::RECORD;

/// A runner of a traced program, with its standard input.
fn traced(bench: &Bench, words: &[&str], capture: &Path) -> Command {
    let me = std::env::current_exe().unwrap();
    let command: Vec<&str> = [me.to_str().unwrap(), RECORD].into_iter().chain(words.iter().copied()).collect();
    let mut runner = bench.runner(&command);
    runner.env("HANGDOG_TEST_CAPTURE", capture).stdin(Stdio::piped());
    runner
}

/// Waits until a capture that is being written has a record.
fn until_it_has(capture: &Path, what: &str, is_it: impl Fn(&Record) -> bool) -> Result<(), Failed> {
    until(what, || {
        let bytes = std::fs::read(capture).unwrap_or_default();
        hangdog_schemas::file::Reader::from_bytes(&bytes).is_ok_and(|reader| reader.read_all().0.iter().any(&is_it))
    })
}

fn opens(name: &str) -> impl Fn(&Record) -> bool {
    move |record| matches!(record, Record::PhaseOpen(open) if open.name == name)
}

fn finish(mut child: Child) -> Result<(), Failed> {
    drop(child.stdin.take());
    check_code(child.wait()?, 0);
    Ok(())
}

/// The one opening of that name.
#[track_caller]
fn opened<'r>(records: &'r [Record], name: &str) -> &'r PhaseOpen {
    let found: Vec<&PhaseOpen> = records
        .iter()
        .filter_map(|record| match record {
            Record::PhaseOpen(open) if open.name == name => Some(&**open),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
}

fn closed(records: &[Record], id: PhaseId) -> Option<When> {
    records.iter().find_map(|record| match record {
        Record::PhaseClose(close) if close.id == id => Some(close.when),
        _ => None,
    })
}

/// Neither a sample nor a snapshot has a thread that is called like the recorder's own, nor is one of the run missing.
/// One that ends while it is read has lost some by then; of processes beside the run, other tests' are among them.
#[track_caller]
fn check_no_tick(records: &[Record]) {
    let is_tick = |comm: &str| comm == hangdog_flight::TICK_THREAD;
    for record in records {
        match record {
            Record::Sample(sample) => {
                let sampled = |thread: &&ThreadSample| thread.comm.as_deref().is_some_and(is_tick);
                assert_eq!(sample.threads.iter().find(sampled), None);
            }
            Record::Thread(thread) => assert!(!is_tick(&thread.comm), "{thread:?}"),
            Record::Process(process) if matches!(process.belongs, Belonging::Root | Belonging::Run) => {
                let of_process = records.iter().filter(|record| {
                    matches!(record, Record::Thread(thread)
                        if thread.thread.process == process.process && thread.snapshot == process.snapshot)
                });
                let (seen, all) = (of_process.count(), process.threads as usize);
                let ended_meanwhile = process.namespaces == Observed::Vanished;
                assert!(seen == all || seen < all && ended_meanwhile, "{seen} of {all} threads of {process:?}");
            }
            _ => {}
        }
    }
}

pub(crate) fn phases_in_a_memfd_are_found() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("memfd.hang");
    let child = traced(&bench, &["memfd"], &capture).spawn()?;
    until_it_has(&capture, "the capture has the phase", opens("in a sandbox"))?;
    finish(child)
}

pub(crate) fn phases_end_with_an_exec() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("exec.hang");
    let mut child = traced(&bench, &["exec"], &capture).stdout(Stdio::piped()).spawn()?;
    assert_eq!(first_line(&mut child), "open\n");
    let mut stdin = child.stdin.take().unwrap();
    until_it_has(&capture, "it is open", opens("prepare"))?;
    writeln!(stdin, "go")?;
    until_it_has(&capture, "it is closed", |record| matches!(record, Record::PhaseClose(_)))?;
    writeln!(stdin, "end")?;
    check_code(child.wait()?, 7);
    let records = records(&capture);
    assert!(closed(&records, opened(&records, "prepare").id).is_some(), "it ended, and was not opened again");
    Ok(())
}

pub(crate) fn phases_stay_open_when_the_process_ends() -> Result<(), Failed> {
    let bench = Bench::new();
    for (word, name) in [("open", "in here"), ("killed", "last words")] {
        let capture = bench.path(word);
        let mut child = traced(&bench, &[word], &capture).spawn()?;
        drop(child.stdin.take());
        child.wait()?;
        let records = records(&capture);
        assert_eq!(closed(&records, opened(&records, name).id), None, "{name} never ended");
    }
    Ok(())
}

pub(crate) fn many_short_processes_are_all_read() -> Result<(), Failed> {
    // More than are followed at once.
    const NUMBER: usize = 600;
    let bench = Bench::new();
    let capture = bench.path("many.hang");
    finish(traced(&bench, &["many", &NUMBER.to_string()], &capture).spawn()?)?;
    let records = records(&capture);
    let processes: BTreeSet<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::PhaseOpen(open) if open.name == "last words" => Some(open.id.process),
            _ => None,
        })
        .collect();
    let lost: Vec<&Record> = records.iter().filter(|record| matches!(record, Record::Lost(_))).collect();
    assert_eq!((processes.len(), lost), (NUMBER, Vec::new()));
    check_no_tick(&records);
    Ok(())
}

pub(crate) fn what_led_up_to_a_trigger_is_told() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("steps.hang");
    let mut child = traced(&bench, &["steps"], &capture).spawn()?;
    until_it_has(&capture, "it runs", |record| matches!(record, Record::Sample(_)))?;
    writeln!(child.stdin.as_mut().unwrap(), "go")?;
    until_it_has(&capture, "a snapshot after the steps", opens("step three"))?;
    finish(child)?;
    let records = records(&capture);
    check_no_tick(&records);
    let mut before = None;
    for name in ["step one", "step two", "step three"] {
        let open = opened(&records, name);
        let close = closed(&records, open.id).expect("it ended");
        assert!(open.when.t <= close.t && before <= Some(open.when.t), "in their order");
        before = Some(close.t);
    }
    let future = opened(&records, "future");
    let state = records.iter().rev().find_map(|record| match record {
        Record::PhaseState(state) if state.id == future.id => Some((state.polled_now, state.polls)),
        _ => None,
    });
    assert_eq!((state, future.task.map(|task| task.0)), (Some((false, 1)), Some(7)));
    Ok(())
}

pub(crate) fn a_thread_that_is_only_called_like_the_recorders_counts() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("impostor.hang");
    let child = traced(&bench, &["impostor"], &capture).env("HANGDOG_CLOCK", "coarse").spawn()?;
    until_it_has(
        &capture,
        "a snapshot has it",
        |record| matches!(record, Record::Thread(thread) if thread.comm == hangdog_flight::TICK_THREAD),
    )?;
    finish(child)
}

pub(crate) fn programs_in_other_namespaces_are_known() -> Result<(), Failed> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces need root");
        return Ok(());
    }
    let bench = Bench::new();
    let me = std::env::current_exe()?;
    let me = me.to_str().unwrap();
    let elsewhere = ["--time", "--monotonic", "-100", "--boottime", "5000", "--fork"];
    for pids in [&[][..], &["--pid"]] {
        let capture = bench.path(&format!("namespaces-{}.hang", pids.len()));
        let mut command = vec!["unshare"];
        command.extend(pids.iter().chain(&elsewhere).chain(&[me, RECORD, "open"]));
        let mut runner = bench.runner(&command);
        let child = runner.env("HANGDOG_TEST_CAPTURE", &capture).stdin(Stdio::piped()).spawn()?;
        until_it_has(&capture, "a snapshot", |record| matches!(record, Record::SnapshotEnd(_)))?;
        finish(child)?;
        let records = records(&capture);
        check_no_tick(&records);
        let open = opened(&records, "in here");
        let started = records.iter().find_map(|record| match record {
            Record::ProcessStart(start) if start.process == open.id.process => Some(start.when),
            _ => None,
        });
        let started = started.expect("its process is the one that was sampled");
        assert!(!open.when.surely_before(started), "{open:?} began after {started:?}");
        assert_eq!(open.tid.map(|tid| tid.0), Some(open.id.process.pid.0));
    }
    Ok(())
}
