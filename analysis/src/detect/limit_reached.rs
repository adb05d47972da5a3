//! `limit-reached`: nothing is left of something that the kernel counts. The count is a fact; that it is the reason of anything else
//! that is told is not, so it never is a verdict.

use hangdog_schemas::fact::{LimitFact, LimitKind};
use hangdog_schemas::{Confidence, Finding, FindingKind};

use crate::key::Key;
use crate::signature;
use crate::view::View;
use crate::words;

/// All limits that are used up.
pub(crate) fn limit_reached(view: &View<'_>) -> Vec<Finding> {
    view.snapshot.limits.iter().filter(|limit| limit.used >= limit.most).map(|limit| finding(view, limit)).collect()
}

fn finding(view: &View<'_>, limit: &LimitFact) -> Finding {
    let blamed = limit.pid.filter(|pid| view.is_of_run(*pid)).map(Key::main_of);
    let who = limit.pid.map_or_else(|| limit.of.clone(), |pid| view.name(Key::main_of(pid)));
    let (used, most, of) = (limit.used.0, limit.most.0, &limit.of);
    let share = match limit.by_process {
        Some(own) => format!(", {} of them of {who}", own.0),
        None => String::new(),
    };
    let (confidence, sentence, advice, unknown) = match limit.limit {
        LimitKind::Descriptors => (
            Confidence::Certain,
            format!(
                "{who} has {used} of {most} file descriptors open: every open, accept and pipe of it fails (EMFILE)"
            ),
            "close what is not needed any more; if it needs that many, raise the limit (ulimit -n, LimitNOFILE=)",
            Vec::new(),
        ),
        LimitKind::InotifyInstances => (
            Confidence::Likely,
            format!(
                "user {of} has {used} inotify instances and may have {most}{share}: every inotify_init fails (EMFILE), also that of \
                 other programs"
            ),
            "watch many files with one instance; or raise fs.inotify.max_user_instances",
            vec!["which descriptors are copies of one instance: the kernel does not say".to_owned()],
        ),
        LimitKind::Tasks => (
            Confidence::Certain,
            format!("control group {of} has {used} of {most} tasks: every fork and new thread in it fails (EAGAIN)"),
            "end what is not needed any more; if it needs that many, raise pids.max (TasksMax=, --pids-limit)",
            Vec::new(),
        ),
        LimitKind::RunDirectory => (
            Confidence::Certain,
            format!("{of} is full: what programs say of themselves is not recorded any more"),
            "give it more room (mount -o remount,size=…, --shm-size), or remove what lies there",
            Vec::new(),
        ),
    };
    Finding {
        kind: FindingKind::LimitReached,
        confidence,
        sentence: words::sentence(&sentence),
        culprits: blamed.map(|key| view.actor(key)).into_iter().collect(),
        edges: Vec::new(),
        advice: vec![advice.to_owned()],
        rescue: Vec::new(),
        unknown,
        id: String::new(),
        signature: signature::of(FindingKind::LimitReached, &[]),
    }
}
