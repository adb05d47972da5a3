//! System calls that name something, in words: who asked for what, and what came of it.

use std::collections::BTreeMap;

use hangdog_analysis::errno_name;
use hangdog_schemas::Tid;
use hangdog_schemas::record::KernelDeed;
use hangdog_timeline::{CallDone, Timeline};

use crate::text::{clean, lasting};

/// One call in one line, harmless.
pub(crate) fn words(done: &CallDone) -> String {
    let call = &done.call;
    let mut line = format!("{}[{}] {}", clean(&call.comm), call.tid, clean(&call.name));
    // How it was opened says what was wanted; that it was to be closed on exec does not.
    let flags: Vec<_> = call.flags.iter().filter(|flag| *flag != "O_CLOEXEC").map(|flag| clean(flag)).collect();
    let flags = (!flags.is_empty()).then(|| format!("({})", flags.join(" ")));
    let paths: Vec<_> = call.paths.iter().map(|path| clean(path)).collect();
    let address = call.address.as_deref().map(|address| clean(address).into_owned());
    let request = call.request.as_deref().map(|request| format!("\"{}\"", clean(request)));
    for word in
        [flags, Some(paths.join(" to ")), address, request].into_iter().flatten().filter(|word| !word.is_empty())
    {
        line = format!("{line} {word}");
    }
    if call.held_ns > 0 {
        line = format!("{line}, held for {} on purpose", lasting(call.held_ns));
    }
    match done.errno() {
        Some(errno) => format!("{line}: {}", errno_name(errno)),
        None => line,
    }
}

/// What a system call gave: a number, or the name of the error.
pub(crate) fn result(result: i64) -> String {
    let errno =
        result.checked_neg().and_then(|errno| i32::try_from(errno).ok()).filter(|errno| (1..4096).contains(errno));
    errno.map_or_else(|| result.to_string(), errno_name)
}

/// Names of threads that lived too short for a sample, by what calls and the kernel tell of them.
pub(crate) fn names(timeline: &Timeline) -> BTreeMap<Tid, String> {
    let observer = timeline.header().observer.pid;
    let mut names = BTreeMap::from([(Tid(observer.0), "hangdog".to_owned())]);
    for event in timeline.kernel_events() {
        if let KernelDeed::Fork { child, comm } = &event.what {
            names.insert(*child, clean(comm).into_owned());
        }
    }
    for done in timeline.calls() {
        names.insert(done.call.tid, clean(&done.call.comm).into_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::result;

    #[test]
    fn what_failed_says_how() {
        assert_eq!(result(-2), "ENOENT");
        assert_eq!(result(3), "3");
        // An address of mmap is no error, however large.
        assert_eq!(result(i64::MIN), i64::MIN.to_string());
        assert_eq!(result(-5000), "-5000");
    }
}
