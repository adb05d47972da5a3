//! The thin loop: messages from the terminal in, the screen out; and the terminal as it was given back, whatever
//! ends us: quit, a panic, a signal, Ctrl-Z.

use std::io::{self, IsTerminal, Write as _, stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event};
use crossterm::{cursor, execute, terminal};
use hangdog_schemas::Report;
use hangdog_timeline::Timeline;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::{SigId, flag, low_level};

use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::Options;
use crate::{theme, update, view};

/// Between two frames while it plays.
const FRAME: Duration = Duration::from_millis(33);

/// Between two looks at the signals: a signal does not interrupt the wait for a key.
const IDLE: Duration = Duration::from_millis(100);

/// Why a replay could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no terminal to draw on.
    #[error("standard input or output is not a terminal, and a replay needs both")]
    NoTerminal,
    /// The terminal failed.
    #[error("the terminal failed")]
    Terminal(#[from] io::Error),
}

/// Shows a replay until the user quits.
///
/// `report` is what the analysis says of the capture now; without it the one inside the capture is shown.
/// Signals that end a program end this one too, by the same signal, after the terminal was given back.
#[expect(clippy::needless_pass_by_value, reason = "a replay owns the capture while it is shown")]
pub fn run(timeline: Timeline, report: Option<Report>, options: Options) -> Result<(), Error> {
    if !stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Error::NoTerminal);
    }
    let signals = Signals::watch()?;
    let report = report.unwrap_or_else(|| crate::model::own_report(&timeline));
    let model = Model::new(&timeline, &report);
    let guard = Guard::enter()?;
    let result = replay(&model, options, &signals);
    drop(guard);
    if let Some(signal) = signals.ended_by() {
        low_level::emulate_default_handler(signal)?;
    }
    result
}

fn replay(model: &Model, options: Options, signals: &Signals) -> Result<(), Error> {
    let mut screen = Terminal::new(CrosstermBackend::new(stdout()))?;
    let size = screen.size()?;
    let mut state = update::opening(model, (size.width, size.height));
    let mut effect = Effect::Redraw;
    let mut last = Instant::now();
    loop {
        match effect {
            Effect::None => {}
            Effect::Quit => return Ok(()),
            Effect::Suspend => {
                suspend()?;
                effect = Effect::Redraw;
                continue;
            }
            Effect::Draw | Effect::Redraw => {
                if effect == Effect::Redraw {
                    screen.clear()?;
                }
                // The size may have changed with its event still to come: what is drawn fits what is there.
                screen.autoresize()?;
                let size = screen.size()?;
                if state.size != (size.width, size.height) {
                    let _ = update::update(model, &mut state, &Message::Resize(size.width, size.height));
                }
                screen.draw(|frame| {
                    view::draw(model, &state, frame.buffer_mut());
                    theme::adapt(frame.buffer_mut(), options.colours, options.glyphs);
                })?;
            }
        }
        effect = match signals.take() {
            Some(Asked::End) => Effect::Quit,
            Some(Asked::Stop) => Effect::Suspend,
            Some(Asked::Continued) => {
                Guard::take_over()?;
                Effect::Redraw
            }
            None => next(model, &mut state, &mut last)?,
        };
    }
}

/// Waits for something to happen and takes in all that happened.
fn next(model: &Model, state: &mut crate::state::State, last: &mut Instant) -> Result<Effect, Error> {
    let wait = if state.transport.playing { FRAME } else { IDLE };
    let mut effect = Effect::None;
    if event::poll(wait)? {
        // A held key repeats faster than a slow line draws: all that is there is taken before the next frame.
        while event::poll(Duration::ZERO)? {
            let message = match event::read()? {
                Event::Key(key) => Message::Key(key),
                Event::Mouse(mouse) => Message::Mouse(mouse),
                Event::Resize(columns, rows) => Message::Resize(columns, rows),
                Event::FocusGained | Event::FocusLost | Event::Paste(_) => continue,
            };
            match update::update(model, state, &message) {
                Effect::None => {}
                Effect::Draw => effect = Effect::Draw,
                now => return Ok(now),
            }
        }
    }
    let now = Instant::now();
    // Time in which we were stopped is not played.
    let elapsed = now.duration_since(*last).min(Duration::from_secs(1));
    *last = now;
    if update::update(model, state, &Message::Tick(elapsed)) == Effect::Draw {
        effect = Effect::Draw;
    }
    Ok(effect)
}

/// Gives the terminal to the shell and stops; returns when the shell continues us.
fn suspend() -> io::Result<()> {
    Guard::give_back();
    low_level::emulate_default_handler(SIGTSTP)?;
    Guard::take_over()
}

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

/// Holds the terminal in raw mode on its other screen.
struct Guard {
    before: Arc<Hook>,
}

impl Guard {
    fn enter() -> io::Result<Self> {
        let before = Arc::new(panic::take_hook());
        let hook = Arc::clone(&before);
        panic::set_hook(Box::new(move |panic| {
            Self::give_back();
            hook(panic);
        }));
        if let Err(error) = Self::take_over() {
            Self::give_back();
            return Err(error);
        }
        Ok(Self { before })
    }

    fn take_over() -> io::Result<()> {
        terminal::enable_raw_mode()?;
        execute!(stdout(), terminal::EnterAlternateScreen, EnableMouseCapture, cursor::Hide)
    }

    /// As it was. A terminal that is gone (SIGHUP) cannot be given back, and nobody is left to be told.
    fn give_back() {
        _ = execute!(stdout(), DisableMouseCapture, terminal::LeaveAlternateScreen, cursor::Show);
        _ = terminal::disable_raw_mode();
        _ = stdout().flush();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        Self::give_back();
        if !std::thread::panicking() {
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

/// What a signal asks for.
enum Asked {
    End,
    Stop,
    Continued,
}

/// Signals as flags that the loop looks at.
struct Signals {
    end: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
    ids: Vec<SigId>,
}

/// Ends the program when its terminal goes away.
///
/// Not by a flag that the loop looks at: crossterm 0.29 reads a terminal that was hung up over and over and never
/// returns (seen after `tmux kill-server`: a whole core, for ever).
fn end_with_the_terminal() -> io::Result<()> {
    let mut hangups = signal_hook::iterator::Signals::new([SIGHUP])?;
    std::thread::Builder::new().name("hangup".to_owned()).spawn(move || {
        if hangups.forever().next().is_some() {
            Guard::give_back();
            _ = low_level::emulate_default_handler(SIGHUP);
        }
    })?;
    Ok(())
}

impl Signals {
    fn watch() -> io::Result<Self> {
        let mut signals =
            Self { end: Arc::default(), stop: Arc::default(), continued: Arc::default(), ids: Vec::new() };
        for signal in [SIGTERM, SIGINT, SIGQUIT] {
            signals.ids.push(flag::register_usize(signal, Arc::clone(&signals.end), signal as usize)?);
        }
        end_with_the_terminal()?;
        signals.ids.push(flag::register(SIGTSTP, Arc::clone(&signals.stop))?);
        signals.ids.push(flag::register(SIGCONT, Arc::clone(&signals.continued))?);
        Ok(signals)
    }

    fn take(&self) -> Option<Asked> {
        if self.ended_by().is_some() {
            Some(Asked::End)
        } else if self.stop.swap(false, Ordering::Relaxed) {
            Some(Asked::Stop)
        } else if self.continued.swap(false, Ordering::Relaxed) {
            Some(Asked::Continued)
        } else {
            None
        }
    }

    fn ended_by(&self) -> Option<i32> {
        i32::try_from(self.end.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
    }
}
