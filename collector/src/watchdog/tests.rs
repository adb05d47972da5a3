//! Time lines. One column is a quarter of a second.
//!
//! `news:`   `x` something new.
//! `still:`  `r` the command's first thread and others are still, `o` only others are, `.` nobody is;
//!           the still set is the same as long as the letter does not change.
//! `judge:`  what the judge says of the last two looks: `-` nothing, `p` possible, `l` likely, `c` certain;
//!           capital letters: and the command is in the chain; `?` it does not answer.
//! `does:`   `l` light look, `F` full look, `a` announces, `E` ends, `.` nothing.

use super::*;

const COLUMN: u64 = 250_000_000;

struct Line {
    news: Vec<char>,
    still: Vec<char>,
    judge: Vec<char>,
}

fn judgement(letter: char, since: RunNs) -> Judgement {
    let hang = match letter.to_ascii_lowercase() {
        'p' => Some(Confidence::Possible),
        'l' => Some(Confidence::Likely),
        'c' => Some(Confidence::Certain),
        _ => None,
    };
    let command = if letter.is_ascii_uppercase() { Involved::Command } else { Involved::Others };
    Judgement { hang, command, since }
}

fn play(policy: Policy, line: &Line) -> String {
    let mut dog = Watchdog::new(policy);
    let mut looks: Vec<RunNs> = Vec::new();
    let mut still: (char, Option<RunNs>) = ('.', None);
    let mut did = String::new();
    for column in 0..line.news.len() {
        let now = RunNs((column as u64 + 1) * COLUMN);
        if line.still[column] != still.0 {
            still = (line.still[column], (line.still[column] != '.').then_some(now));
        }
        let is_still = still.1.filter(|since| now.since(*since) >= STILL);
        let progress = Progress {
            news: (line.news[column] == 'x').then_some(News::Output),
            still_since: is_still,
            root_still_since: is_still.filter(|_| still.0 == 'r'),
        };
        let mut letter = '.';
        let mut action = dog.observe(now, &Event::Sampled(progress));
        loop {
            letter = match action {
                Action::Wait => letter,
                Action::Look { extent: SnapshotExtent::Light, .. } => 'l',
                Action::Look { extent: SnapshotExtent::Full, .. } => 'F',
                Action::Announce(_) => 'a',
                Action::End(_) => 'E',
            };
            let Action::Look { extent, .. } = action else { break };
            looks.push(now);
            let after = dog.observe(now, &Event::Looked { extent, spent: Duration::from_millis(1) });
            assert_eq!(after, Action::Wait, "a finished look asks for nothing by itself");
            let before = looks.len().checked_sub(2).map(|index| looks[index]);
            let Some(since) = before.filter(|_| line.judge[column] != '?') else { break };
            action = dog.observe(now, &Event::Judged(judgement(line.judge[column], since)));
        }
        did.push(letter);
    }
    did
}

#[track_caller]
fn check(policy: Policy, drawing: &str) {
    let rows: Vec<(&str, Vec<char>)> = drawing
        .lines()
        .filter_map(|row| row.trim().split_once(':'))
        .map(|(name, columns)| (name, columns.trim().chars().collect()))
        .collect();
    let row = |name: &str| &rows.iter().find(|(n, _)| *n == name).expect("the row is drawn").1;
    let does = row("does");
    let fill = |name: &str| {
        let mut columns = row(name).clone();
        assert!(columns.len() <= does.len(), "{name} is longer than the actions");
        let last = *columns.last().expect("a row has columns");
        columns.resize(does.len(), last);
        columns
    };
    let line = Line { news: fill("news"), still: fill("still"), judge: fill("judge") };
    let did = play(policy, &line);
    assert_eq!(did, does.iter().collect::<String>(), "\n{drawing}");
}

fn policy(quiet_after: u64, timeout: Option<u64>, on_hang: OnHang) -> Policy {
    Policy { quiet_after: Duration::from_secs(quiet_after), timeout: timeout.map(Duration::from_secs), on_hang }
}

#[test]
fn a_proven_dead_set_with_the_command_in_it_ends_the_run_at_the_second_look() {
    check(
        policy(60, None, OnHang::Rescue),
        "
        news:  xx..........
        still: ..rrrrrrrrrr
        judge: C
        does:  ....l.E.....
        ",
    );
}

#[test]
fn looks_double_while_nothing_is_proven() {
    check(
        policy(60, None, OnHang::Rescue),
        "
        news:  x..................................
        still: rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr
        judge: -
        does:  ..l.l...l.......l...............l..
        ",
    );
}

#[test]
fn a_new_member_of_the_still_set_starts_the_looks_again() {
    check(
        policy(60, None, OnHang::Rescue),
        "
        news:  x....................
        still: rrrrrrrrrrooooooooooo
        judge: -
        does:  ..l.l...l...l.l...l..
        ",
    );
}

#[test]
fn a_dead_set_beside_a_command_that_moves_is_not_acted_on() {
    check(
        policy(60, None, OnHang::Rescue),
        "
        news:  x....................
        still: ooooooooooooooooooooo
        judge: C
        does:  ..l.l...l.......l....
        ",
    );
    check(
        policy(60, None, OnHang::Rescue),
        "
        news:  x....................
        still: rrrrrrrrrrrrrrrrrrrrr
        judge: c
        does:  ..l.l...l.......l....
        ",
    );
}

#[test]
fn a_likely_one_is_ended_after_the_quiet_time_and_two_full_looks() {
    check(
        policy(3, None, OnHang::Rescue),
        "
        news:  x...................
        still: rrrrrrrrrrrrrrrrrrrr
        judge: L
        does:  ..l.l...l...F..E....
        ",
    );
}

#[test]
fn a_possible_one_is_told_once_and_goes_on_until_the_timeout() {
    check(
        policy(2, Some(6), OnHang::Rescue),
        "
        news:  x.............................
        still: rrrrrrrrrrrrrrrrrrrrrrrrrrrrrr
        judge: P
        does:  ..l.l...F..a....l......F..E...
        ",
    );
}

#[test]
fn progress_puts_the_quiet_time_off() {
    check(
        policy(2, None, OnHang::Rescue),
        "
        news:  x......x......x...........
        still: ..........................
        judge: L
        does:  ......................F..E
        ",
    );
}

#[test]
fn quiet_without_a_dead_set_never_ends_the_run() {
    check(
        policy(2, None, OnHang::Kill),
        "
        news:  x......................
        still: .......................
        judge: -
        does:  ........F..a...........
        ",
    );
}

#[test]
fn report_and_wait_say_so_once_and_only_report_minds_the_timeout() {
    check(
        policy(60, Some(3), OnHang::Report),
        "
        news:  x....................
        still: rrrrrrrrrrrrrrrrrrrrr
        judge: C
        does:  ..l.a...l..F..E......
        ",
    );
    check(
        policy(60, Some(3), OnHang::Wait),
        "
        news:  x....................
        still: rrrrrrrrrrrrrrrrrrrrr
        judge: C
        does:  ..l.a...l..F..a.l....
        ",
    );
}

#[test]
fn a_judge_that_does_not_answer_keeps_neither_the_message_nor_the_end_back() {
    check(
        policy(60, Some(1), OnHang::Rescue),
        "
        news:  x.............................
        still: ..............................
        judge: ?
        does:  ...F..F...................E...
        ",
    );
}

#[test]
fn light_looks_stay_within_their_budget() {
    let mut dog = Watchdog::new(policy(3600, None, OnHang::Rescue));
    let spent = Duration::from_millis(50);
    let mut looks = 0;
    let columns = 4 * 600;
    for column in 1..=columns {
        // Some thread goes still all the time: without a budget there would be a look every half second.
        let now = RunNs(column * COLUMN);
        let still_since = Some(RunNs(now.0 - STILL.as_nanos() as u64 * u64::from(column > 2)));
        let progress = Progress { news: Some(News::Cpu), still_since, root_still_since: None };
        if let Action::Look { extent, .. } = dog.observe(now, &Event::Sampled(progress)) {
            looks += 1;
            assert_eq!(dog.observe(now, &Event::Looked { extent, spent }), Action::Wait);
        }
    }
    let allowed = 600.0 * SHARE + 0.4 + spent.as_secs_f64();
    assert!(f64::from(looks) * spent.as_secs_f64() <= allowed, "{looks} looks in ten minutes");
    assert!(looks >= 40, "{looks} looks in ten minutes");
}
