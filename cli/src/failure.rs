//! How an error is laid out: what is so, why, and what to do.
//!
//! ```text
//! hangdog: the capture run.hang cannot be opened
//!   because: No such file or directory (os error 2)
//!   try: check the path
//! ```

use std::error::Error;
use std::fmt::Write as _;

use hangdog_report::escape;

use crate::exit;

/// Something that ends a verb.
#[derive(Debug)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    advice: Option<String>,
    exit: u8,
}

impl Failure {
    /// A failure with nothing known but itself. Exit code 2.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), advice: None, exit: exit::UNREADABLE }
    }

    /// An error as a failure: its own words, then those of its sources.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self { causes: chain(error.source()), ..Self::new(error.to_string()) }
    }

    /// Adds why: an error and its sources.
    #[must_use]
    pub fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        self.causes.extend(chain(Some(error)));
        self
    }

    /// Adds what to do, as an imperative.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit_with(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// The exit code.
    pub fn exit(&self) -> u8 {
        self.exit
    }

    /// The lines for stderr. Paths and messages of other programs are escaped here.
    pub fn lay_out(&self) -> String {
        let mut out = format!("hangdog: {}\n", escape::terminal(&self.message));
        for cause in &self.causes {
            _ = writeln!(out, "  because: {}", escape::terminal(cause));
        }
        if let Some(advice) = &self.advice {
            _ = writeln!(out, "  try: {}", escape::terminal(advice));
        }
        out
    }
}

fn chain(first: Option<&(dyn Error + 'static)>) -> Vec<String> {
    // Some errors repeat their source in their own words: a cause is told once.
    let mut causes: Vec<String> = Vec::new();
    let mut next = first;
    while let Some(error) = next {
        let text = error.to_string();
        if !causes.iter().any(|told| told.contains(&text)) {
            causes.push(text);
        }
        next = error.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the capture cannot be read")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn message_cause_and_advice_stand_in_this_order() {
        let error = Outer(std::io::Error::from_raw_os_error(2));
        let failure = Failure::new("run\x1b.hang cannot be opened").because(&error).advise("check the path");
        assert_eq!(
            failure.lay_out(),
            "hangdog: run\\x1b.hang cannot be opened\n  \
             because: the capture cannot be read\n  \
             because: No such file or directory (os error 2)\n  \
             try: check the path\n"
        );
        assert_eq!(failure.exit(), 2);
        assert_eq!(Failure::of(&error).exit_with(125).exit(), 125);
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open: {0}")]
        struct Repeats(#[source] std::io::Error);
        let error = Repeats(std::io::Error::from_raw_os_error(13));
        assert_eq!(chain(Some(&error)).len(), 1);
    }
}
