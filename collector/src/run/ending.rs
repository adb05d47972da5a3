//! From the end of a command to its outcome: ends a hung run, notes what is left, finishes the capture.

use std::path::PathBuf;
use std::time::Duration;

use hangdog_schemas::record::{Action, Deed, ExitStatus, RunEnd};
use hangdog_schemas::{Pid, ProcessId, Record, Report, When};

use super::main_loop::{MainLoop, Stop};
use super::options::{Ended, KeepCapture, OnHang, RunOptions, RunOutcome};
use crate::act;
use crate::judge::Moment;
use crate::kernel::children_cpu;
use crate::write::{Message, Verdict};

/// How long the judge gets after the command has ended.
const LAST_WORD: Duration = Duration::from_secs(3);
/// How long the readers of a hung run's last output get; the hang may be that they take nothing.
const LAST_OUTPUT: Duration = Duration::from_secs(2);
/// How long the writer gets to finish; after that it goes on alone.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Does what is to be done at the end, and tells how it went.
pub(super) fn finish(
    mut main_loop: MainLoop<'_>,
    stop: &Stop,
    options: &RunOptions,
    mut notes: Vec<String>,
) -> RunOutcome {
    let (end, how, done) = match stop {
        Stop::Hang(moment) => {
            if *moment == Moment::Timeout {
                notes.push(format!("the command was ended after {:.1} s: --timeout", main_loop.now().seconds()));
            }
            let done = end_run(&mut main_loop, options.on_hang);
            main_loop.finish_output(Some(LAST_OUTPUT));
            (Ended::HangEnded, main_loop.children.end_of(main_loop.root().pid.0), done)
        }
        Stop::Ended(how) => {
            main_loop.finish_output(None);
            let done = leftovers(&mut main_loop);
            let end = match *how {
                ExitStatus::Code(code) => Ended::Code(code),
                ExitStatus::Signal(signal) => Ended::Signal(signal),
            };
            (end, Some(*how), done)
        }
        Stop::NotStarted(_) => unreachable!("a command that was not started has no outcome"),
        Stop::Gone | Stop::Asked => unreachable!("a command ends by itself or is ended"),
    };
    notes.extend(main_loop.parts.outputs.tee.notes());
    let has_leftovers = note_deeds(&done, end, &mut notes);
    let report = last_report(&mut main_loop, end, how, has_leftovers, &done);
    let run = main_loop.parts.records.question.header().run.clone();
    let is_trouble = end != Ended::Code(0) || report.as_ref().is_some_and(|report| report.verdict.is_some());
    let is_named = matches!(options.capture, KeepCapture::In(_));
    main_loop.finish_asides(&mut notes);
    let keep = Keep { is_trouble, is_named };
    let capture = finish_capture(&mut main_loop, report.as_ref(), keep, &mut notes);
    main_loop.end_kernel_trace();
    RunOutcome { end, report: report.map(|report| with_capture(report, capture.as_ref())), capture, notes, run }
}

fn end_run(main_loop: &mut MainLoop<'_>, on_hang: OnHang) -> Vec<Action> {
    let how = match on_hang {
        OnHang::Kill => OnHang::Kill,
        // `report` gets here by --timeout only.
        OnHang::Rescue | OnHang::Report | OnHang::Wait => OnHang::Rescue,
    };
    let tree = &main_loop.parts.tree;
    let root = main_loop.root();
    let identify =
        |pid: u32| -> Option<ProcessId> { tree.process(Pid(pid)).or_else(|| (root.pid.0 == pid).then_some(root)) };
    let before = &main_loop.parts.before;
    let mut done = act::Deeds::new(main_loop.parts.clock);
    act::end_run(how, &main_loop.owned, before, &mut main_loop.children, &identify, &mut done);
    note(main_loop, done)
}

fn leftovers(main_loop: &mut MainLoop<'_>) -> Vec<Action> {
    let now = main_loop.now();
    // The last lines and phases, and how the tree looks without the command.
    main_loop.sample(now);
    main_loop.last_phases(now);
    let tree = &main_loop.parts.tree;
    let identify = |pid: u32| tree.process(Pid(pid));
    let mut done = act::Deeds::new(main_loop.parts.clock);
    act::left(&main_loop.owned, &main_loop.parts.before, &mut main_loop.children, &identify, &mut done);
    note(main_loop, done)
}

fn note(main_loop: &mut MainLoop<'_>, done: act::Deeds) -> Vec<Action> {
    let (now, done) = (main_loop.now(), done.into_actions());
    for action in &done {
        main_loop.parts.records.push(now, &Record::Action(action.clone()));
    }
    done
}

/// What is left becomes a note each; whether there is any.
fn note_deeds(done: &[Action], end: Ended, notes: &mut Vec<String>) -> bool {
    let mut has_leftovers = false;
    for action in done {
        let Deed::Left { what, command } = &action.deed else { continue };
        has_leftovers = true;
        let how = command.as_ref().map(|command| format!("; `{command}` frees it")).unwrap_or_default();
        let when = if end == Ended::HangEnded { "is still there" } else { "outlives the command" };
        notes.push(format!("{what} {when}{how}"));
    }
    has_leftovers
}

/// The report that stands: of a run that ended well, only what it left behind; else the verdict with what
/// was done about it.
fn last_report(
    main_loop: &mut MainLoop<'_>,
    end: Ended,
    how: Option<ExitStatus>,
    has_leftovers: bool,
    done: &[Action],
) -> Option<Report> {
    main_loop.last_word(LAST_WORD);
    let now = main_loop.now();
    let run_end = RunEnd {
        when: When::exactly(now),
        how,
        ended_by_hangdog: end == Ended::HangEnded,
        cpu_ns: children_cpu().saturating_sub(main_loop.judge_cpu() + main_loop.children.foreign_cpu_ns()),
        own_cpu_ns: main_loop.own_cpu() + main_loop.judge_cpu(),
    };
    main_loop.parts.records.push(now, &Record::RunEnd(run_end));
    if end == Ended::HangEnded {
        let mut report = main_loop.report.take()?;
        let known = &main_loop.parts.records.question;
        report.run.actions = done
            .iter()
            .filter_map(|action| action.in_words(|process| known.name(process).map(ToString::to_string)))
            .collect();
        return Some(report);
    }
    let question = &main_loop.parts.records.question;
    if has_leftovers || question.has_history() {
        main_loop.ask();
        main_loop.last_word(LAST_WORD);
    }
    let mut report = main_loop.report.take()?;
    // A command that went on to its end did not hang, whatever it looked like on the way.
    let is_clean = end == Ended::Code(0);
    let was_shown = main_loop.was_announced() || main_loop.last_signal.is_some();
    if is_clean || !was_shown {
        report.verdict = None;
    }
    (report.verdict.is_some() || !report.findings.is_empty()).then_some(report)
}

pub(super) fn with_capture(mut report: Report, capture: Option<&PathBuf>) -> Report {
    report.run.capture = capture.map(|path| path.display().to_string());
    report
}

/// Why a capture is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// Something was wrong.
    pub(super) is_trouble: bool,
    /// Somebody named a file for it.
    pub(super) is_named: bool,
}

/// Hands the writer the last line and waits for it a little. The capture's path, when it is kept.
pub(super) fn finish_capture(
    main_loop: &mut MainLoop<'_>,
    report: Option<&Report>,
    keep: Keep,
    notes: &mut Vec<String>,
) -> Option<PathBuf> {
    let Keep { is_trouble, is_named } = keep;
    main_loop.finish_files(is_trouble || is_named);
    let verdict = if is_trouble || is_named { Verdict::Keep } else { Verdict::Drop };
    if verdict == Verdict::Keep {
        main_loop.last_calls();
        main_loop.last_kernel_events();
    }
    let now = main_loop.now();
    if let Some(report) = report {
        main_loop.parts.records.push(now, &Record::Report(Box::new(report.clone())));
    }
    main_loop.parts.records.pump();
    let records = &mut main_loop.parts.records;
    let Some(feed) = records.feed.take() else {
        remove_directory(main_loop, None, notes);
        return None;
    };
    let writer = feed.writer();
    let messages = feed.finish(verdict, LAST_BYTES);
    let is_done = messages.iter().any(|message| matches!(message, Message::Done { .. }));
    records.hear(messages);
    let failed = records.failed.take();
    let opened = records.opened.take().filter(|_| verdict == Verdict::Keep);
    if let Some(why) = &failed {
        notes.push(why.clone());
    } else if !is_done && verdict == Verdict::Keep {
        notes.push(format!("the capture is still being written by process {writer}; the disk does not answer"));
    }
    let is_safe = is_done && failed.is_none() || verdict == Verdict::Drop;
    remove_directory(main_loop, (!is_safe && is_trouble).then_some(()), notes);
    opened.filter(|_| failed.is_none())
}

/// Removes the run's directory; the spool stays when nothing else has the facts.
fn remove_directory(main_loop: &MainLoop<'_>, keep_spool: Option<()>, notes: &mut Vec<String>) {
    let Some(directory) = main_loop.parts.directory else { return };
    if keep_spool.is_some() {
        let spool = directory.remove_all_but_spool();
        notes.push(format!("the first facts of this run are in {}", spool.display()));
    } else {
        directory.remove();
    }
}
