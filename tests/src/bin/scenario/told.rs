//! Programs that do what they are told: a line on standard input, a line back, until the input ends.

use std::io::{self, Write as _};

use crate::Outcome;

/// Says how this program is recorded, then answers each line. The phase around it shows who listens.
pub(crate) fn line_by_line(mut answer: impl FnMut(&[&str]) -> Result<String, Box<dyn std::error::Error>>) -> Outcome {
    let _listening = hangdog_tracer::phase!("listen", hang.wait = "path:stdin");
    say(&hangdog_tracer::status().to_string())?;
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        say(&answer(&words)?)?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

/// A word of a command as a number.
pub(crate) fn number<T: std::str::FromStr>(words: &[&str], at: usize) -> Result<T, String> {
    let word = words.get(at).ok_or("a number is missing")?;
    word.parse().map_err(|_| format!("{word:?} is no number"))
}
