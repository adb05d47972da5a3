//! Load beside a run: processes that compute in bursts, so that threads of the run lose their processor at odd moments.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_schemas::Disturbance;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::exit;
use crate::failure::Failure;

/// The longest that one computes; a series ends it sooner.
const LONGEST: Duration = Duration::from_hours(1);

/// What a load process is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    seed: u64,
}

/// Processes that end with this value.
#[derive(Debug, Default)]
pub(crate) struct Load(Vec<Child>);

impl Load {
    /// Starts as many as the seed says: none, or one for each processor.
    pub(crate) fn start(seed: u64) -> Self {
        let many = if Disturbance::of(seed).load() {
            std::thread::available_parallelism().map_or(1, usize::from)
        } else {
            0
        };
        let one = |n: usize| {
            let own = std::env::current_exe().ok()?;
            let mut command = Command::new(own);
            command.args(["internal-load", &(seed.wrapping_add(n as u64)).to_string()]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        };
        Self((0..many.min(8)).filter_map(one).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Is a load process: computes and sleeps in turn.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Failure::of(&error))?;
    let begun = Instant::now();
    let mut state = arguments.seed | 1;
    while begun.elapsed() < LONGEST {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let burst = Instant::now();
        while burst.elapsed() < Duration::from_micros(200 + state % 20_000) {
            std::hint::spin_loop();
        }
        std::thread::sleep(Duration::from_micros(100 + (state >> 20) % 5_000));
    }
    Ok(exit::OK)
}
