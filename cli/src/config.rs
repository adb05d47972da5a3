//! The configuration file `.config/hangdog.toml`, of the working directory or the nearest one above that has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hangdog_tui::Keymap;
use serde::Deserialize;

use crate::failure::Failure;

/// Where it lies, seen from a directory.
const PLACE: &str = ".config/hangdog.toml";

/// What it says. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Config {
    /// Keys of the replay, by the name of the command.
    #[serde(default)]
    keys: BTreeMap<String, Keys>,
    #[serde(skip)]
    path: PathBuf,
}

/// One key, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

/// Reads the configuration; without a file all is as it is by itself.
pub(crate) fn read() -> Result<Config, Failure> {
    let Ok(directory) = std::env::current_dir() else { return Ok(Config::default()) };
    match directory.ancestors().map(|above| above.join(PLACE)).find(|path| path.is_file()) {
        Some(path) => of(&path),
        None => Ok(Config::default()),
    }
}

fn of(path: &Path) -> Result<Config, Failure> {
    let failed = || Failure::new(format!("{} cannot be read", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed().because(&error))?;
    let config: Config =
        toml::from_str(&text).map_err(|error| failed().because(&error).advise("correct it, or move it away"))?;
    Ok(Config { path: path.to_owned(), ..config })
}

impl Config {
    /// The keys of the replay.
    pub(crate) fn keymap(&self) -> Result<Keymap, Failure> {
        let keys = |keys: &Keys| match keys {
            Keys::One(key) => vec![key.clone()],
            Keys::Several(keys) => keys.clone(),
        };
        let changes: Vec<(String, Vec<String>)> =
            self.keys.iter().map(|(name, bound)| (name.clone(), keys(bound))).collect();
        Keymap::with(&changes).map_err(|error| {
            Failure::new(format!("the keys in {} cannot be bound", self.path.display()))
                .because(&error)
                .advise("names and keys of all commands stand under `:` in a replay, and in docs/reference/replay.md")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_or_several_and_tables_of_others() {
        let text = "[profile.ci]\ntimeout = '30s'\n[keys]\nsearch = '<C-s>'\nfilter = ['f', 'F']\n";
        let config: Config = toml::from_str(text).unwrap();
        assert!(config.keymap().is_ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let config: Config = toml::from_str("[keys]\nserch = '<C-s>'\n").unwrap();
        assert!(config.keymap().is_err());
    }
}
