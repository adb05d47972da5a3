//! One look at everybody for what dead runs may have left: who serves which FUSE connection, and whose environment
//! names which run. Both reads can block for ever, so a helper makes them and tells what it has found as it finds it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::kernel::{fork_helper, wait_readable};

/// How long each of the two may take.
const LIMIT: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Process and connection of everybody who can serve one; `None` when the look did not come to its end.
    pub(super) servers: Option<BTreeSet<(u32, u32)>>,
    /// Process and run of those whose environment names one of these runs, as far as it was read.
    pub(super) nominated: BTreeSet<(u32, String)>,
}

/// Looks at everybody.
pub(super) fn scan(runs: &BTreeSet<String>) -> Scan {
    let mut scan = Scan::default();
    let (lines, is_whole) = told(servers);
    let pairs = lines.iter().map(|line| {
        let (pid, connection) = line.split_once(' ')?;
        Some((pid.parse().ok()?, connection.parse().ok()?))
    });
    // One of whom it is not known what they serve may serve anything.
    scan.servers = pairs.collect::<Option<_>>().filter(|_| is_whole);
    let (lines, _) = told(|| nominated(runs));
    let pairs = lines.iter().filter_map(|line| {
        let (pid, run) = line.split_once(' ')?;
        Some((pid.parse().ok()?, run.to_owned()))
    });
    scan.nominated = pairs.collect();
    scan
}

/// The lines that a helper finds, and whether it came to its end.
pub(super) fn told<I: Iterator<Item = String>>(look: impl FnOnce() -> I) -> (Vec<String>, bool) {
    let Ok((read, write)) = pipe_with(PipeFlags::CLOEXEC) else { return (Vec::new(), false) };
    let work = || {
        let Ok(mut write) = write.try_clone().map(std::fs::File::from) else { return 1 };
        let is_told = look().all(|line| writeln!(write, "{line}").is_ok()) && writeln!(write, ".").is_ok();
        i32::from(!is_told)
    };
    let Ok(helper) = fork_helper(c"hangdog-look", &[write.as_fd()], work) else { return (Vec::new(), false) };
    drop(write);
    let (mut text, until) = (Vec::new(), Instant::now() + LIMIT);
    let _ = rustix::io::ioctl_fionbio(&read, true);
    loop {
        let mut block = [0; 4096];
        match rustix::io::read(&read, &mut block) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&block[..count]),
            Err(_) => wait_readable([&read], until.saturating_duration_since(Instant::now())),
        }
        if Instant::now() >= until {
            break;
        }
    }
    if helper.wait(Duration::from_millis(20)).is_none() {
        helper.kill();
        helper.wait(Duration::from_millis(20));
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let is_whole = text.lines().last() == Some(".");
    (text.lines().filter(|line| *line != ".").map(str::to_owned).collect(), is_whole)
}

pub(super) fn everybody() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn servers() -> impl Iterator<Item = String> {
    everybody().flat_map(|pid| {
        let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let devices =
            links.filter(|link| std::fs::read_link(link.path()).is_ok_and(|at| at == Path::new("/dev/fuse")));
        let found = devices.filter_map(move |link| {
            let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", link.file_name().to_str()?)).ok()?;
            match info.lines().find_map(|line| line.strip_prefix("fuse_connection:")) {
                Some(connection) => Some(format!("{pid} {}", connection.trim())),
                // From Linux 6.16 on it serves none yet; before, it is not told.
                None => (!tells_connections()).then(|| format!("{pid} unknown")),
            }
        });
        found.collect::<Vec<_>>()
    })
}

/// Linux 6.16 and later.
fn tells_connections() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(16))
}

fn nominated(runs: &BTreeSet<String>) -> impl Iterator<Item = String> {
    let uid = rustix::process::geteuid().as_raw();
    let own = move |pid: &u32| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|about| about.uid() == uid);
    everybody().filter(own).filter_map(move |pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let run = environment.split(|byte| *byte == 0).find_map(|variable| {
            let run = std::str::from_utf8(variable).ok()?.strip_prefix("HANGDOG_RUN_ID=")?;
            runs.get(run)
        })?;
        Some(format!("{pid} {run}"))
    })
}
