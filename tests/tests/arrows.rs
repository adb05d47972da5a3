//! Who may know whom: the arrows between the crates, compared with what cargo says.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};
use hangdog_tests::{Needs, trial};
use libtest_mimic::Arguments;

/// Each crate and the crates of this workspace that it may use. What is not here is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("hangdog-schemas", &[]),
    ("hangdog-flight", &[]),
    ("hangdog-tracer", &["hangdog-flight"]),
    ("hangdog-collector", &["hangdog-flight", "hangdog-schemas"]),
    ("hangdog-timeline", &["hangdog-schemas"]),
    ("hangdog-analysis", &["hangdog-schemas", "hangdog-timeline"]),
    ("hangdog-report", &["hangdog-schemas", "hangdog-timeline", "hangdog-analysis"]),
    ("hangdog-tui", &["hangdog-schemas", "hangdog-timeline", "hangdog-analysis", "hangdog-report"]),
];

/// These may use all.
const ON_TOP: &[&str] = &["hangdog", "hangdog-tests"];

/// What pure crates must not use: clocks, terminals, kernels.
const PURE: &[&str] = &["hangdog-schemas", "hangdog-timeline", "hangdog-analysis"];
const IMPURE: &[&str] = &["libc", "nix", "rustix", "tokio", "crossterm", "ratatui", "procfs-core", "tempfile"];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("crates know only what they may", Needs::Nothing, arrows),
        trial("every crate has its line", Needs::Nothing, all_listed),
        trial("pure crates stay pure", Needs::Nothing, pure),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Names of what each crate of the workspace uses in its program, tests aside.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata of this workspace");
    metadata
        .packages
        .iter()
        .map(|package| {
            let used = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), used)
        })
        .collect()
}

fn arrows() {
    let uses = uses();
    for (name, allowed) in ARROWS {
        let used = uses.get(*name).unwrap_or_else(|| panic!("there is no crate {name}"));
        for other in used.iter().filter(|other| uses.contains_key(*other)) {
            assert!(allowed.contains(&other.as_str()), "{name} uses {other}, and may not");
        }
    }
}

fn all_listed() {
    for name in uses().keys() {
        let listed = ARROWS.iter().any(|(known, _)| known == name) || ON_TOP.contains(&name.as_str());
        assert!(listed, "{name} is new: say in ARROWS what it may use");
    }
}

fn pure() {
    let uses = uses();
    for name in PURE {
        for impure in IMPURE {
            assert!(!uses[*name].contains(*impure), "{name} uses {impure}, and is to be pure");
        }
    }
}
