//! What is used up is told beside the verdict, and never is one.

use super::scene::{check_possible, report};

/// What is told of limits, as `confidence: culprits: sentence`.
#[track_caller]
fn check(scene: &str, expected: &str) {
    let report = report(scene);
    let told = report.findings.iter().filter(|finding| finding.kind.name() == "limit-reached").map(|finding| {
        let culprits: Vec<String> = finding.culprits.iter().map(|culprit| culprit.pid.to_string()).collect();
        format!("{} {}: {}", finding.confidence.word(), culprits.join(" "), finding.sentence)
    });
    assert_eq!(told.collect::<Vec<_>>().join("\n"), expected);
    assert!(report.verdict.is_none_or(|verdict| verdict.kind.is_hang() && verdict.kind.name() != "limit-reached"));
}

#[test]
fn descriptors_of_a_process() {
    check(
        "proc 10 served <5 accept(3)\nlimit descriptors 10 1024/1024 10=1024",
        "certain 10: served[10] has 1024 of 1024 file descriptors open: every open, accept and pipe of it fails (EMFILE)",
    );
    // Close to it is no news.
    check("proc 10 served <5 accept(3)\nlimit descriptors 10 1023/1024 10=1023", "");
}

#[test]
fn inotify_instances_of_a_user() {
    check(
        "proc 10 test <5 wait4(11)\nproc 11 tail <10 read(3)\nlimit inotify 1000 129/128 11=100",
        "likely 11: user 1000 has 129 inotify instances and may have 128, 100 of them of tail[11]: every inotify_init fails \
         (EMFILE), also that of other programs",
    );
}

#[test]
fn tasks_of_a_control_group() {
    check(
        "proc 10 make <5 wait4(11)\nlimit tasks :/ci 100/100",
        "certain : control group :/ci has 100 of 100 tasks: every fork and new thread in it fails (EAGAIN)",
    );
}

#[test]
fn a_limit_is_no_reason_for_a_hang() {
    let scene = "proc 10 served <5 accept(3)\nlimit descriptors 10 1024/1024 10=1024\ndeclared";
    check_possible(
        scene,
        &super::scene::told_of(scene).replace("limit-reached certain: 10; ", "unknown possible: ; "),
    );
}
