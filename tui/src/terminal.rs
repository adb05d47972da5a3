//! The thin loop: messages from the terminal in, the screen out; and the terminal as it was given back, whatever
//! ends us: quit, a panic ([`guard`](crate::guard)), a signal, Ctrl-Z.

use std::io::{self, IsTerminal, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::execute;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::{SigId, flag, low_level};

use crate::guard::{self, Tty};
use crate::keymap::Keymap;
use crate::load::{Extent, LoadError, Loading, News, Source};
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::Options;
use crate::state::State;
use crate::{carry, theme, update, view};

type Guard = guard::Guard<Tty>;

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
    /// The capture cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The terminal failed.
    #[error("the terminal failed")]
    Terminal(#[from] io::Error),
    /// A part of the replay has panicked, and said so.
    #[error("the replay made a mistake: its message stands above")]
    Panicked,
}

/// Shows a capture until the user quits.
///
/// The first screen comes as soon as there is something to show; the rest is read meanwhile. Signals that end a program
/// end this one too, by the same signal, after the terminal was given back.
pub fn run(source: Source, keys: Keymap, options: Options) -> Result<(), Error> {
    if !stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Error::NoTerminal);
    }
    let signals = Signals::watch()?;
    let loading = Loading::begin(source)?;
    let guard = Guard::enter()?;
    let result = Screen::new(options).and_then(|mut screen| screen.replay(&loading, &Arc::new(keys), &signals));
    drop(guard);
    if let Some(signal) = signals.ended_by() {
        low_level::emulate_default_handler(signal)?;
    }
    result
}

/// The terminal as something to draw on.
struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    options: Options,
    last: Instant,
}

/// Why the loop over one model ended.
enum Ended {
    Quit,
    /// A newer model has come.
    Newer(Box<Model>),
}

impl Screen {
    fn new(options: Options) -> Result<Self, Error> {
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(Self { terminal, options, last: Instant::now() })
    }

    fn replay(&mut self, loading: &Loading, keys: &Arc<Keymap>, signals: &Signals) -> Result<(), Error> {
        let Some(mut model) = self.first(loading, signals)? else { return Ok(()) };
        let size = self.terminal.size()?;
        let mut state = update::opening(&model, (size.width, size.height), keys);
        loop {
            match self.show(&model, &mut state, loading, signals)? {
                Ended::Quit => return Ok(()),
                Ended::Newer(newer) => {
                    carry::over(&model, &newer, &mut state);
                    let old = std::mem::replace(&mut model, newer);
                    // Giving back the memory of a million phases takes longer than a frame.
                    std::thread::spawn(move || drop(old));
                }
            }
        }
    }

    /// The first model; `None` when the user does not wait for it.
    fn first(&mut self, loading: &Loading, signals: &Signals) -> Result<Option<Box<Model>>, Error> {
        loop {
            let news = loading.wait(FRAME);
            if Guard::has_panicked() {
                return Err(Error::Panicked);
            }
            match news {
                Some(News::Model(model)) => return Ok(Some(model)),
                Some(News::Failed(error)) => return Err(error.into()),
                Some(News::Done) | None => {}
            }
            let words = format!(" reading, {} %   q quits", loading.percent());
            self.terminal.autoresize()?;
            self.terminal.draw(|frame| {
                let width = usize::from(frame.area().width);
                frame.buffer_mut().set_stringn(0, 0, words, width, theme::PLAIN);
            })?;
            match signals.take() {
                Some(Asked::End) => return Ok(None),
                Some(Asked::Stop) => suspend()?,
                Some(Asked::Continued) => Guard::take_over()?,
                None => {}
            }
            while event::poll(Duration::ZERO)? {
                if let Event::Key(key) = event::read()?
                    && (key.code == KeyCode::Char('q')
                        || key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
                {
                    return Ok(None);
                }
            }
        }
    }

    fn show(
        &mut self,
        model: &Model,
        state: &mut State,
        loading: &Loading,
        signals: &Signals,
    ) -> Result<Ended, Error> {
        let mut effect = Effect::Redraw;
        loop {
            match effect {
                Effect::None => {}
                Effect::Quit => return Ok(Ended::Quit),
                Effect::Suspend => {
                    suspend()?;
                    effect = Effect::Redraw;
                    continue;
                }
                Effect::Copy => {
                    if let Some(text) = state.clipboard.take() {
                        execute!(stdout(), CopyToClipboard::to_clipboard_from(text))?;
                    }
                    self.draw(model, state)?;
                }
                Effect::Redraw => {
                    self.terminal.clear()?;
                    self.draw(model, state)?;
                }
                Effect::Draw => self.draw(model, state)?,
            }
            if Guard::has_panicked() {
                return Err(Error::Panicked);
            }
            match loading.take() {
                Some(News::Model(newer)) => return Ok(Ended::Newer(newer)),
                Some(News::Failed(error)) => state.note = Some(format!("the rest cannot be read: {error}")),
                Some(News::Done) | None => {}
            }
            effect = match signals.take() {
                Some(Asked::End) => Effect::Quit,
                Some(Asked::Stop) => Effect::Suspend,
                Some(Asked::Continued) => {
                    Guard::take_over()?;
                    Effect::Redraw
                }
                None => self.next(model, state, loading)?,
            };
        }
    }

    fn draw(&mut self, model: &Model, state: &mut State) -> Result<(), Error> {
        if Guard::has_panicked() {
            return Err(Error::Panicked);
        }
        // The size may have changed with its event still to come: what is drawn fits what is there.
        self.terminal.autoresize()?;
        let size = self.terminal.size()?;
        if state.size != (size.width, size.height) {
            let _ = update::update(model, state, &Message::Resize(size.width, size.height));
        }
        self.terminal.draw(|frame| {
            view::draw(model, state, frame.buffer_mut());
            theme::adapt(frame.buffer_mut(), self.options.colours, self.options.glyphs);
        })?;
        Ok(())
    }

    /// Waits for something to happen and takes in all that happened.
    fn next(&mut self, model: &Model, state: &mut State, loading: &Loading) -> Result<Effect, Error> {
        let wait = match (state.is_busy(), state.transport.playing) {
            (true, _) => Duration::ZERO,
            (false, true) => FRAME,
            (false, false) => IDLE,
        };
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
        let elapsed = now.duration_since(self.last).min(Duration::from_secs(1));
        self.last = now;
        let percent = (model.extent == Extent::Part).then(|| loading.percent());
        for message in [Message::Tick(elapsed), Message::Loading(percent)] {
            if update::update(model, state, &message) == Effect::Draw {
                effect = Effect::Draw;
            }
        }
        Ok(effect)
    }
}

/// Gives the terminal to the shell and stops; returns when the shell continues us.
fn suspend() -> io::Result<()> {
    Guard::give_back();
    low_level::emulate_default_handler(SIGTSTP)?;
    Guard::take_over()
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
