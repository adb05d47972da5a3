//! CPU time of this thread, batches of work, medians; warm and cold.
//!
//! Wall time would count what other programs of the machine do meanwhile.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// How long is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For figures that are published.
    Full,
    /// For a look.
    Quick,
}

impl Effort {
    /// How often each line is measured, each time by a new process.
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Full => 9,
            Self::Quick => 3,
        }
    }

    /// Timed batches in a process.
    pub(crate) fn batches(self) -> usize {
        match self {
            Self::Full => 11,
            Self::Quick => 5,
        }
    }

    /// Length of a batch.
    pub(crate) fn batch(self) -> Duration {
        match self {
            Self::Full => Duration::from_millis(10),
            Self::Quick => Duration::from_millis(2),
        }
    }

    /// Looks at something cold.
    pub(crate) fn cold_looks(self) -> usize {
        match self {
            Self::Full => 301,
            Self::Quick => 101,
        }
    }

    /// Seconds of load on a service in a round; the first warms up.
    pub(crate) fn slices(self) -> usize {
        match self {
            Self::Full => 3,
            Self::Quick => 2,
        }
    }

    /// For things that happen a few times a second.
    pub(crate) fn watch(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(3),
            Self::Quick => Duration::from_secs(1),
        }
    }
}

/// CPU time that the calling thread has used.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of `work`, in ns.
pub(crate) fn cost(work: impl FnOnce()) -> f64 {
    let before = cpu_time();
    work();
    cpu_time().saturating_sub(before).as_nanos() as f64
}

/// Runs more and more rounds of the work until a batch is long enough: warms up, and gives the rounds of a batch.
pub(crate) fn warmed_up(effort: Effort, work: &mut impl FnMut(u64)) -> u64 {
    let mut rounds = 16;
    // The first time starts a recorder, a collector, a runtime: that took longer than a batch on a busy machine.
    work(rounds);
    let shortest = |work: &mut dyn FnMut(u64), rounds| cost(|| work(rounds)).min(cost(|| work(rounds)));
    while shortest(work, rounds) < effort.batch().as_nanos() as f64 {
        rounds *= 2;
    }
    rounds
}

/// What one round of the work costs, in ns: the median of the batches.
pub(crate) fn warm(effort: Effort, mut work: impl FnMut(u64)) -> f64 {
    let rounds = warmed_up(effort, &mut work);
    median((0..effort.batches()).map(|_| cost(|| work(rounds)) / rounds as f64))
}

/// What one round costs when the caches hold nothing of it, in ns: 4 MB are swept before each, the price of
/// looking at the clock is taken off. A look is too short to be interrupted often; the median leaves out those.
pub(crate) fn cold(effort: Effort, mut work: impl FnMut()) -> f64 {
    let mut memory = vec![0_u8; 4 << 20];
    let mut sweep = || memory.iter_mut().step_by(64).for_each(|byte| *byte = black_box(byte.wrapping_add(1)));
    // The clock's own code and data come back first: they are not what is measured.
    let mut look = |work: &mut dyn FnMut()| {
        sweep();
        black_box(Instant::now());
        let before = Instant::now();
        work();
        before.elapsed().as_nanos() as f64
    };
    for _ in 0..3 {
        look(&mut work);
    }
    let (with, without): (Vec<_>, Vec<_>) =
        (0..effort.cold_looks()).map(|_| (look(&mut work), look(&mut || {}))).unzip();
    median(with) - median(without)
}

/// The one in the middle, or between the two that are.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    quantile(numbers, 0.5)
}

/// Half the distance between the quartiles: how far the rounds are apart.
pub(crate) fn spread(numbers: impl IntoIterator<Item = f64> + Clone) -> f64 {
    (quantile(numbers.clone(), 0.75) - quantile(numbers, 0.25)) / 2.0
}

fn quantile(numbers: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = part * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// Keeps the calling thread on the n-th of the CPUs that it may use, and the threads that it will start.
pub(crate) fn stay_on(n: usize) -> Result<(), String> {
    let cpu = cpus().get(n).copied().ok_or(format!("needs {} CPUs", n + 1))?;
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).map_err(|error| format!("cannot stay on CPU {cpu}: {error}"))
}

/// Starts something that has threads of its own, which may use every CPU: kept on one together with the thread that is
/// measured, a collector does not keep up, and its queue grows instead.
pub(crate) fn off_this_cpu(start: impl FnOnce() + Send) {
    let mut all = CpuSet::new();
    for cpu in cpus() {
        all.set(*cpu);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Where that is not allowed it is as it was.
            let _moved = sched_setaffinity(None, &all);
            start();
        });
    });
}

/// The CPUs that this process was allowed when it began.
pub(crate) fn cpus() -> &'static [usize] {
    static CPUS: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();
    CPUS.get_or_init(|| {
        sched_getaffinity(None)
            .map_or(Vec::new(), |set| (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
    })
}
