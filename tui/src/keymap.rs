//! The keys as they are bound in this replay: the key table, with what the configuration changed.

use crate::command::{Binding, Command, bindings};
use crate::key::{BadKeys, notation, parse_keys, shown};

/// Why keys cannot be bound as the configuration asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeymap {
    /// There is no such command.
    #[error("there is no command {name:?} to bind keys to{}", nearest.as_ref().map_or(String::new(), |n| format!("; the nearest is {n:?}")))]
    UnknownCommand {
        /// What was asked for.
        name: String,
        /// A command of a similar name.
        nearest: Option<&'static str>,
    },
    /// A key has two commands.
    #[error("the key {key} is bound to both {first:?} and {second:?}")]
    BoundTwice {
        /// The key as people write it.
        key: String,
        /// One command.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// No key leads out.
    #[error("no key is left for {0:?}: the replay could not be left")]
    NoWayOut(&'static str),
    /// A text that names no key, or several.
    #[error("{text:?} is not one key")]
    NotOneKey {
        /// The text.
        text: String,
        /// What is wrong with it.
        #[source]
        source: Option<BadKeys>,
    },
}

/// Keys and what they do.
#[derive(Clone, Debug)]
pub struct Keymap {
    /// A row of the key table each, with its keys.
    rows: Vec<(&'static Binding, Vec<String>)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let own = |binding: &'static Binding| binding.keys.iter().map(|key| (*key).to_owned()).collect();
        Self { rows: bindings().map(|binding| (binding, own(binding))).collect() }
    }
}

impl Keymap {
    /// The key table with other keys for some commands, by their names. A key that is given to another command is
    /// taken from the one that has it in the table; two that both ask for it are an error.
    pub fn with(changes: &[(String, Vec<String>)]) -> Result<Self, BadKeymap> {
        let mut keymap = Self::default();
        let mut given: Vec<(String, &'static str)> = Vec::new();
        for (name, keys) in changes {
            let unknown = || BadKeymap::UnknownCommand { name: name.clone(), nearest: nearest(name) };
            let row = keymap.rows.iter().position(|(binding, _)| binding.name == name).ok_or_else(unknown)?;
            let command = keymap.rows[row].0.name;
            let keys = keys.iter().map(|key| one_key(key)).collect::<Result<Vec<_>, _>>()?;
            for key in &keys {
                if let Some((_, first)) = given.iter().find(|(other, by)| other == key && *by != command) {
                    return Err(BadKeymap::BoundTwice { key: shown(key), first, second: command });
                }
                given.push((key.clone(), command));
            }
            keymap.rows[row].1 = keys;
        }
        for (binding, keys) in &mut keymap.rows {
            keys.retain(|key| !given.iter().any(|(other, by)| other == key && *by != binding.name));
        }
        let without =
            |command| keymap.rows.iter().find(|(binding, keys)| binding.command == command && keys.is_empty());
        match without(Command::Quit).or_else(|| without(Command::Back)) {
            Some((binding, _)) => Err(BadKeymap::NoWayOut(binding.name)),
            None => Ok(keymap),
        }
    }

    /// What a key does.
    pub(crate) fn command_of(&self, notation: &str) -> Option<Command> {
        let bound = |(_, keys): &&(&Binding, Vec<String>)| keys.iter().any(|key| key == notation);
        self.rows.iter().find(bound).map(|(binding, _)| binding.command)
    }

    /// The rows of the table with their keys, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Binding, &[String])> {
        self.rows.iter().map(|(binding, keys)| (*binding, keys.as_slice()))
    }

    /// The first key of a command, in the notation.
    pub(crate) fn first_key(&self, command: Command) -> Option<&str> {
        let (_, keys) = self.rows.iter().find(|(binding, _)| binding.command == command)?;
        keys.first().map(String::as_str)
    }

    /// The keys of a command as people write them.
    pub(crate) fn words(&self, binding: &Binding) -> String {
        let keys = self.rows.iter().find(|(other, _)| other.name == binding.name).map_or(&[][..], |(_, keys)| keys);
        keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(" ")
    }
}

/// A key in the notation that [`Keymap::command_of`] is asked with.
fn one_key(text: &str) -> Result<String, BadKeymap> {
    let not_one = |source| BadKeymap::NotOneKey { text: text.to_owned(), source };
    match parse_keys(text).map_err(|error| not_one(Some(error)))?.as_slice() {
        [key] => notation(*key).ok_or_else(|| not_one(None)),
        _ => Err(not_one(None)),
    }
}

/// A command of a name like what was asked for.
fn nearest(name: &str) -> Option<&'static str> {
    let names = bindings().map(|binding| (strsim::jaro_winkler(binding.name, name), binding.name));
    names.filter(|(alike, _)| *alike > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(rows: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        rows.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect()
    }

    #[track_caller]
    fn check(rows: &[(&str, &[&str])], expected: &str) {
        let error = Keymap::with(&changes(rows)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_key_goes_from_the_table_to_the_command_that_asks_for_it() {
        let keymap = Keymap::with(&changes(&[("search", &["<C-s>", "s"])])).unwrap();
        assert_eq!(keymap.command_of("s"), Some(Command::Search));
        assert_eq!(keymap.command_of("<C-s>"), Some(Command::Search));
        assert_eq!(keymap.command_of("/"), None);
        assert_eq!(keymap.command_of("4"), Some(Command::Show(crate::state::View::Tasks)));
    }

    #[test]
    fn what_cannot_be_bound_is_said() {
        check(&[("serch", &["s"])], "there is no command \"serch\" to bind keys to; the nearest is \"search\"");
        check(&[("filter", &["X"]), ("search", &["X"])], "the key X is bound to both \"filter\" and \"search\"");
        check(&[("filter", &["ab"])], "\"ab\" is not one key");
        check(&[("filter", &["<Nope>"])], "\"<Nope>\" is not one key");
        check(&[("quit", &[])], "no key is left for \"quit\": the replay could not be left");
        check(&[("why", &["<Esc>"])], "no key is left for \"escape\": the replay could not be left");
    }
}
