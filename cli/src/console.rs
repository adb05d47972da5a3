//! The terminal, or whatever stands in its place: what it can show, and writing to it without waiting for it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hangdog_report::{Colour, Glyphs, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Columns of a text that goes to no terminal.
const PLAIN_COLUMNS: usize = 80;

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Terminal { columns: Option<u16> },
    Other,
}

/// How to write on stdout.
pub(crate) fn stdout_style() -> Style {
    style(sink(&io::stdout()), &variable)
}

/// How to write on stderr.
pub(crate) fn stderr_style() -> Style {
    style(sink(&io::stderr()), &variable)
}

/// A variable of the environment; unset and empty are the same.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn sink(stream: &(impl IsTerminal + AsFd)) -> Sink {
    if stream.is_terminal() {
        Sink::Terminal {
            columns: rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|c| *c > 0),
        }
    } else {
        Sink::Other
    }
}

/// `NO_COLOR` and `CLICOLOR_FORCE` as on <https://no-color.org> and <https://bixense.com/clicolors>;
/// a terminal that calls itself dumb gets neither colours nor drawings.
fn style(sink: Sink, get: &dyn Fn(&str) -> Option<String>) -> Style {
    let dumb = get("TERM").is_some_and(|term| term == "dumb");
    let forced = get("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let refused = get("NO_COLOR").is_some() || get("CLICOLOR").is_some_and(|value| value == "0");
    let colour = if get("NO_COLOR").is_some() {
        Colour::Never
    } else if forced || (matches!(sink, Sink::Terminal { .. }) && !refused && !dumb) {
        Colour::Ansi
    } else {
        Colour::Never
    };
    let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG"));
    let utf8 = locale.as_ref().is_some_and(|name| name.to_ascii_lowercase().replace('-', "").contains("utf8"));
    // A log of a CI job has no locale and is UTF-8; a terminal without a UTF-8 locale may be anything.
    let glyphs = match sink {
        Sink::Terminal { .. } if !utf8 || dumb => Glyphs::Ascii,
        Sink::Other if locale.is_some() && !utf8 => Glyphs::Ascii,
        _ => Glyphs::Unicode,
    };
    let columns = match sink {
        Sink::Terminal { columns } => columns.map_or(PLAIN_COLUMNS, usize::from).clamp(40, 100),
        Sink::Other => PLAIN_COLUMNS,
    };
    Style { width: columns, colour, glyphs }
}

/// Prints on stdout. A reader that has gone (`hangdog schema | head`) is no failure.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints on stderr, as far as that takes it within `limit`; returns what it did not take.
///
/// A terminal may be stopped (Ctrl-S) and the reader of a pipe asleep: the watchdog must not wait for them.
/// The descriptor itself stays blocking, since the command shares it.
pub(crate) fn print_error_within(text: &str, limit: Duration) -> String {
    print_within(&io::stderr(), text, limit)
}

/// The same on any stream.
pub(crate) fn print_within(stream: &impl AsFd, text: &str, limit: Duration) -> String {
    let end = Instant::now() + limit;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(stream, PollFlags::OUT)];
        let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut fds, Some(&wait)) {
            Ok(0) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return String::new(),
            Ok(_) if !fds[0].revents().contains(PollFlags::OUT) => return String::new(),
            // poll(2) promises room for a few hundred bytes on a terminal and PIPE_BUF on a pipe.
            Ok(_) => match rustix::io::write(stream, &rest[..rest.len().min(256)]) {
                Ok(n) => rest = &rest[n..],
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) => return String::new(),
            },
        }
    }
    String::from_utf8_lossy(rest).into_owned()
}

/// Prints on stderr; there is nobody to tell when that fails.
pub(crate) fn print_error(text: &str) {
    let _gone = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sink: Sink, environment: &[(&str, &str)], colour: Colour, glyphs: Glyphs) {
        let get = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        };
        let style = style(sink, &get);
        assert_eq!((style.colour, style.glyphs), (colour, glyphs), "{environment:?}");
    }

    #[test]
    fn the_environment_says_what_can_be_shown() {
        let terminal = Sink::Terminal { columns: Some(120) };
        let utf8 = ("LANG", "en_US.UTF-8");
        check(terminal, &[utf8, ("TERM", "xterm")], Colour::Ansi, Glyphs::Unicode);
        check(terminal, &[utf8, ("TERM", "xterm"), ("NO_COLOR", "1")], Colour::Never, Glyphs::Unicode);
        check(terminal, &[utf8, ("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], Colour::Never, Glyphs::Unicode);
        check(terminal, &[utf8, ("NO_COLOR", "")], Colour::Ansi, Glyphs::Unicode);
        check(terminal, &[utf8, ("TERM", "dumb")], Colour::Never, Glyphs::Ascii);
        check(terminal, &[("LANG", "C")], Colour::Ansi, Glyphs::Ascii);
        check(Sink::Other, &[], Colour::Never, Glyphs::Unicode);
        check(Sink::Other, &[("LC_ALL", "C")], Colour::Never, Glyphs::Ascii);
        check(Sink::Other, &[("CLICOLOR_FORCE", "1")], Colour::Ansi, Glyphs::Unicode);
        assert_eq!(style(terminal, &|_| None).width, 100);
    }
}
