//! What the rings of a recorder say of phases that came and went between two looks.
//!
//! ```text
//! looks:    |              |              |
//! phases:     ▏a▕   ▏──b──────▏    ▏c▕             b is seen open; a and c are known by their rings alone
//! ring:       O N C O              C O C           O, N: who and what; C: when, and that it is over
//! ```
//!
//! A phase is told once its end is known: an open without an end may have had one that was overwritten, and would
//! stand in the capture as somebody who never came back.

use std::collections::{HashMap, VecDeque};

use hangdog_flight::{Event, EventKind};
use hangdog_schemas::record::PhaseMeaning;

use super::meaning;
use crate::phases::lines::cut;

/// Phases whose end is not known yet, a look.
const MOST_BEGUN: usize = 8 << 10;
/// Notes of one phase that are kept.
const MOST_NOTES: usize = 16;
/// Numbers of what has none in the recorder: words of the program, and waits within a phase. Slots and lines of phases
/// never have both of these bits.
const UNNUMBERED: u64 = 3 << 62;

/// A phase that has ended, in the owner's words and times.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) tid: u32,
    pub(super) name: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) hang: PhaseMeaning,
    pub(super) began_ns: u64,
    pub(super) until_ns: u64,
    pub(super) err_ns: u64,
    pub(super) outcome: Option<&'static str>,
}

/// What was said of a phase before its end.
#[derive(Debug, Default)]
struct Begun {
    parent: Option<u64>,
    fields: Vec<(String, String)>,
    hang: PhaseMeaning,
}

/// Joins the events of one recorder, from look to look.
#[derive(Debug, Default)]
pub(super) struct Rings {
    begun: HashMap<u64, Begun>,
    /// Those of the look before: their ends come now or never.
    begun_before: HashMap<u64, Begun>,
    /// When and for what a phase or a thread began to wait.
    waits: HashMap<(Option<u64>, u32), (u64, String)>,
    unnumbered: u64,
    /// The newest of those that ended and were not told yet.
    ended: VecDeque<Ended>,
}

impl Rings {
    /// Takes the events of a look; gives those phases that ended, oldest first.
    pub(super) fn look(&mut self, events: Vec<Event>) -> Vec<Ended> {
        self.begun_before = std::mem::take(&mut self.begun);
        let mut ended = Vec::new();
        for event in events {
            ended.extend(self.take(event));
        }
        ended
    }

    fn take(&mut self, event: Event) -> Option<Ended> {
        let when = (event.monotonic_ns, event.err_ns);
        match event.kind {
            EventKind::Open { parent, .. } => {
                if let Some(begun) = event.phase.and_then(|phase| self.begun(phase)) {
                    begun.parent = parent;
                }
                None
            }
            EventKind::Note { key, text } => {
                let Some(phase) = event.phase else {
                    let mut hang = PhaseMeaning::default();
                    let (name, fields) = if meaning::say(&mut hang, &key, &text) {
                        ("notify".to_owned(), Vec::new())
                    } else {
                        (key.clone(), vec![(key, cut(text))])
                    };
                    return Some(self.unnumbered(None, event.tid, name, when.0, when, fields, hang));
                };
                let begun = self.begun(phase)?;
                if !meaning::say(&mut begun.hang, &key, &text) && begun.fields.len() < MOST_NOTES {
                    begun.fields.push((key, cut(text)));
                }
                None
            }
            EventKind::Wait { resource } => {
                if self.waits.len() < MOST_BEGUN {
                    self.waits.insert((event.phase, event.tid), (event.monotonic_ns, resource));
                }
                None
            }
            EventKind::Wake => {
                let (began, resource) = self.waits.remove(&(event.phase, event.tid))?;
                let mut hang = PhaseMeaning::default();
                meaning::say(&mut hang, "hang.wait", &resource);
                Some(self.unnumbered(event.phase, event.tid, "wait".to_owned(), began, when, Vec::new(), hang))
            }
            EventKind::Close { name, start_monotonic_ns, outcome } => {
                let id = event.phase?;
                let begun = self.begun.remove(&id).or_else(|| self.begun_before.remove(&id)).unwrap_or_default();
                Some(Ended {
                    id,
                    parent: begun.parent,
                    tid: event.tid,
                    name: cut(name),
                    fields: begun.fields,
                    hang: begun.hang,
                    began_ns: start_monotonic_ns,
                    until_ns: event.monotonic_ns,
                    err_ns: event.err_ns,
                    outcome: outcome.map(hangdog_flight::Outcome::as_str),
                })
            }
            _ => None,
        }
    }

    fn begun(&mut self, phase: u64) -> Option<&mut Begun> {
        if self.begun.len() >= MOST_BEGUN && !self.begun.contains_key(&phase) {
            return None;
        }
        let before = &mut self.begun_before;
        Some(self.begun.entry(phase).or_insert_with(|| before.remove(&phase).unwrap_or_default()))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of what is made of them")]
    fn unnumbered(
        &mut self,
        parent: Option<u64>,
        tid: u32,
        name: String,
        began_ns: u64,
        (until_ns, err_ns): (u64, u64),
        fields: Vec<(String, String)>,
        hang: PhaseMeaning,
    ) -> Ended {
        self.unnumbered += 1;
        let id = UNNUMBERED | self.unnumbered;
        Ended { id, parent, tid, name: cut(name), fields, hang, began_ns, until_ns, err_ns, outcome: None }
    }

    /// Keeps one that is to be told at the next trigger: the newest `most`.
    pub(super) fn keep(&mut self, ended: Ended, most: usize) {
        while self.ended.len() >= most.max(1) {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    /// Those that were kept, oldest first.
    pub(super) fn tell(&mut self) -> VecDeque<Ended> {
        std::mem::take(&mut self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as text: `10 open 1 read`, `12 note 1 hang.op x`, `15 close 1 read 10`, `16 note - key text`,
    /// `17 wait 1 lock:a`, `19 wake 1`; `|` begins another look.
    fn events(text: &str) -> Vec<Event> {
        let lines = text.split(';').map(str::trim).filter(|line| !line.is_empty());
        let event = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let kind = match words[1] {
                "open" => EventKind::Open { name: words[3].to_owned(), parent: Some(99) },
                "close" => EventKind::Close {
                    name: words[3].to_owned(),
                    start_monotonic_ns: words[4].parse().unwrap(),
                    outcome: None,
                },
                "note" => EventKind::Note { key: words[3].to_owned(), text: words[4].to_owned() },
                "wait" => EventKind::Wait { resource: words[3].to_owned() },
                "wake" => EventKind::Wake,
                other => panic!("no event is called {other}"),
            };
            Event { monotonic_ns: words[0].parse().unwrap(), err_ns: 0, tid: 7, phase: words[2].parse().ok(), kind }
        };
        lines.map(event).collect()
    }

    #[track_caller]
    fn check(looks: &str, expected: &[&str]) {
        let mut rings = Rings::default();
        let ended = looks.split('|').flat_map(|look| rings.look(events(look))).map(|ended| {
            let parent = ended.parent.map(|parent| format!(" in {parent}")).unwrap_or_default();
            let wait = ended.hang.wait.map(|key| format!(" waits for {key}")).unwrap_or_default();
            let serve = ended.hang.serve.map(|key| format!(" serves {key}")).unwrap_or_default();
            let op = ended.hang.op.map(|op| format!(" op {op}")).unwrap_or_default();
            let fields: Vec<String> = ended.fields.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            format!(
                "{} {}-{}{parent}{wait}{serve}{op}{}",
                ended.name,
                ended.began_ns,
                ended.until_ns,
                fields.concat()
            )
        });
        assert_eq!(ended.collect::<Vec<_>>(), expected, "{looks}");
    }

    #[test]
    fn a_phase_is_told_once_its_end_is_known() {
        check("10 open 1 a; 15 close 1 a 10", &["a 10-15 in 99"]);
        check("10 open 1 a", &[]);
        check("15 close 1 a 10", &["a 10-15"]);
        check("10 open 1 a; 11 note 1 hang.op x; 12 note 1 k v | 15 close 1 a 10", &["a 10-15 in 99 op x k=v"]);
        // What was said too long ago is forgotten, the phase is not.
        check("10 open 1 a; 11 note 1 hang.op x | | 15 close 1 a 10", &["a 10-15"]);
        check("10 open 1 a; 12 open 2 b; 13 close 2 b 12; 15 close 1 a 10", &["b 12-13 in 99", "a 10-15 in 99"]);
    }

    #[test]
    fn words_and_waits_are_phases_too() {
        check("16 note - stage two", &["stage 16-16 stage=two"]);
        check("16 note - hang.serve cond:a", &["notify 16-16 serves cond:a"]);
        check("17 wait 1 lock:a; 19 wake 1", &["wait 17-19 in 1 waits for lock:a"]);
        check("17 wait - lock:a | 19 wake -", &["wait 17-19 waits for lock:a"]);
        // The one who still waits is in an open phase, or unknown; the other's wake-up is none of its.
        check("17 wait 1 lock:a; 19 wake 2", &[]);
    }

    #[test]
    fn the_newest_are_kept() {
        let mut rings = Rings::default();
        for ended in rings.look(events("1 close 1 a 1; 2 close 2 b 2; 3 close 3 c 3")) {
            rings.keep(ended, 2);
        }
        let names: Vec<String> = rings.tell().into_iter().map(|ended| ended.name).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(rings.tell().is_empty());
    }
}
