//! A family that is hard to follow: at random its members fork, fork twice, become other programs, leave their
//! session, their namespaces, their name, their environment and their descriptors, stop and end. And those beside it
//! who look the same and are none of it.
#![expect(unsafe_code, reason = "fork, and closing descriptors without their owners")]
//!
//! `roam SEED ENDING MARK`; the same seed makes the same family. ENDING is `exit` or `hang`, of the first member. What a
//! process is, is told by the environment, so that everybody's command line is the same: `ROAM_AS` is `canary` for
//! one who looks the same, `starter` for one who starts such a one by two forks, and missing for the first of a
//! family.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigHandler, SigSet, Signal, raise, signal};
use nix::unistd::{ForkResult, fork, getpid, setsid};

use crate::{Outcome, role};

/// Names that members and those who look like them take.
const NAMES: [&std::ffi::CStr; 6] = [c"scenario", c"hangdog", c"hangdog-act", c"sh", c"roam", c"kworker/0:1"];
/// Generations of a family.
const DEEPEST: u64 = 3;
/// How long the first member waits for somebody who is to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers that look like chance and are the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What all members of a family have in common.
struct Family<'a> {
    arguments: &'a [String],
    chance: Chance,
    generation: u64,
}

pub(crate) fn roam(arguments: &[String]) -> Outcome {
    let [seed, ending, ..] = arguments else { return Err("needs SEED ENDING MARK".into()) };
    // The kernel sends it to a group that has a stopped member when nobody is left who could continue it.
    // SAFETY: ignoring a signal installs no handler.
    unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }?;
    let chance = Chance(seed.parse()?);
    let generation = std::env::var("ROAM_GENERATION").ok().and_then(|text| text.parse().ok());
    match std::env::var("ROAM_AS").as_deref() {
        Ok("canary") => canary(chance),
        Ok("starter") => starter(chance),
        _ => match generation {
            Some(generation) => Family { arguments, chance, generation }.wander(),
            None => first(Family { arguments, chance, generation: 0 }, ending),
        },
    }
}

/// The command itself.
fn first(mut family: Family<'_>, ending: &str) -> Outcome {
    // Whether its children have the pipe's other end too is a matter of chance.
    let before = (family.chance.below(2) == 0).then(io::pipe).transpose()?;
    for _ in 0..3 {
        family.fork_once();
    }
    let (mut read, _write) = before.map_or_else(io::pipe, Ok)?;
    role::note("first", std::process::id().cast_signed())?;
    wait_for_role("late");
    if ending == "hang" {
        // It has the writing end open itself.
        read.read_exact(&mut [0])?;
    }
    std::thread::sleep(Duration::from_millis(family.chance.below(200)));
    exit(i32::try_from(family.chance.0 % 7)?);
}

impl Family<'_> {
    /// One member's life.
    fn wander(mut self) -> Outcome {
        nix::sys::prctl::set_name(NAMES[self.pick(NAMES.len())])?;
        for _ in 0..=self.chance.below(4) {
            self.act()?;
        }
        match self.chance.below(5) {
            0 => exit(3),
            1 => std::thread::sleep(Duration::from_millis(self.chance.below(300))),
            2 => raise(Signal::SIGSTOP)?,
            _ => {}
        }
        if self.chance.below(4) == 0 {
            exit(0);
        }
        Self::note_that_it_stays()?;
        loop {
            std::thread::sleep(Duration::from_hours(1));
        }
    }

    fn act(&mut self) -> Outcome {
        match self.chance.below(9) {
            0 => self.fork_once(),
            1 => self.fork_twice(),
            2 => return self.become_another(&[]),
            3 => {
                // A leader of a group cannot.
                let _refused = setsid();
            }
            4 => {
                let spaces = [CloneFlags::CLONE_NEWPID, CloneFlags::CLONE_NEWNS, CloneFlags::CLONE_NEWNET];
                let space = spaces[self.pick(spaces.len())];
                if unshare(space).is_err() {
                    // An ordinary user: with a user namespace of its own.
                    let _refused = unshare(space | CloneFlags::CLONE_NEWUSER);
                }
                self.fork_once();
            }
            5 => nix::sys::prctl::set_name(NAMES[self.pick(NAMES.len())])?,
            6 => {
                // SAFETY: nothing of this process uses a descriptor by its owner from here on.
                let _outcome = unsafe { libc::syscall(libc::SYS_close_range, self.chance.below(4), u32::MAX, 0) };
            }
            7 if self.arguments.get(2).is_some_and(|mark| mark.ends_with("-alone")) => {
                return self.become_another(&["HANGDOG_RUN_ID", "HANGDOG_RUN_DIR", "SCENARIO_ROLES"]);
            }
            _ => std::thread::sleep(Duration::from_millis(self.chance.below(30))),
        }
        Ok(())
    }

    fn pick(&mut self, limit: usize) -> usize {
        usize::try_from(self.chance.below(limit as u64)).unwrap_or_default()
    }

    /// A child, which is a member of the next generation.
    fn fork_once(&mut self) {
        if self.generation >= DEEPEST {
            return;
        }
        let seed = self.chance.below(u64::MAX);
        // SAFETY: this process has one thread.
        if let Ok(ForkResult::Child) = unsafe { fork() } {
            let member = Family { arguments: self.arguments, chance: Chance(seed), generation: self.generation + 1 };
            let _failed = member.wander();
            exit(9);
        }
    }

    /// A grandchild whose parent ends at once.
    fn fork_twice(&mut self) {
        if self.generation >= DEEPEST {
            return;
        }
        let seed = self.chance.below(u64::MAX);
        // SAFETY: this process has one thread.
        if let Ok(ForkResult::Child) = unsafe { fork() } {
            let mut between = Family { arguments: self.arguments, chance: Chance(seed), generation: self.generation };
            between.fork_once();
            exit(0);
        }
    }

    /// The same program anew, in the next generation, without these variables.
    fn become_another(&mut self, without: &[&str]) -> Outcome {
        if self.generation >= DEEPEST {
            return Ok(());
        }
        let seed = self.chance.below(u64::MAX).to_string();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(std::env::args_os().next().unwrap_or_default()).arg("roam").arg(seed).args(&self.arguments[1..]);
        command.env("ROAM_GENERATION", (self.generation + 1).to_string());
        for name in without {
            command.env_remove(name);
        }
        Err(command.exec().into())
    }

    /// In a pid namespace of its own it goes when the first one there does: only others are sure to stay.
    fn note_that_it_stays() -> Outcome {
        let own = std::fs::read_link("/proc/self")?;
        if own.to_str() == Some(&getpid().to_string()) {
            role::note("stays", getpid().as_raw())?;
        }
        Ok(())
    }
}

/// Looks like a member. Every signal that can be is kept pending, so that one that was sent can be seen.
fn canary(mut chance: Chance) -> Outcome {
    let mut all = SigSet::all();
    // Its own children end.
    all.remove(Signal::SIGCHLD);
    all.thread_block()?;
    let name = NAMES[usize::try_from(chance.below(NAMES.len() as u64))?];
    nix::sys::prctl::set_name(name)?;
    role::note("canary", std::process::id().cast_signed())?;
    if std::env::var_os("ROAM_LATE").is_some() {
        role::note("late", std::process::id().cast_signed())?;
    }
    loop {
        std::thread::sleep(Duration::from_hours(1));
    }
}

/// Another one who looks like a member, and who starts a third while the family is at work: that one comes to
/// hangdog as an orphan, if this one is hangdog's child from before.
fn starter(chance: Chance) -> Outcome {
    wait_for_role("first");
    // SAFETY: this process has one thread.
    if let ForkResult::Child = unsafe { fork() }? {
        // SAFETY: as above.
        if let ForkResult::Child = unsafe { fork() }? {
            return canary(chance);
        }
        exit(0);
    }
    canary(chance)
}

fn wait_for_role(role: &str) {
    let begun = Instant::now();
    let path = std::env::var_os("SCENARIO_ROLES").unwrap_or_default();
    let is_there =
        || std::fs::read_to_string(&path).is_ok_and(|roles| roles.lines().any(|line| line.starts_with(role)));
    while !is_there() && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
}
