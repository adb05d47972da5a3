//! Every format of every sample, looked at as a whole, and what none of them may contain.

use hangdog_schemas::Report;

use crate::style::{Colour, Glyphs, Style};
use crate::{github, html, json, junit, markdown, sample, text};

fn samples() -> [(&'static str, Report); 8] {
    [
        ("fuse-cycle", sample::fuse_cycle()),
        ("idle-holder", sample::idle_holder()),
        ("orphan", sample::orphan()),
        ("unknown", sample::unknown()),
        ("hostile", sample::hostile()),
        ("side-wait", sample::side_wait()),
        ("clean", sample::clean()),
        ("flake", sample::flake()),
    ]
}

#[test]
fn text_reads_well() {
    for (name, report) in samples() {
        insta::assert_snapshot!(format!("text-{name}"), text(&report, &Style::plain()));
    }
    let ascii = Style { width: 60, colour: Colour::Never, glyphs: Glyphs::Ascii };
    insta::assert_snapshot!("text-fuse-cycle-ascii", text(&sample::fuse_cycle(), &ascii));
    let colour = Style { colour: Colour::Ansi, ..Style::plain() };
    insta::assert_snapshot!("text-idle-holder-colour", text(&sample::idle_holder(), &colour));
}

#[test]
fn markdown_reads_well() {
    for (name, report) in samples() {
        insta::assert_snapshot!(format!("markdown-{name}"), markdown(&report));
    }
}

#[test]
fn pages_and_ci_formats() {
    for (name, report) in
        samples().into_iter().filter(|(name, _)| ["fuse-cycle", "hostile", "clean", "flake"].contains(name))
    {
        insta::assert_snapshot!(format!("junit-{name}"), junit(&report));
        let page = html(&report);
        let body = page.split_once("<body>").map_or("", |(_, body)| body);
        insta::assert_snapshot!(format!("html-{name}"), body);
        insta::assert_snapshot!(format!("github-{name}"), github::annotation(&report).unwrap_or_default());
    }
}

#[test]
fn json_begins_with_the_verdict_and_comes_back() {
    for (name, report) in samples() {
        let text = json(&report);
        assert!(text.starts_with("{\n  \"verdict\": "), "{name}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{name}");
        assert!(!text.replace('\n', "").chars().any(crate::escape::is_deceptive), "{name}");
    }
    assert!(json(&sample::clean()).starts_with("{\n  \"verdict\": null"));
}

#[test]
fn no_format_lets_a_hostile_name_through() {
    let report = sample::hostile();
    let page = html(&report);
    assert!(!page.contains("<script") && !page.contains("<img"));
    for (name, out) in [
        ("text", text(&report, &Style::plain())),
        ("markdown", markdown(&report)),
        ("html", page),
        ("junit", junit(&report)),
        ("summary", github::summary(&report)),
        ("annotation", github::annotation(&report).unwrap()),
    ] {
        assert!(!out.replace('\n', "").chars().any(crate::escape::is_deceptive), "{name}: {out:?}");
        let commands = out.lines().filter(|line| line.trim_start().starts_with("::")).count();
        assert_eq!(commands, usize::from(name == "annotation"), "{name}: {out}");
        assert!(!out.contains("##["), "{name}: {out}");
    }
}

#[test]
fn without_colour_the_words_are_the_same() {
    let colour = text(&sample::fuse_cycle(), &Style { colour: Colour::Ansi, ..Style::plain() });
    let mut plain = String::new();
    let mut rest = colour.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    assert_eq!(plain, text(&sample::fuse_cycle(), &Style::plain()));
}

#[test]
fn lines_keep_to_the_width_unless_a_word_is_longer() {
    use unicode_width::UnicodeWidthStr;
    for (name, report) in samples() {
        for line in text(&report, &Style::plain()).lines().filter(|line| line.width() > 80) {
            let words = line.split_whitespace().collect::<Vec<_>>();
            let longest = words.iter().map(|word| word.width()).max().unwrap_or(0);
            assert!(
                longest > 40 || line.starts_with("command:") || line.contains("hangdog replay"),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn a_summary_is_never_too_large_for_github() {
    let mut report = sample::fuse_cycle();
    let evidence = report.verdict.as_ref().unwrap().edges[0].evidence[0].clone();
    report.verdict.as_mut().unwrap().edges[0].evidence = vec![evidence; 10_000];
    let summary = github::summary(&report);
    assert!(summary.len() <= github::SUMMARY_LIMIT && summary.len() > github::SUMMARY_LIMIT / 2);
    assert_eq!(summary.lines().filter(|line| line.starts_with("```")).count() % 2, 0);
}
