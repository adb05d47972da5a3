//! Very many phases open at once: in async tasks, and in threads.

use std::mem::size_of_val;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use hangdog_tracer::{InPhaseExt as _, Phase, open_phase, phase};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Outcome, role, told};

/// `phases-crowd` answers `tasks COUNT`, `end-every NTH`, `future-size`.
pub(crate) fn of_tasks(_: &[String]) -> Outcome {
    role::take("traced")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut tasks: Vec<(oneshot::Sender<()>, JoinHandle<()>)> = Vec::new();
    let (mut begun, polled) = (0, Arc::new(AtomicU64::new(0)));
    told::line_by_line(|words| match *words {
        ["tasks", _] => {
            let more: u64 = told::number(words, 1)?;
            runtime.block_on(async {
                for n in begun..begun + more {
                    let (end, ended) = oneshot::channel();
                    let polled = Arc::clone(&polled);
                    let wait = async move {
                        polled.fetch_add(1, Ordering::Relaxed);
                        drop(ended.await);
                    };
                    tasks.push((end, tokio::spawn(wait.in_phase(open_phase!("wait for a reply", n = n)))));
                }
                while polled.load(Ordering::Relaxed) < begun + more {
                    tokio::task::yield_now().await;
                }
            });
            begun += more;
            Ok(format!("{} tasks", tasks.len()))
        }
        ["end-every", _] => {
            let nth: usize = told::number(words, 1)?;
            let (end, stay) = std::mem::take(&mut tasks).into_iter().enumerate().partition(|(at, _)| at % nth == 0);
            let without_place = |tasks: Vec<(usize, _)>| tasks.into_iter().map(|(_, task)| task).collect();
            tasks = without_place(stay);
            let ending: Vec<(oneshot::Sender<()>, JoinHandle<()>)> = without_place(end);
            runtime.block_on(async {
                for (end, task) in ending {
                    drop(end);
                    let _ended = task.await;
                }
            });
            Ok(format!("{} tasks", tasks.len()))
        }
        ["future-size"] => {
            let (plain, recorded) = (std::future::ready(1_u64), std::future::ready(1_u64).in_phase(Phase::default()));
            Ok((size_of_val(&recorded) - size_of_val(&plain)).to_string())
        }
        _ => Err(format!("there is no command {words:?}").into()),
    })
}

/// `phases-churn AT-ONCE` answers `together COUNT`, `churn COUNT` and `hold COUNT`.
pub(crate) fn of_threads(arguments: &[String]) -> Outcome {
    role::take("traced")?;
    let at_once: u64 = arguments.first().ok_or("how many at once?")?.parse()?;
    told::line_by_line(|words| match *words {
        ["together", _] => {
            let count: usize = told::number(words, 1)?;
            let all = Barrier::new(count);
            std::thread::scope(|scope| {
                for _ in 0..count {
                    scope.spawn(|| {
                        let _both = (phase!("short"), open_phase!("left behind"));
                        all.wait();
                    });
                }
            });
            Ok(format!("{count} threads ended"))
        }
        ["churn", _] => {
            let count: u64 = told::number(words, 1)?;
            std::thread::scope(|scope| {
                for _ in 0..at_once {
                    scope.spawn(|| (0..count / at_once).for_each(|_| short_lived()));
                }
            });
            Ok(format!("{} threads ended", count / at_once * at_once))
        }
        ["hold", _] => {
            let count: usize = told::number(words, 1)?;
            let all = Arc::new(Barrier::new(count + 1));
            for n in 0..count {
                let all = Arc::clone(&all);
                std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
                    let _held = (phase!("held", n = n), open_phase!("held too", n = n));
                    all.wait();
                    loop {
                        std::thread::park();
                    }
                })?;
            }
            all.wait();
            Ok(format!("{count} threads"))
        }
        _ => Err(format!("there is no command {words:?}").into()),
    })
}

/// A thread that has a phase, and leaves another one to who started it.
fn short_lived() {
    let left = std::thread::Builder::new().stack_size(64 << 10).spawn(|| {
        let _short = phase!("short", of = "a short life");
        open_phase!("left behind")
    });
    drop(left.map(std::thread::JoinHandle::join));
}
