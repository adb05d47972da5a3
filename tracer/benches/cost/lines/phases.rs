//! Phases of plain code that need no subscriber, and spans of peers.

use std::hint::black_box;

use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::LocalSpan;
use hangdog_tracer::{open_phase, phase};

use super::floors::Words;
use crate::clock::{Effort, off_this_cpu, warm};
use crate::line::{Line, Target};
use crate::work::{each, recorded, text};

const BY_LAYER: &str = "Registry + hangdog layer";

pub(crate) const LINES: &[Line] = &[
    Line::new("empty loop", |effort| {
        Ok(each(effort, |number, text| {
            black_box((number, text));
        }))
    }),
    Line::new("the words of a `phase!`, only written", |effort| {
        Ok(each(effort, |number, text| {
            let _outer = Words::of("outer", 1, number, text);
            let _inner = Words::of("inner", 2, number, text);
        }))
    }),
    Line::new("`phase!`", |effort| recorded(each(effort, pair))).wanted(Target::itself(4.0)),
    Line::new("`open_phase!`", |effort| recorded(each(effort, movable_pair))).wanted(Target::itself(7.0)),
    Line::new("`phase!`, TSC", |effort| recorded(each(effort, pair)))
        .with(&[("HANGDOG_CLOCK", "tsc")])
        .wanted(Target::itself(15.0)),
    Line::new("`open_phase!`, TSC", |effort| recorded(each(effort, movable_pair)))
        .with(&[("HANGDOG_CLOCK", "tsc")])
        .wanted(Target::itself(15.0)),
    Line::new("`phase!`, with history", |effort| recorded(each(effort, pair))).with(&[("HANGDOG_HISTORY", "all")]),
    Line::new("`phase!`, TSC, with history", |effort| recorded(each(effort, pair)))
        .with(&[("HANGDOG_CLOCK", "tsc"), ("HANGDOG_HISTORY", "all")])
        .wanted(Target::itself(30.0)),
    Line::new("`phase!` that says `hang.serve`", |effort| recorded(each(effort, meaning_pair))),
    Line::new("fastrace `LocalSpan`", |effort| {
        Ok(fastrace_each(effort, |number, text| {
            let fields = || [("number", number.to_string()), ("text", text.to_string())];
            let _outer = LocalSpan::enter_with_local_parent("outer").with_properties(fields);
            let _inner = LocalSpan::enter_with_local_parent("inner").with_properties(fields);
        }))
    })
    .beside(BY_LAYER),
    Line::new("fastrace `LocalSpan`, no fields", |effort| {
        Ok(fastrace_each(effort, |_, _| {
            let _outer = LocalSpan::enter_with_local_parent("outer");
            let _inner = LocalSpan::enter_with_local_parent("inner");
        }))
    })
    .beside(BY_LAYER),
];

#[inline]
fn pair(number: u64, text: &str) {
    let _outer = phase!("outer", number, text);
    let _inner = phase!("inner", number, text);
}

/// What it says is written down twice: beside the open phase, and in the history, which outlives it.
#[inline]
fn meaning_pair(number: u64, text: &str) {
    let _outer = phase!("outer", number, hang.serve = text);
    let _inner = phase!("inner", number, hang.serve = text);
}

#[inline]
fn movable_pair(number: u64, text: &str) {
    let _outer = open_phase!("outer", number, text);
    let _inner = open_phase!("inner", number, text);
}

/// Takes the spans and forgets them.
pub(crate) struct Forgets;

impl Reporter for Forgets {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        drop(spans);
    }
}

/// fastrace records within a root only: one for 100 pairs.
pub(crate) fn fastrace_rounds(rounds: u64, pair: impl Fn(u64, &'static str)) {
    let text = text();
    for first in (0..rounds).step_by(100) {
        let root = fastrace::Span::root("root", SpanContext::random());
        let _within = root.set_local_parent();
        (first..rounds.min(first + 100)).for_each(|number| pair(number, text));
    }
}

fn fastrace_each(effort: Effort, pair: impl Fn(u64, &'static str)) -> f64 {
    off_this_cpu(|| fastrace::set_reporter(Forgets, Config::default()));
    warm(effort, |rounds| fastrace_rounds(rounds, &pair)) / 2.0
}
