//! The reference knows what the program knows: every verb, flag and variable of `--help` stands in it, every key of
//! the replay, and every field and kind of a report.

use std::fs;
use std::path::Path;

use hangdog_tests::{Bench, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

const VERBS: &[&str] = &[
    "run",
    "attach",
    "dump",
    "report",
    "flake",
    "diff",
    "replay",
    "demo",
    "phase",
    "doctor",
    "clean",
    "schema",
    "completions",
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = VERBS
        .iter()
        .map(|verb| trial(format!("hangdog {verb}"), Needs::Nothing, move || check(programs!(), verb)))
        .collect();
    trials.push(trial("all verbs", Needs::Nothing, all_verbs));
    trials.push(trial("keys of the replay", Needs::Nothing, keys));
    trials.push(trial("fields and kinds of a report", Needs::Nothing, report));
    trials.push(trial("kinds of a capture's lines", Needs::Nothing, lines));
    trials.push(trial("links lead somewhere", Needs::Nothing, links));
    libtest_mimic::run(&arguments, trials).exit();
}

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn help(bench: &Bench, arguments: &[&str]) -> String {
    let ended = bench.end_of(&mut bench.hangdog(arguments.iter().copied().chain(["--help"])));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    ended.stdout
}

fn check(programs: Programs, verb: &str) {
    let bench = Bench::new(programs);
    let (command_line, environment) = (page("reference/command-line.md"), page("reference/environment.md"));
    assert!(command_line.contains(&format!("## hangdog {verb}")), "there is no section on {verb}");
    let mut texts = vec![help(&bench, &[verb])];
    if verb == "phase" {
        texts.extend(["begin", "end", "run"].map(|change| help(&bench, &[verb, change])));
    }
    for text in texts {
        for flag in words(&text, "--").filter(|flag| *flag != "--help") {
            assert!(command_line.contains(&format!("`{flag}")), "{flag} of {verb} is not in command-line.md");
        }
        for variable in words(&text, "HANGDOG") {
            assert!(environment.contains(&format!("`{variable}`")), "{variable} is not in environment.md");
        }
    }
}

/// Words of a text that begin with `start`: flags or variables.
fn words<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .filter(move |word| word.starts_with(start) && word.len() > start.len().max(2))
}

fn all_verbs() {
    let bench = Bench::new(programs!());
    let text = help(&bench, &[]);
    let verbs: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // Longer descriptions go on in lines that are indented further.
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(verbs, VERBS, "VERBS are those that --help lists");
}

/// The page has the key table as the program has it.
fn keys() {
    let table = hangdog_tui::keys_markdown();
    assert!(page("reference/replay.md").contains(&table), "docs/reference/replay.md is to contain:\n\n{table}");
}

/// What the JSON Schema of a report names stands in the page on reports.
fn report() {
    let page = page("reference/report.md");
    let schema = hangdog_schemas::json_schema::report();
    let definitions = schema["$defs"].as_object().expect("definitions");
    let parts = ["Finding", "Actor", "Edge", "Resource", "Evidence", "RunSummary"].map(|name| &definitions[name]);
    for part in std::iter::once(&schema).chain(parts) {
        for field in part["properties"].as_object().expect("fields").keys() {
            assert!(page.contains(&format!("`{field}`")), "{field} is not in report.md");
        }
    }
    for kind in names(&definitions["FindingKind"]) {
        assert!(page.contains(&format!("`{kind}`")), "{kind} is not in report.md");
    }
}

/// Every kind of line that the JSON Schema of a capture names stands in the page on captures.
fn lines() {
    let page = page("reference/capture.md");
    let schema = hangdog_schemas::json_schema::record();
    for line in schema["oneOf"].as_array().expect("kinds of lines") {
        let kind = line["properties"]["kind"]["const"].as_str().expect("a kind");
        assert!(page.contains(&format!("`{kind}`")), "{kind} is not in capture.md");
    }
}

/// The names of an enumeration.
fn names(schema: &Value) -> Vec<&str> {
    schema["oneOf"].as_array().expect("variants").iter().map(|one| one["const"].as_str().expect("a name")).collect()
}

/// Relative links of all pages, README and CONTRIBUTING included.
fn links() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = Vec::new();
    collect(&root.join("docs"), &mut pages);
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.push(root.join(name));
    }
    for path in pages {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let there = path.parent().is_some_and(|directory| directory.join(file).exists());
            assert!(there, "{}: {target} leads nowhere", path.display());
        }
    }
}

fn collect(directory: &Path, pages: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
}
