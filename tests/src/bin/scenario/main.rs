//! Small programs that really hang, or look like it.
//!
//! `scenario NAME [ARGUMENT…]`; each process notes its role and number in the file named by
//! `SCENARIO_ROLES`, so that a test knows who is who.
//!
//! | in | are |
//! | --- | --- |
//! | [`pipes`], [`sockets`], [`locks`], [`processes`], [`terminal`], [`traced`], [`primitives`], [`mapped`], [`joined`] | hangs |
//! | [`stuck`] | threads that are stuck in the kernel, in every way that is known |
//! | [`healthy`] | programs that only look as if they hung |
//! | [`phases`] | programs with open phases |
//! | [`at_work`], [`family`], [`held`], [`crowd`] | programs with phases that open and close all the time, in children, in great number; [`told`] what to do |
//! | [`places`], [`limits`], [`filtered`] | places to run a command in, and limits to run it under |
//! | [`endings`] | programs that end as they are told |
//! | [`service`] | a service on tokio with load and quiet |
//! | [`replayed`] | the replay, with a part that panics |
//! | [`roam`] | a family that is hard to follow, and those who look like it |

mod at_work;
mod crowd;
mod endings;
mod family;
mod filtered;
mod healthy;
mod held;
mod ipc;
mod joined;
mod limits;
mod locks;
mod mapped;
mod phases;
mod pipes;
mod places;
mod primitives;
mod processes;
mod replayed;
mod roam;
mod role;
mod service;
mod sockets;
mod stuck;
mod terminal;
mod told;
mod traced;

use std::process::ExitCode;

/// What a scenario returns: any failure ends it with a message.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A scenario takes the rest of the command line.
type Scenario = fn(&[String]) -> Outcome;

/// All scenarios and their parts by name.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("pipe-full-cycle", pipes::full_cycle),
    ("pipe-copier", pipes::copier),
    ("pipe-splice-cycle", pipes::splice_cycle),
    ("pipe-splicer", pipes::splicer),
    ("pipe-own-writer", pipes::own_writer),
    ("pipe-eof-daemon", pipes::eof_daemon),
    ("pipe-daemon-starter", pipes::daemon_starter),
    ("daemon", processes::daemon),
    ("fifo-no-writer", pipes::fifo_no_writer),
    ("flock-inherited", locks::inherited),
    ("flock-daemon-starter", locks::daemon_starter),
    ("flock-abba", locks::abba),
    ("flock-taker", locks::taker),
    ("semaphores-abba", ipc::semaphores_abba),
    ("semaphore-of-the-dead", ipc::semaphore_of_the_dead),
    ("semaphore-queue", ipc::semaphore_queue),
    ("shared-mutex-queue", ipc::shared_mutex_queue),
    ("shared-mutex-of-the-dead", ipc::shared_mutex_of_the_dead),
    ("mutexes-abba-joined", joined::mutexes_abba),
    ("tcp-unaccepted", sockets::unaccepted),
    ("tcp-answerer", sockets::answerer),
    ("unix-cycle", sockets::unix_cycle),
    ("unix-other", sockets::unix_other),
    ("stopped-child", processes::stopped_child),
    ("stopper", processes::stopper),
    ("tty-prompt", terminal::prompt),
    ("tty-prompter", terminal::prompter),
    ("traced-mutexes", traced::mutexes),
    ("traced-mutex-queue", traced::mutex_queue),
    ("long-poll", healthy::long_poll),
    ("slow-compute", healthy::slow_compute),
    ("computer", healthy::computer),
    ("flock-queue", healthy::flock_queue),
    ("flock-worker", healthy::flock_worker),
    ("epoll-idle", healthy::epoll_idle),
    ("reaped-zombies", healthy::reaped_zombies),
    ("slow-consumer", healthy::slow_consumer),
    ("consumer", healthy::consumer),
    ("open-phases", phases::open_phases),
    ("phases-at-work", at_work::at_work),
    ("phases-crowd", crowd::of_tasks),
    ("phases-churn", crowd::of_threads),
    ("limited", limits::limited),
    ("as-in-docker", filtered::as_in_docker),
    ("asks-for-a-mapping", mapped::asks_for_a_mapping),
    ("as-on-linux", filtered::as_on_linux),
    ("with-read-only-shm", places::with_read_only_shm),
    ("without-proc", places::without_proc),
    ("traced-abba-std", primitives::abba_std),
    ("traced-abba-parking-lot", primitives::abba_parking_lot),
    ("traced-abba-tokio", primitives::abba_tokio),
    ("traced-reentrant", primitives::reentrant),
    ("traced-read-then-write", primitives::read_then_write),
    ("traced-channel-ring-std", primitives::channel_ring_std),
    ("traced-channel-ring-tokio", primitives::channel_ring_tokio),
    ("traced-pool", primitives::pool),
    ("traced-select-holds", primitives::select_holds),
    ("traced-select-granted", primitives::select_granted),
    ("traced-notify-before-wait", primitives::notify_before_wait),
    ("traced-notify-before-wait-tokio", primitives::notify_before_wait_tokio),
    ("traced-permit-forgotten", primitives::permit_forgotten),
    ("traced-lock-queue", primitives::lock_queue),
    ("traced-task-queue", primitives::task_queue),
    ("traced-slow-receiver", primitives::slow_receiver),
    ("traced-busy-pool", primitives::busy_pool),
    ("traced-late-notification", primitives::late_notification),
    ("traced-select-polled", primitives::select_polled),
    ("stuck", stuck::stuck),
    ("stuck-server", stuck::serve),
    ("stuck-victim", stuck::victim),
    ("stuck-holder", stuck::holder),
    ("on-small-disk", places::on_small_disk),
    ("without-fuse", places::without_fuse),
    ("on-terminal", places::on_terminal),
    ("session-leader", places::session_leader),
    ("tokio-service", service::service),
    ("tokio-clients", service::clients),
    ("exit", endings::exit),
    ("print-and-exit", endings::print_and_exit),
    ("replay-that-panics", replayed::panics),
    ("roam", roam::roam),
    ("die", endings::die),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprintln!("scenario: no name given");
        return ExitCode::from(2);
    };
    let Some((_, scenario)) = SCENARIOS.iter().find(|(known, _)| known == name) else {
        eprintln!("scenario: there is no {name:?}");
        return ExitCode::from(2);
    };
    match scenario(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scenario {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
