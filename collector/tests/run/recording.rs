//! Traced programs for these tests: this program once more, called with what it is to play.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

use hangdog_flight::{ClockSource, Options, Place, Recorder};
use nix::sys::signal::{Signal, raise};

/// The first argument of a traced program; the second says which.
pub(crate) const RECORD: &str = "--record";

/// A call site.
macro_rules! site {
    ($name:literal) => {{
        static NUMBER: hangdog_flight::SiteNumber = hangdog_flight::SiteNumber::new();
        static SITE: hangdog_flight::Site = hangdog_flight::Site::new($name, &[], &NUMBER);
        &SITE
    }};
}

/// Plays what the arguments say, when they say something.
pub(crate) fn play() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [RECORD, "exec"] => become_another(),
        [RECORD, "memfd"] => in_memfd(),
        [RECORD, "open"] => {
            open(site!("in here"));
            wait_for_line();
            std::process::exit(0)
        }
        [RECORD, "killed"] => {
            open(site!("last words"));
            let _ = raise(Signal::SIGKILL);
        }
        [RECORD, "many", number] => many(number.parse().expect("a number")),
        [RECORD, "steps"] => steps(),
        [RECORD, "impostor"] => impostor(),
        _ => {}
    }
}

fn open(site: &'static hangdog_flight::Site) -> hangdog_flight::PhaseId {
    hangdog_flight::begin(site).expect("there is room").publish()
}

fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().unwrap();
}

fn wait_for_line() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Opens a phase, says so, waits for a line, and becomes a shell.
fn become_another() -> ! {
    open(site!("prepare"));
    say("open");
    wait_for_line();
    let error = Command::new("sh").args(["-c", "read line; exit 7"]).exec();
    panic!("sh cannot be run: {error}");
}

/// Opens a phase and waits for a line.
fn in_memfd() -> ! {
    let options = Options { clock: ClockSource::Tick, ..Options::default() };
    let recorder = Recorder::start(&Place::Memfd, options).expect("memfds can be made");
    recorder.with(|| open(site!("in a sandbox")));
    wait_for_line();
    std::process::exit(0)
}

/// One short traced process after the other, each killed within a phase.
fn many(number: u32) -> ! {
    let me = std::env::current_exe().expect("this program is there");
    for _ in 0..number {
        Command::new(&me).args([RECORD, "killed"]).status().expect("it can be started");
    }
    std::process::exit(0)
}

/// Comes through three steps and stays in the fourth, with a future that is polled no more.
fn steps() -> ! {
    // The recorder is read before anything was done.
    hangdog_flight::close(open(site!("begin")));
    wait_for_line();
    for site in [site!("step one"), site!("step two"), site!("step three")] {
        hangdog_flight::close(open(site));
    }
    let future = open(site!("future"));
    let _here = hangdog_flight::begin_here(site!("step four")).map(hangdog_flight::OpeningHere::enter);
    hangdog_flight::enter(future, || 7);
    hangdog_flight::exit(future);
    wait_for_line();
    std::process::exit(0)
}

/// Has a thread of its own that is called like the recorder's, and no such recorder.
fn impostor() -> ! {
    open(site!("in here"));
    let thread = std::thread::Builder::new().name(hangdog_flight::TICK_THREAD.to_owned());
    let _runs_on = thread.spawn(|| std::thread::sleep(std::time::Duration::from_secs(1000))).unwrap();
    wait_for_line();
    std::process::exit(0)
}
