//! A healthy program that pauses: a few lines of shell, and what they need of the machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The fixed list, by theme.
const THEMES: &[&str] = &[
    include_str!("../../soak/shells.sh"),
    include_str!("../../soak/locks.sh"),
    include_str!("../../soak/signals.sh"),
    include_str!("../../soak/python.sh"),
    include_str!("../../soak/network.sh"),
    include_str!("../../soak/outside.sh"),
    include_str!("../../soak/servers.sh"),
    include_str!("../../soak/builds.sh"),
    include_str!("../../soak/tools.sh"),
];

/// One of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// Programs, and words of [`Recipe::missing`].
    needs: Vec<&'static str>,
    /// Lines for `bash -eu`.
    pub script: &'static str,
}

/// All of them, in the order of the files.
pub fn recipes() -> Vec<Recipe> {
    THEMES.iter().flat_map(|theme| theme.split("\n#: ").skip(1)).map(Recipe::parse).collect()
}

impl Recipe {
    fn parse(text: &'static str) -> Self {
        let (heading, script) = text.split_once('\n').unwrap_or((text, ""));
        let (name, needs) = heading.split_once('|').unwrap_or((heading, ""));
        Self { name: name.trim(), needs: needs.split_whitespace().collect(), script }
    }

    /// What it needs and this machine has not, if so.
    pub fn missing(&self) -> Option<&'static str> {
        self.needs.iter().copied().find(|need| !is_there(need))
    }
}

fn is_there(need: &str) -> bool {
    match need {
        "freezer" => freezer().is_some(),
        "pidns" => ends_well("unshare", &["-p", "-f", "--mount-proc", "true"]),
        "postgres-user" => postgres().is_some(),
        "soak-service" => true,
        program => program_path(program).is_some(),
    }
}

fn ends_well(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where a program lies; servers lie where only root looks for them.
fn program_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|place| place.join(name)).find(|file| file.is_file())
}

/// A control group of version 2 in which groups can be made and frozen.
pub(super) fn freezer() -> Option<PathBuf> {
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let mount = mounts.into_iter().find(|mount| mount.join("cgroup.controllers").is_file())?;
    let may_write = rustix::fs::access(mount, rustix::fs::Access::WRITE_OK).is_ok();
    may_write.then(|| mount.to_owned())
}

/// The server of `PostgreSQL`, the newest that Debian's packages brought; root needs a user who may run it.
pub(super) fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin/postgres")).collect();
    found.sort();
    let can_run = !nix::unistd::geteuid().is_root() || ends_well("id", &["postgres"]);
    found.pop().filter(|server| server.is_file() && can_run)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_recipe_has_a_name_of_its_own_and_says_something() {
        let all = recipes();
        assert!(all.len() > 150, "{}", all.len());
        assert_eq!(all.iter().map(|recipe| recipe.name).collect::<BTreeSet<_>>().len(), all.len());
        for recipe in &all {
            assert!(!recipe.script.trim().is_empty(), "{}", recipe.name);
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(recipe.name.chars().all(is_word), "{:?}", recipe.name);
        }
    }

    #[test]
    fn what_is_not_installed_is_named() {
        let recipe = Recipe::parse("x | sh no-such-program-here\ntrue\n");
        assert_eq!((recipe.name, recipe.missing()), ("x", Some("no-such-program-here")));
        assert_eq!(Recipe::parse("y\ntrue\n").missing(), None);
    }
}
