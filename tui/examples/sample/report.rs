//! What the analysis says of the sample.

use hangdog_schemas::{
    Actor, Big, Confidence, Edge, Evidence, FactRef, Fd, Finding, FindingKind, FuseConnection, PhaseId, Pid,
    REPORT_VERSION, Report, Resource, RunSummary, SnapshotId, Tid,
};

use super::{LOOP, MOUNT, SERVER, SHELL, TEST, WALKER, at, process, thread};

fn actor(pid: u32, tid: u32, comm: &str, phase: &str) -> Actor {
    let phase = (!phase.is_empty()).then(|| phase.to_owned());
    Actor { pid: Pid(pid), tid: Tid(tid), task: None, comm: comm.to_owned(), phase }
}

fn evidence(text: &str, fact: FactRef) -> Evidence {
    Evidence { text: text.to_owned(), facts: vec![fact] }
}

fn edges() -> Vec<Edge> {
    let second = SnapshotId(2);
    let test = actor(TEST, TEST, "fuse.test", "test send_creates_a_conversation > write send");
    let fuse_loop = actor(TEST, LOOP, "fuse.test", "FLUSH send > POST /api/conversations/new");
    let walker = actor(SERVER, WALKER, "indexd", "POST /api/conversations/new > walk /tmp");
    let mount = format!("the reply of the file system on {MOUNT}");
    vec![
        Edge {
            waiter: test,
            resource: Resource {
                kind: "fuse-reply".to_owned(),
                name: mount.clone(),
                call: Some(format!("close(\"{MOUNT}/send\")")),
            },
            resolver: Some(fuse_loop.clone()),
            confidence: Confidence::Certain,
            evidence: vec![
                evidence(
                    "thread 4390 sleeps in request_wait_answer since 4.4 s",
                    FactRef::thread(second, thread(TEST, TEST)),
                ),
                evidence(
                    "fd 6 of fuse.test[4390] serves FUSE connection 41",
                    FactRef::fd(second, process(TEST), Fd(6)),
                ),
            ],
        },
        Edge {
            waiter: fuse_loop.clone(),
            resource: Resource {
                kind: "tcp-reply".to_owned(),
                name: "the reply to POST /api/conversations/new at 127.0.0.1:8080".to_owned(),
                call: Some("recvfrom(9)".to_owned()),
            },
            resolver: Some(walker.clone()),
            confidence: Confidence::Likely,
            evidence: vec![
                evidence(
                    "127.0.0.1:40312 > 127.0.0.1:8080 is fd 9 of 4390 and fd 15 of 4412; nothing is unread",
                    FactRef::socket(second, Big(90_377)),
                ),
                evidence(
                    "the phase POST /api/conversations/new of indexd serves that connection",
                    FactRef::phase(PhaseId { process: process(SERVER), phase: Big(1) }),
                ),
            ],
        },
        Edge {
            waiter: walker,
            resource: Resource {
                kind: "fuse-reply".to_owned(),
                name: mount,
                call: Some(format!("openat(\"{MOUNT}/conversation\")")),
            },
            resolver: Some(fuse_loop),
            confidence: Confidence::Certain,
            evidence: vec![
                evidence(
                    "the path lies on the mount of FUSE connection 41, which has 2 requests waiting",
                    FactRef::fuse(second, FuseConnection(41)),
                ),
                evidence(
                    "fuse-loop is the only thread that reads /dev/fuse of connection 41",
                    FactRef::thread(second, thread(TEST, LOOP)),
                ),
            ],
        },
    ]
}

/// What the analysis says of it.
pub(crate) fn report() -> Report {
    let edges = edges();
    let verdict = Finding {
        kind: FindingKind::DeadlockCycle,
        confidence: Confidence::Likely,
        sentence: "deadlock through a FUSE mount: indexd[4412] is in openat(\"/tmp/it-7/mount/conversation\") on a mount \
                   served by fuse.test[4390], which waits for the reply to POST /api/conversations/new from indexd[4412]"
            .to_owned(),
        culprits: vec![edges[1].waiter.clone(), edges[2].waiter.clone()],
        edges,
        advice: vec![
            "Serve the file system from a process of its own, or answer FLUSH before the POST is sent.".to_owned(),
            "Let the walk skip mounts (compare st_dev), or start it outside /tmp.".to_owned(),
        ],
        rescue: vec!["echo 1 > /sys/fs/fuse/connections/41/abort".to_owned()],
        unknown: vec!["Kernel stacks: needs CAP_SYS_ADMIN.".to_owned()],
        id: "deadlock-cycle-1".to_owned(),
        signature: "6b1f0c9d2e7a4453".to_owned(),
    };
    let idle = Finding {
        kind: FindingKind::HeldAcrossWait,
        confidence: Confidence::Possible,
        sentence: "indexd[4412] holds the lock on /home/ci/chat/.index/lock while it waits, and 4999 waits for it"
            .to_owned(),
        culprits: vec![actor(SERVER, SERVER, "indexd", "")],
        edges: vec![Edge {
            waiter: actor(SHELL, SHELL, "git", ""),
            resource: Resource {
                kind: "pipe-data".to_owned(),
                name: "data in pipe 90412".to_owned(),
                call: Some("read(3)".to_owned()),
            },
            resolver: Some(actor(SERVER, WALKER, "indexd", "")),
            confidence: Confidence::Possible,
            evidence: vec![evidence(
                "fd 17 of indexd[4412] is the only writer",
                FactRef::fd(SnapshotId(2), process(SERVER), Fd(17)),
            )],
        }],
        advice: vec!["Release the lock before the walk.".to_owned()],
        rescue: Vec::new(),
        unknown: Vec::new(),
        id: "held-across-wait-1".to_owned(),
        signature: "0c11f0c9d2e7a44a".to_owned(),
    };
    Report {
        verdict: Some(verdict.clone()),
        findings: vec![verdict, idle],
        run: RunSummary {
            id: "01K0EXAMPLE000000000000000".to_owned(),
            command: vec!["cargo".to_owned(), "test".to_owned()],
            host: "build-17".to_owned(),
            at: at(16_050).t,
            last_progress: Some(at(5_900).t),
            progress: Some("phase walk /tmp".to_owned()),
            capture: None,
            actions: vec![
                "killed 4390 and 4412".to_owned(),
                "aborted FUSE connection 41, detached /tmp/it-7/mount".to_owned(),
            ],
            missing: Vec::new(),
        },
        comparison: None,
        schema: REPORT_VERSION,
    }
}

/// A report on a run in which nothing was wrong.
#[cfg(test)]
pub(crate) fn nothing() -> Report {
    Report { verdict: None, findings: Vec::new(), ..report() }
}
