//! Looks at processes that ran already. Nothing is done to them: no signal, no stop, nothing is adopted, and when
//! hangdog is killed they do not notice.

mod options;

use std::time::Duration;

use hangdog_schemas::record::{Lost, RunEnd};
use hangdog_schemas::{Big, Pid, ProcessId, Record, Watched, When};

pub use self::options::{AttachError, AttachOptions, AttachOutcome, Left, Whom};

use crate::act::Before;
use crate::clock::RunClock;
use crate::judge::Judge;
use crate::kernel::{Children, raise_open_files, start_of_own};
use crate::observe::{Snapshotter, Tree, baseline};
use crate::run::directory::RunDirectory;
use crate::run::ending::{Keep, finish_capture, with_capture};
use crate::run::header::{Header, chance, header, name_a_run};
use crate::run::main_loop::{MainLoop, Parts, SAMPLE, Stop};
use crate::run::others::{self, Others};
use crate::run::output::Outputs;
use crate::run::question::Question;
use crate::run::records::Records;
use crate::run::signals::Signals;
use crate::run::subject::Subject;
use crate::spool::Spool;
use crate::watchdog::{Stay, Visit, Watch};
use crate::write::{Feed, Place};

/// Between two samples of a watch, ns: it may stay for days.
const WATCH_SAMPLE: u64 = 4 * SAMPLE;
/// How long the judge gets when the looking has ended.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Looks at processes until all is known that was asked for.
///
/// The calling process should have no other thread: it forks helpers, and blocks the signals that end it.
#[expect(clippy::needless_pass_by_value, reason = "a look uses its options up")]
pub fn attach(options: AttachOptions, judge: &mut dyn Judge) -> Result<AttachOutcome, AttachError> {
    let clock = RunClock::start();
    let name = name_a_run(clock.anchor().realtime.0, chance());
    let own = std::process::id();
    let start = start_of_own(own).map_err(AttachError::own("/proc cannot be read"))?;
    let own = ProcessId { pid: Pid(own), start: Big(start) };
    let others = Others::find(&options.whom, own)?;
    let mut notes = Vec::new();
    // `hangdog dump` finds a watch by its directory; a look that is over in some seconds leaves no trace at all.
    let directory = (options.stay == Stay::Watch).then(|| watch_directory(&name, &mut notes)).flatten();
    let looked = look(&options, clock, &name, own, others, directory.as_ref(), notes, judge);
    if let Some(directory) = &directory {
        directory.remove();
    }
    looked
}

fn watch_directory(name: &str, notes: &mut Vec<String>) -> Option<RunDirectory> {
    let uid = rustix::process::geteuid().as_raw();
    match RunDirectory::create(name, std::env::var_os("XDG_RUNTIME_DIR"), uid) {
        Ok(mut directory) => {
            notes.append(&mut directory.troubles);
            Some(directory)
        }
        Err(error) => {
            notes.push(format!("`hangdog dump` will not find this watch: its directory cannot be made: {error}"));
            None
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what was made before the loop goes into it")]
fn look(
    options: &AttachOptions,
    clock: RunClock,
    name: &str,
    own: ProcessId,
    others: Others,
    directory: Option<&RunDirectory>,
    mut notes: Vec<String>,
    judge: &mut dyn Judge,
) -> Result<AttachOutcome, AttachError> {
    let children = Children::of_others();
    let signals = Signals::catch().map_err(AttachError::own("signals cannot be caught"))?;
    // Helpers are forked first: from a small process.
    let feed = start_writer(options, &mut notes);
    let tree = Tree::new(clock, own.pid, Vec::new()).map_err(AttachError::own("the process tree cannot be read"))?;
    let snapshotter = Snapshotter::new(clock).map_err(AttachError::own("snapshots cannot be taken"))?;
    raise_open_files();
    let baseline = baseline().map_err(AttachError::own("the mounts cannot be read"))?;
    let about = Header {
        command: ["hangdog".to_owned(), "attach".to_owned()].into_iter().chain(options.whom.words()).collect(),
        root: others.first(),
        options: in_force(options),
        watched: Watched::Processes,
    };
    let header = header(about, name, clock).map_err(AttachError::own("/proc cannot be read"))?;
    let records = Records::new(feed, Spool::new(None), Question::new(header));
    let _ = rustix::process::setpriority_process(None, -5);
    let parts = Parts {
        clock,
        directory,
        before: Before::look(),
        baseline,
        tree,
        snapshotter,
        outputs: Outputs::of_others(),
        records,
        signals,
        subject: Subject::Others(others),
        foreign: Vec::new(),
        files: None,
        ktrace: None,
        calls: None,
        pace: if options.stay == Stay::Watch { WATCH_SAMPLE } else { SAMPLE },
    };
    let watch = Watch::Others(Visit::new(options.stay, options.limit));
    let mut main_loop = MainLoop::new(parts, watch, children, judge);
    if options.stay == Stay::Watch {
        main_loop.tell_each_hang(options.most_captures);
    }
    let left = match main_loop.run() {
        Stop::Hang(_) => Left::Looked,
        Stop::Gone => Left::Gone,
        Stop::Asked => Left::Asked,
        Stop::NotStarted(_) | Stop::Ended(_) => unreachable!("no command was started"),
    };
    Ok(finish(main_loop, left, options, notes))
}

fn finish(mut main_loop: MainLoop<'_>, left: Left, options: &AttachOptions, mut notes: Vec<String>) -> AttachOutcome {
    main_loop.last_word(LAST_WORD);
    let now = main_loop.now();
    if let Subject::Others(others) = &main_loop.parts.subject
        && others.left_out() > 0
    {
        let at = format!("processes to watch ({} are followed)", others::MOST);
        let lost = Lost { when: When::exactly(now), at, records: others.left_out() };
        main_loop.parts.records.push(now, &Record::Lost(lost));
    }
    let own_cpu_ns = main_loop.own_cpu() + main_loop.judge_cpu();
    let end = RunEnd { when: When::exactly(now), how: None, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns };
    main_loop.parts.records.push(now, &Record::RunEnd(end));
    let mut report = main_loop.report.take();
    if let (Left::Gone, Some(report)) = (left, &mut report) {
        // Whoever has ended did not hang for good.
        report.verdict = None;
    }
    main_loop.finish_asides(&mut notes);
    let processes = main_loop.parts.tree.processes().count();
    let hangs = main_loop.hangs_told();
    let run = main_loop.parts.records.question.header().run.clone();
    let keep = Keep { is_trouble: false, is_named: options.capture.is_some() };
    let capture = finish_capture(&mut main_loop, report.as_ref(), keep, &mut notes);
    let report = report.map(|report| with_capture(report, capture.as_ref()));
    AttachOutcome { left, report, hangs, processes, capture, notes, run }
}

fn in_force(options: &AttachOptions) -> Vec<String> {
    let mut words: Vec<String> =
        options.limit.iter().map(|limit| format!("--timeout={}ms", limit.as_millis())).collect();
    words.extend((options.stay == Stay::Watch).then(|| "--watch".to_owned()));
    words.extend(options.capture.iter().map(|path| format!("--output={}", path.display())));
    words.extend(options.noted.iter().cloned());
    words
}

fn start_writer(options: &AttachOptions, notes: &mut Vec<String>) -> Option<Feed> {
    let path = options.capture.as_ref()?;
    // The writer sits at `/`.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    match Feed::start(&Place::Named(path)) {
        Ok(feed) => Some(feed),
        Err(error) => {
            notes.push(format!("no capture is written: its process cannot be started: {error}"));
            None
        }
    }
}
