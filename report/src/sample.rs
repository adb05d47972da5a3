//! Reports as they come from real hangs, for the tests.

use hangdog_schemas::{
    Actor, Comparison, Confidence, Difference, DifferenceRole, Edge, Evidence, FactRef, FailedRun, Finding,
    FindingKind, Pid, REPORT_VERSION, Rate, Report, Resource, RunNs, RunSummary, Tid,
};

fn actor(comm: &str, pid: u32, tid: u32, phase: Option<&str>) -> Actor {
    Actor { pid: Pid(pid), tid: Tid(tid), task: None, comm: comm.to_owned(), phase: phase.map(str::to_owned) }
}

fn edge(
    waiter: &Actor,
    (kind, name, call): (&str, &str, &str),
    resolver: Option<&Actor>,
    evidence: &[(&str, &str)],
) -> Edge {
    Edge {
        waiter: waiter.clone(),
        resource: Resource {
            kind: kind.to_owned(),
            name: name.to_owned(),
            call: (!call.is_empty()).then(|| call.to_owned()),
        },
        resolver: resolver.cloned(),
        confidence: Confidence::Certain,
        evidence: evidence
            .iter()
            .map(|(text, fact)| Evidence { text: (*text).to_owned(), facts: vec![FactRef((*fact).to_owned())] })
            .collect(),
    }
}

fn finding(kind: FindingKind, confidence: Confidence, sentence: &str, edges: Vec<Edge>) -> Finding {
    Finding {
        kind,
        confidence,
        sentence: sentence.to_owned(),
        culprits: Vec::new(),
        edges,
        advice: Vec::new(),
        rescue: Vec::new(),
        unknown: Vec::new(),
        id: format!("{}-1", kind.name()),
        signature: "5f0c1d2e3a4b5c6d".to_owned(),
    }
}

fn report(verdict: Option<Finding>) -> Report {
    Report {
        findings: verdict.iter().cloned().collect(),
        verdict,
        run: RunSummary {
            id: "01jdk3v5w8x2y4z6a7b8c9d0ef".to_owned(),
            command: vec!["cargo".to_owned(), "test".to_owned(), "--test".to_owned(), "fuse test".to_owned()],
            host: "ci-7".to_owned(),
            at: RunNs(4_412_000_000),
            last_progress: Some(RunNs(1_204_000_000)),
            progress: Some("a new phase".to_owned()),
            capture: Some("/home/u/.local/state/hangdog/01jdk3v5.hang".to_owned()),
            actions: vec![],
            missing: vec![],
        },
        comparison: None,
        schema: REPORT_VERSION,
    }
}

/// The walk that reaches the mount whose server waits for the walk's own request.
pub(crate) fn fuse_cycle() -> Report {
    let cargo = actor("cargo", 4380, 4380, None);
    let test = actor("fuse.test", 4390, 4390, None);
    let server = actor("fuse.test", 4390, 4395, Some("flush send"));
    let indexd = actor("indexd", 4412, 4420, Some("POST /api/conversations/new > walk /tmp/hangdog-demo-x1"));
    let edges = vec![
        edge(
            &cargo,
            ("child-exit", "the exit of fuse.test[4390]", "wait4(-1)"),
            Some(&test),
            &[("fuse.test[4390] is its only child", "snapshot:2/process:4390")],
        ),
        edge(
            &server,
            ("tcp-reply", "the reply to POST /api/conversations/new", "recvfrom(9)"),
            Some(&indexd),
            &[
                ("phase `flush send` waits for http:127.0.0.1:8080", "phase:4390:3"),
                (
                    "the other end of 127.0.0.1:40312 > 127.0.0.1:8080 is fd 11 of indexd[4412], nothing unread on either side",
                    "snapshot:2/socket:81240",
                ),
            ],
        ),
        edge(
            &indexd,
            (
                "fuse-reply",
                "/tmp/hangdog-demo-x1/mount",
                "openat(AT_FDCWD, \"/tmp/hangdog-demo-x1/mount/conversation\")",
            ),
            Some(&server),
            &[
                ("the path lies on FUSE connection 41, which has 2 requests waiting", "snapshot:2/fuse:41"),
                ("fuse.test[4390] alone holds /dev/fuse of connection 41, in one thread", "snapshot:2/fd:4390:5"),
            ],
        ),
    ];
    let mut verdict = finding(
        FindingKind::DeadlockCycle,
        Confidence::Certain,
        "deadlock through a FUSE mount: indexd[4412] is in openat(\"…/mount/conversation\") on a mount served by \
         fuse.test[4390], which waits for the reply to POST /api/conversations/new from indexd[4412]",
        edges,
    );
    verdict.culprits = vec![indexd, server];
    verdict.advice = vec!["Keep the walk off mounts that the caller serves: skip mount points, or bound the walk by a timeout in a thread that is not waited for.".to_owned()];
    verdict.rescue = vec!["echo 1 > /sys/fs/fuse/connections/41/abort".to_owned()];
    let mut report = report(Some(verdict));
    report.run.actions =
        vec!["aborted FUSE connection 41".to_owned(), "killed indexd[4412], fuse.test[4390], cargo[4380]".to_owned()];
    report
}

/// A shell that waits for the end of a pipe which a daemon keeps open.
pub(crate) fn idle_holder() -> Report {
    let shell = actor("sh", 700, 700, None);
    let daemon = actor("gpg-agent", 733, 733, None);
    let edges = vec![edge(
        &shell,
        ("pipe-data", "data or the end of pipe:[81234]", "read(3)"),
        Some(&daemon),
        &[("the only write end left is fd 1 of gpg-agent[733]", "snapshot:1/fd:733:1")],
    )];
    let mut verdict = finding(
        FindingKind::IdleHolder,
        Confidence::Likely,
        "sh[700] reads a pipe until its end, and gpg-agent[733], which sits in epoll_wait, keeps the write end open",
        edges,
    );
    verdict.culprits = vec![daemon];
    verdict.advice = vec!["Start the daemon with its output redirected: >/dev/null 2>&1.".to_owned()];
    verdict.unknown = vec!["whether gpg-agent[733] would write or exit by itself".to_owned()];
    let mut report = report(Some(verdict.clone()));
    report.findings.push({
        let mut leak = finding(
            FindingKind::LeakedProcess,
            Confidence::Certain,
            "gpg-agent[733] outlived the process that started it",
            vec![],
        );
        leak.advice = vec!["Stop it at the end of the script: gpgconf --kill gpg-agent.".to_owned()];
        leak
    });
    report.run.missing = vec!["3 records were lost: the queue was full".to_owned()];
    report
}

/// Opens a FIFO that nobody else knows.
pub(crate) fn orphan() -> Report {
    let cat = actor("cat", 512, 512, None);
    let edges = vec![edge(
        &cat,
        ("fifo-peer", "a writer of the FIFO /run/x/jobs", "openat(AT_FDCWD, \"/run/x/jobs\", O_RDONLY)"),
        None,
        &[("no process has /run/x/jobs open for writing", "snapshot:1/thread:512:512")],
    )];
    let mut verdict = finding(
        FindingKind::OrphanWait,
        Confidence::Certain,
        "cat[512] opens the FIFO /run/x/jobs for reading, and nobody is left who could open it for writing",
        edges,
    );
    verdict.culprits = vec![cat];
    report(Some(verdict))
}

/// Nothing is known but that it is still.
pub(crate) fn unknown() -> Report {
    let mut verdict = finding(
        FindingKind::Unknown,
        Confidence::Possible,
        "no progress for 60 s, and what could be seen does not say why: python3[900] sleeps in futex",
        vec![],
    );
    verdict.unknown = vec!["who holds the futex at 0x7f2a10: needs CAP_SYS_PTRACE to see registers".to_owned()];
    report(Some(verdict))
}

/// Many runs of one command, of which some fail.
pub(crate) fn flake() -> Report {
    let mut verdict = finding(
        FindingKind::Diverged,
        Confidence::Likely,
        "in 6 of 6 failing runs and in 0 of 9 passing ones, two hold $TMPDIR/app.lock at once",
        vec![],
    );
    verdict.culprits = vec![actor("worker", 4413, 4413, None)];
    verdict.advice = vec!["take a stale lock by renaming it away, which one alone can do".to_owned()];
    let mut report = report(Some(verdict));
    report.run.id = "flake".to_owned();
    let difference = |text: &str, detail: Option<&str>, role, passed, at| Difference {
        text: text.to_owned(),
        detail: detail.map(str::to_owned),
        role,
        failed: 6,
        of_failed: 6,
        passed,
        of_passed: 9,
        chance: 0.000_2,
        at,
    };
    let cause = difference(
        "two hold $TMPDIR/app.lock at once",
        Some("<worker>[4413] removed it at 31.100 ms while worker[4412] was at work"),
        DifferenceRole::Cause,
        0,
        Some(RunNs(31_100_000)),
    );
    let comes =
        difference("worker ends with exit code 1", None, DifferenceRole::Consequence, 0, Some(RunNs(52_000_000)));
    let chance = difference("worker appends to $TMPDIR/log", None, DifferenceRole::MayBeChance, 3, None);
    report.comparison = Some(Comparison {
        passed: 9,
        failed: 5,
        hung: 1,
        compared: 15,
        undisturbed: Some(Rate { failed: 6, of: 15, low: 0.198, high: 0.643 }),
        perturbed: None,
        reproduced: None,
        failures: vec![FailedRun { run: 2, how: "exit code 1".to_owned(), seed: Some(4711), capture: None }],
        differences: vec![cause, comes, chance],
        weighed: 12,
    });
    report
}

/// Names made to harm whoever looks at them.
pub(crate) fn hostile() -> Report {
    let evil = actor("\x1b]0;x\x07", 66, 66, Some("::error::<script>\n::set-env::`@team`|"));
    let other = actor("\u{202e}gnp.exe", 67, 67, None);
    let edges = vec![
        edge(
            &evil,
            ("file-lock", "the flock on /tmp/```\n# big\n<b>\u{200b}", "flock(3)"),
            Some(&other),
            &[("]]> & \0 \u{9b}2J", "snapshot:1/lock:1")],
        ),
        edge(&other, ("file-lock", "the flock on /tmp/https://evil.example/##[error]", "flock(4)"), Some(&evil), &[]),
    ];
    let mut verdict = finding(
        FindingKind::DeadlockCycle,
        Confidence::Certain,
        "\x1b]0;x\x07[66] and \u{202e}gnp.exe[67] hold what the other wants\r\n::error::**pwned** <img src=x>",
        edges,
    );
    verdict.culprits = vec![evil];
    let mut report = report(Some(verdict));
    report.run.command = vec!["sh".to_owned(), "-c".to_owned(), "echo '<&>'\n\x1b[31m".to_owned()];
    report.run.host = "h\"o<st".to_owned();
    report
}

/// A ring of two, and a thread outside of it that waits for it.
pub(crate) fn side_wait() -> Report {
    let (a, b) = (actor("a", 10, 10, None), actor("b", 11, 11, None));
    let side = actor("a", 10, 12, None);
    let lock = |name| ("file-lock", name, "flock(3)");
    let edges = vec![
        edge(&a, lock("/tmp/m"), Some(&b), &[]),
        edge(&b, lock("/tmp/n"), Some(&a), &[]),
        edge(&side, ("thread-exit", "thread 10", "futex"), Some(&a), &[]),
    ];
    let sentence = "a[10] and b[11] hold what the other wants";
    report(Some(finding(FindingKind::DeadlockCycle, Confidence::Certain, sentence, edges)))
}

/// A run that ended well.
pub(crate) fn clean() -> Report {
    let mut report = report(None);
    report.run.capture = None;
    report.run.last_progress = None;
    report.run.progress = None;
    report
}
