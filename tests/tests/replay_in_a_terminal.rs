//! The replay in a real terminal: tmux presses the keys and says what stands on the screen.
//!
//! ```text
//! test ── send-keys ──▶ tmux ── pty ──▶ sh ──▶ hangdog replay
//!      ◀─ capture-pane ─┘
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use hangdog_tests::{Bench, Needs, programs, trial, until};
use libtest_mimic::Arguments;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let shared = Arc::new(Shared::default());
    let of_shared = |name: &str, test: fn(&Recorded)| {
        let shared = Arc::clone(&shared);
        trial(name, Needs::Program("tmux", "-V"), move || test(shared.recorded()))
    };
    let trials = vec![
        of_shared("open, search, why until the loop closes, step, play, help, resize, quit", by_keys),
        of_shared("by mouse", by_mouse),
        of_shared("the terminal is given back after q, SIGTERM and Ctrl-Z", given_back),
        of_shared("the terminal is given back after a panic", after_a_panic),
        of_shared("keys of the configuration", own_keys),
        of_shared("a capture that grows is followed", followed),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    // `exit` runs no destructors, and this one removes a directory.
    drop(shared);
    conclusion.exit();
}

/// A hang that is recorded once, when the first test asks for it.
#[derive(Default)]
struct Shared(OnceLock<Recorded>);

struct Recorded {
    bench: Bench,
}

impl Shared {
    fn recorded(&self) -> &Recorded {
        self.0.get_or_init(|| {
            let bench = Bench::new(programs!());
            let line = bench.scenario("flock-abba", &[bench.path("").as_ref()]);
            let ended = bench.end_of(&mut bench.watched(&[], line));
            assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
            Recorded { bench }
        })
    }
}

/// A terminal with a shell in it; ended with this value.
struct Terminal {
    socket: PathBuf,
    hangdog: PathBuf,
}

impl Terminal {
    fn open(bench: &Bench, name: &str) -> Self {
        let terminal = Self { socket: bench.path(format!("{name}.tmux")), hangdog: programs!().hangdog };
        let directory = bench.path(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let line = "PS1='$ ' LC_ALL=C.UTF-8 TERM=screen-256color exec sh";
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            "-c",
            text(&directory),
            line,
        ]);
        terminal.wait_for("$");
        terminal
    }

    /// What tmux answers. A server of its own: nobody's sessions are touched.
    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").output();
        let output = output.expect("tmux can be started");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn press(&self, keys: &[&str]) {
        let arguments: Vec<&str> = ["send-keys"].iter().chain(keys).copied().collect();
        self.tmux(&arguments);
    }

    /// Types a line into the shell.
    fn line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press(&["Enter"]);
    }

    fn replay(&self, arguments: &str) {
        self.line(&format!("{} replay {arguments}", self.hangdog.display()));
        self.wait_for("help");
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn wait_for(&self, words: &str) {
        self.wait(&format!("{words:?} on the screen"), |screen| screen.contains(words));
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let mut last = String::new();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                last = self.screen();
                is_so(&last).then_some(())
            });
        }));
        assert!(seen.is_ok(), "{what} did not come; the screen is:\n{last}");
    }

    /// Whether the other screen is on, the mouse is asked for, the cursor shows.
    fn modes(&self) -> String {
        self.tmux(&["display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"]).trim().to_owned()
    }

    /// What `stty` says of the terminal.
    fn stty(&self, file: &Path) -> String {
        _ = std::fs::remove_file(file);
        // The second name is there when all is written.
        self.line(&format!("stty -g > {0}.part && mv {0}.part {0}", file.display()));
        until("the settings of the terminal", || std::fs::read_to_string(file).ok())
    }

    /// The process number of the replay: the child of the shell.
    fn child(&self) -> String {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = format!("/proc/{shell}/task/{shell}/children");
        until("a child of the shell", || {
            let children = std::fs::read_to_string(&children).ok()?;
            children.split_whitespace().next().map(str::to_owned)
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

fn capture(recorded: &Recorded) -> String {
    text(&recorded.bench.capture_path()).to_owned()
}

/// The words at the foot, over as many lines as they take; in the tree no colon follows.
fn says_that_it_closes(screen: &str) -> bool {
    screen.split_whitespace().collect::<Vec<_>>().join(" ").contains("↺ the loop closes: ")
}

fn by_keys(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "keys");
    terminal.replay(&capture(recorded));
    terminal.wait_for("deadlock-cycle");
    // The waits, hop by hop, in the graph; each key is one hop.
    terminal.press(&["a"]);
    terminal.wait_for("Waits that snapshot");
    terminal.press(&["g"]);
    for _ in 0..12 {
        if says_that_it_closes(&terminal.screen()) {
            break;
        }
        let before = terminal.screen();
        terminal.press(&["w"]);
        terminal.wait("another screen after w", |screen| screen != before);
    }
    terminal.wait("the closed loop at the foot", says_that_it_closes);
    // Search among the tasks.
    terminal.press(&["s"]);
    terminal.wait_for("[Tasks]");
    terminal.press(&["/"]);
    terminal.wait_for("Enter searches");
    terminal.tmux(&["send-keys", "-l", "no such thing"]);
    terminal.press(&["Enter"]);
    terminal.wait_for("nothing here matches");
    // Steps and play.
    terminal.press(&["0"]);
    terminal.wait_for("0:00.000 of");
    terminal.press(&["]"]);
    terminal.wait("another time", |screen| !screen.contains("0:00.000 of"));
    terminal.press(&["0", ">", ">", ">", "Space"]);
    terminal.wait_for("playing");
    terminal.press(&["Space"]);
    terminal.wait_for("paused");
    terminal.press(&["?"]);
    terminal.wait_for("Esc closes");
    terminal.press(&["Escape"]);
    terminal.tmux(&["resize-window", "-x", "60", "-y", "15"]);
    terminal.wait("a narrower screen", |screen| {
        screen.lines().count() <= 15 && screen.lines().last().is_some_and(|line| line.contains("quit"))
    });
    terminal.press(&["q"]);
    terminal.wait("the shell", |screen| !screen.contains("paused"));
}

fn by_mouse(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "mouse");
    terminal.replay(&capture(recorded));
    let tab = |name: &str| {
        let screen = terminal.screen();
        let column = screen.lines().nth(1).and_then(|line| line.find(name)).expect("a tab");
        column + 2
    };
    // As a terminal reports them (SGR): button, column, row from 1.
    let click = |column: usize, row: usize| {
        terminal.tmux(&["send-keys", "-l", &format!("\x1b[<0;{column};{row}M")]);
        terminal.tmux(&["send-keys", "-l", &format!("\x1b[<0;{column};{row}m")]);
    };
    click(tab("Tasks"), 2);
    terminal.wait_for("[Tasks]");
    click(tab("Time"), 2);
    terminal.wait_for("[Time]");
    let before = terminal.screen();
    click(50, 6);
    terminal.wait("another moment", |screen| screen != before);
    terminal.press(&["q"]);
    terminal.wait("the shell", |screen| !screen.contains("paused"));
}

fn given_back(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "back");
    let file = recorded.bench.path("stty");
    let (settings, modes) = (terminal.stty(&file), terminal.modes());
    let taken = || {
        terminal.replay(&capture(recorded));
        assert_eq!(terminal.modes(), "1 1 0", "the replay has the other screen and the mouse");
    };
    let check = |after: &str| {
        terminal.wait(&format!("the shell after {after}"), |screen| !screen.contains("paused"));
        until("the modes of before", || (terminal.modes() == modes).then_some(()));
        assert_eq!(terminal.stty(&file), settings, "after {after}");
    };
    taken();
    terminal.press(&["q"]);
    check("q");
    taken();
    let ended = Command::new("kill").arg(terminal.child()).status();
    assert!(ended.is_ok_and(|status| status.success()));
    check("SIGTERM");
    taken();
    terminal.press(&["C-z"]);
    check("Ctrl-Z");
    terminal.line("fg");
    terminal.wait_for("paused");
    assert_eq!(terminal.modes(), "1 1 0", "it comes back");
    terminal.press(&["q"]);
    check("fg and q");
}

/// Not where it is drawn but where the file is read, which is another thread: the loop has to end as well.
fn after_a_panic(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "panic");
    let file = recorded.bench.path("stty-before-panic");
    let (settings, modes) = (terminal.stty(&file), terminal.modes());
    terminal.line(&format!(
        "{} replay-that-panics {}; echo ended with $?",
        programs!().scenario.display(),
        capture(recorded)
    ));
    terminal.wait_for("ended with 1");
    let screen = terminal.screen();
    assert!(screen.contains("a mistake of our own"), "{screen}");
    assert!(!screen.contains("paused"), "{screen}");
    assert_eq!(terminal.modes(), modes);
    assert_eq!(terminal.stty(&file), settings);
}

fn own_keys(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "config");
    let directory = recorded.bench.path("config").join(".config");
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("hangdog.toml");
    std::fs::write(&file, "[keys]\ntasks = 'x'\n").expect("a file");
    terminal.replay(&capture(recorded));
    terminal.press(&["x"]);
    terminal.wait_for("[Tasks]");
    terminal.press(&["q"]);
    terminal.wait("the shell", |screen| !screen.contains("paused"));
    std::fs::write(&file, "[keys]\ntasks = 'y'\nfilter = 'y'\n").expect("a file");
    terminal.line(&format!("{} replay {}", terminal.hangdog.display(), capture(recorded)));
    terminal.wait_for("is bound to both");
}

/// The file grows while it is shown: what is appended comes, without a key.
fn followed(recorded: &Recorded) {
    let terminal = Terminal::open(&recorded.bench, "follow");
    let bytes = std::fs::read(recorded.bench.capture_path()).expect("a capture");
    let growing = recorded.bench.path("growing.hang");
    std::fs::write(&growing, &bytes[..bytes.len() / 2]).expect("a file");
    terminal.replay(&format!("--follow {}", growing.display()));
    terminal.wait_for("still written");
    std::fs::write(&growing, &bytes).expect("a file");
    terminal.wait("all of it", |screen| !screen.contains("still written") && screen.contains("deadlock-cycle"));
    terminal.press(&["q"]);
    terminal.wait("the shell", |screen| !screen.contains("paused"));
}
