//! A thread that waits for a FUSE server holds up nobody who only records, and its phase shows, even when it cannot be killed.

use std::os::unix::process::ExitStatusExt as _;

use hangdog_tests::until;
use nix::sys::signal::Signal;

use crate::silent::SilentMount;
use crate::traced::{Traced, phase, read};
use crate::work::{self, SLEEPLESS, check_never_held_up, make_rounds};

/// The number of the thread that answered to a command.
#[track_caller]
fn thread_of(answer: &str) -> u32 {
    answer.split(' ').nth(1).and_then(|tid| tid.parse().ok()).unwrap_or_else(|| panic!("no thread: {answer}"))
}

pub(crate) fn waits_for_a_server() {
    let mut traced = Traced::start(&work::line());
    let mount = SilentMount::new();
    let mut reader = traced.reader();
    let never = mount.never();
    let looker = thread_of(&traced.ask(&format!("look {}", never.display())));
    let wait = format!("path:{}", never.display());
    until("the look-up", || asleep_in(&traced, looker, "request_wait_answer").then_some(()));
    check_never_held_up(&traced, &mut reader, &SLEEPLESS);
    let recording = read(&mut reader);
    let look = phase(&recording, "look");
    assert_eq!((look.tid, look.hang.wait.as_deref()), (looker, Some(&*wait)));
    // The server has read the request, so the wait ends with its answer alone: the process stays, killed.
    traced.signal(Signal::SIGKILL);
    until("the killed thread to be stuck", || (traced.state(looker) == 'D').then_some(()));
    let recording = read(&mut reader);
    assert_eq!(phase(&recording, "look").hang.wait.as_deref(), Some(&*wait));
    assert!(recording.open.iter().any(|phase| phase.name == "round"));
    drop(mount);
    assert_eq!(traced.ended().signal(), Some(9));
    let recording = read(&mut reader);
    assert_eq!(phase(&recording, "look").tid, looker);
    assert!(!recording.attached);
}

fn is_in_call(traced: &Traced, thread: u32, number: i64) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{}/task/{thread}/syscall", traced.pid()));
    call.is_ok_and(|call| call.starts_with(&format!("{number} ")))
}

fn asleep_in(traced: &Traced, thread: u32, function: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/task/{thread}/wchan", traced.pid()))
        .is_ok_and(|wchan| wchan == function)
}

/// The lock of the address space is taken, and stays so: whoever maps memory, or asks for some that is mapped, waits as
/// well. Recording must need neither, not for its first phase in a thread nor for more phases than ever before.
pub(crate) fn waits_inside_mmap() {
    let (first, at_work) = ("nested", ["crossed", "spans", "future"]);
    let mut traced = Traced::start(&["phases-at-work", at_work[0], at_work[1], at_work[2]]);
    let mount = SilentMount::new();
    let mut reader = traced.reader();
    for command in [&*format!("rest {first}"), "room-for 5000"] {
        traced.ask(command);
    }
    let mapper = thread_of(&traced.ask(&format!("map {}", mount.data().display())));
    until("the mapping", || {
        (traced.state(mapper) == 'D' && is_in_call(&traced, mapper, libc::SYS_mmap)).then_some(())
    });
    check_never_held_up(&traced, &mut reader, &at_work);
    assert_eq!(phase(&read(&mut reader), "map").tid, mapper);
    traced.ask("hold 5000");
    assert_eq!(read(&mut reader).open.iter().filter(|phase| phase.name == "held").count(), 5000);
    traced.ask("wake");
    make_rounds(&mut reader, &[first], 10);
}
