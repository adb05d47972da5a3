//! `run` on the real kernel. The test program is also the program under test: called with
//! `HANGDOG_TEST_RUNNER` it runs a command as `hangdog run` would, in a process with one thread.

#![expect(unsafe_code, reason = "a process that dies like its command sets its own signal action")]

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

use hangdog_schemas::file::Reader;
use hangdog_schemas::record::Deed;
use hangdog_schemas::{Pid, Record};
use libtest_mimic::{Arguments, Failed, Trial};

mod bench;
mod kin;
mod recorded;
mod recording;
mod tee;

use crate::bench::{Bench, check_code, first_line, is_alive, kill, number, records, runner, until};

/// A job in the background gets these ignored, its children inherit that, and a shell cannot trap them then.
fn signals_as_in_the_foreground() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: the default action runs no code of ours, so nothing has to be safe in a handler.
        unsafe { sigaction(signal, &default) }.expect("these signals have a default action");
    }
}

type Test = fn() -> Result<(), Failed>;

fn main() {
    recording::play();
    if std::env::var_os("HANGDOG_TEST_RUNNER").is_some() {
        runner();
    }
    signals_as_in_the_foreground();
    let tests: &[(&str, Test)] = &[
        ("exit_codes_pass_through", exit_codes_pass_through),
        ("death_by_signal_passes_through", death_by_signal_passes_through),
        ("a_command_that_cannot_be_run_says_why", a_command_that_cannot_be_run_says_why),
        ("a_closed_stdin_stays_closed", a_closed_stdin_stays_closed),
        ("a_pipe_that_closes_ends_the_command", a_pipe_that_closes_ends_the_command),
        ("the_command_has_its_own_group_without_a_terminal", the_command_has_its_own_group_without_a_terminal),
        ("a_terminal_stays_a_terminal", a_terminal_stays_a_terminal),
        ("the_environment_names_the_run", the_environment_names_the_run),
        ("signals_are_passed_on", signals_are_passed_on),
        ("after_a_normal_end_nothing_is_killed", after_a_normal_end_nothing_is_killed),
        ("rescue_leaves_nothing_and_touches_nobody_else", rescue_leaves_nothing_and_touches_nobody_else),
        ("what_was_there_before_is_left_alone", kin::what_was_there_before_is_left_alone),
        ("a_killed_watchdog_leaves_command_and_capture", a_killed_watchdog_leaves_command_and_capture),
        ("a_place_that_cannot_be_written_changes_nothing", a_place_that_cannot_be_written_changes_nothing),
        ("phase_lines_come_into_the_capture", phase_lines_come_into_the_capture),
        ("phases_end_with_an_exec", recorded::phases_end_with_an_exec),
        ("phases_in_a_memfd_are_found", recorded::phases_in_a_memfd_are_found),
        ("phases_stay_open_when_the_process_ends", recorded::phases_stay_open_when_the_process_ends),
        ("many_short_processes_are_all_read", recorded::many_short_processes_are_all_read),
        ("what_led_up_to_a_trigger_is_told", recorded::what_led_up_to_a_trigger_is_told),
        (
            "a_thread_that_is_only_called_like_the_recorders_counts",
            recorded::a_thread_that_is_only_called_like_the_recorders_counts,
        ),
        ("programs_in_other_namespaces_are_known", recorded::programs_in_other_namespaces_are_known),
        ("tee_passes_every_byte_on", tee::every_byte_is_passed_on),
        ("tee_keeps_the_order_of_streams_that_go_to_one_place", tee::order_is_kept_where_streams_go_to_one_place),
        ("tee_passes_exit_codes_and_signals_through", tee::exit_codes_and_signals_pass_through),
        ("tee_ends_the_command_when_its_reader_goes", tee::a_reader_that_goes_ends_the_command),
        ("tee_leaves_a_closed_stdout_closed", tee::a_closed_stdout_stays_closed),
        ("tee_does_not_wait_for_a_daemon_nor_cut_it_off", tee::a_daemon_is_neither_waited_for_nor_cut_off),
        ("tee_does_not_wait_for_a_slow_reader_when_told_to_end", tee::who_is_told_to_end_waits_for_no_reader),
        ("tee_keeps_one_streams_reader_from_holding_up_the_other", tee::streams_do_not_hold_each_other_up),
        ("tee_says_when_the_output_cannot_be_written", tee::a_full_place_is_told),
        ("tee_survives_its_relay_and_its_watchdog", tee::the_command_outlives_relay_and_watchdog),
        ("tee_keeps_the_text_without_secrets", tee::the_text_is_in_the_capture_without_secrets),
        ("tee_keeps_the_end_of_much_text", tee::of_much_text_the_end_is_kept),
    ];
    let trials = tests.iter().map(|(name, test)| Trial::test(*name, test)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn exit_codes_pass_through() -> Result<(), Failed> {
    for code in [0, 7, 124, 255] {
        let bench = Bench::new();
        check_code(bench.shell(&format!("exit {code}")).status()?, code);
        assert_eq!(bench.notes(), "");
        assert_eq!(bench.captures().len(), usize::from(code != 0), "kept after a failure, dropped after a clean run");
        for capture in bench.captures() {
            let records = records(&capture);
            assert!(matches!(records[0], Record::Run(_)));
            assert!(records.iter().any(|record| matches!(record, Record::RunEnd(_))));
        }
    }
    Ok(())
}

fn death_by_signal_passes_through() -> Result<(), Failed> {
    for (name, signal) in [("SEGV", libc::SIGSEGV), ("TERM", libc::SIGTERM), ("KILL", libc::SIGKILL)] {
        let bench = Bench::new();
        let status = bench.shell(&format!("ulimit -c 0; kill -{name} $$")).status()?;
        assert_eq!(status.signal(), Some(signal), "{name}: {}", bench.notes());
        assert_eq!(bench.captures().len(), 1);
    }
    Ok(())
}

fn a_command_that_cannot_be_run_says_why() -> Result<(), Failed> {
    let bench = Bench::new();
    let plain = bench.path("plain");
    std::fs::write(&plain, "no program")?;
    let plain = plain.to_str().unwrap();
    for (command, code, word) in [
        (vec!["hangdog-no-such-program"], 127, "was not found"),
        (vec!["/no/such/program"], 127, "was not found"),
        (vec![plain], 126, "chmod"),
        (vec!["/"], 126, "cannot be run"),
        (vec![], 125, "no command"),
        (vec![""], 125, "no command"),
    ] {
        check_code(bench.runner(&command).status()?, code);
        assert!(bench.notes().contains(word), "{command:?}: {}", bench.notes());
        assert_eq!(bench.captures().len(), 0);
    }
    Ok(())
}

fn a_closed_stdin_stays_closed() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = "if [ -e /proc/self/fd/0 ]; then exit 1; else exit 4; fi";
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" sh -c \"$1\" <&-"]).arg(std::env::current_exe()?).arg(script);
    shell.env("HANGDOG_TEST_RUNNER", bench.path("notes")).env("XDG_STATE_HOME", bench.path("state"));
    check_code(shell.status()?, 4);
    check_code(bench.shell(script).status()?, 1);
    Ok(())
}

fn a_pipe_that_closes_ends_the_command() -> Result<(), Failed> {
    let bench = Bench::new();
    let mut child = bench.runner(&["yes"]).stdout(Stdio::piped()).spawn()?;
    let mut some = [0; 100];
    child.stdout.as_mut().unwrap().read_exact(&mut some)?;
    drop(child.stdout.take());
    assert_eq!(child.wait()?.signal(), Some(libc::SIGPIPE));
    Ok(())
}

fn the_command_has_its_own_group_without_a_terminal() -> Result<(), Failed> {
    let bench = Bench::new();
    // Field 5 of stat is the group.
    let output = bench.shell("echo $$ $(cut -d' ' -f5 /proc/$$/stat)").output()?;
    let text = String::from_utf8(output.stdout)?;
    let (pid, group) = text.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);
    Ok(())
}

fn a_terminal_stays_a_terminal() -> Result<(), Failed> {
    let bench = Bench::new();
    let terminal = nix::pty::openpty(None, None)?;
    let slave = terminal.slave;
    let mut runner = Command::new(std::env::current_exe()?);
    // The command reads a line from the terminal, which a group in the background could not.
    let script = "test -t 0 && test -t 1 && read line && test \"$line\" = hello && exit 6";
    runner.args(["sh", "-c", script]);
    runner.env("HANGDOG_TEST_RUNNER", bench.path("notes")).env("XDG_STATE_HOME", bench.path("state"));
    runner.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(Stdio::null());
    // SAFETY: two system calls that make the terminal on fd 0 the one of a new session.
    unsafe {
        runner.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(std::io::stdin())?;
            Ok(())
        })
    };
    let mut child = runner.spawn()?;
    drop(slave);
    let mut master = std::fs::File::from(terminal.master);
    master.write_all(b"hello\n")?;
    check_code(child.wait()?, 6);
    Ok(())
}

fn the_environment_names_the_run() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = "echo $HANGDOG ${#HANGDOG_RUN_ID} $(stat -c %a $HANGDOG_RUN_DIR/flight) $(stat -f -c %T $HANGDOG_RUN_DIR) $HANGDOG_RUN_DIR";
    let output = bench.shell(script).output()?;
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[..4], ["1", "26", "700", "tmpfs"]);
    assert!(!Path::new(words[4]).exists(), "the run's directory goes with the run");
    Ok(())
}

fn signals_are_passed_on() -> Result<(), Failed> {
    for (name, code) in [("TERM", 9), ("INT", 8), ("USR1", 7)] {
        let bench = Bench::new();
        let script =
            "trap 'exit 9' TERM; trap 'exit 8' INT; trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done";
        let mut child = bench.shell(script).stdout(Stdio::piped()).spawn()?;
        assert_eq!(first_line(&mut child), "ready\n");
        Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status()?;
        check_code(child.wait()?, code);
        let records = records(&bench.captures()[0]);
        let passed = records
            .iter()
            .any(|record| matches!(record, Record::Action(action) if matches!(action.deed, Deed::Signal { .. })));
        assert!(passed, "{name} is in the capture");
    }
    Ok(())
}

fn after_a_normal_end_nothing_is_killed() -> Result<(), Failed> {
    let bench = Bench::new();
    // The orphan must not hold the pipe that this test reads to its end.
    let output = bench.shell("sleep 1000 >/dev/null 2>&1 & echo $!; exit 3").output()?;
    let orphan = number(&String::from_utf8(output.stdout)?);
    check_code(output.status, 3);
    let was_alive = is_alive(orphan);
    kill(orphan);
    assert!(was_alive, "the orphan outlives the run");
    assert!(bench.notes().contains(&format!("process {orphan} ")), "{}", bench.notes());
    Ok(())
}

/// Two shells that each read what only the other would write, before they write. Each notes its pid.
const DEADLOCK: &str = r#"
    mkfifo "$D/a" "$D/b"
    sh -c 'echo $$ > "$D/1"; exec 3<>"$D/a"; read x <&3' &
    echo $$ > "$D/2"; exec 4<>"$D/b"; read y <&4
"#;

fn rescue_leaves_nothing_and_touches_nobody_else() -> Result<(), Failed> {
    for mode in ["rescue", "kill"] {
        let bench = Bench::new();
        // A look-alike of the run: the same program with the same arguments, environment and open files.
        let twin = bench.path("twin");
        std::fs::create_dir(&twin)?;
        let mut outsider = Command::new("sh").args(["-c", DEADLOCK]).env("D", &twin).process_group(0).spawn()?;
        let mut runner = bench.shell(DEADLOCK);
        runner.env("D", bench.folder.path());
        if mode == "kill" {
            runner.env("HANGDOG_TEST_KILL", "1");
        }
        let status = runner.status()?;
        let was_alive = is_alive(outsider.id());
        let twins: Vec<u32> =
            ["1", "2"].iter().map(|name| number(&std::fs::read_to_string(twin.join(name)).unwrap())).collect();
        let twins_alive = twins.iter().all(|pid| is_alive(*pid));
        for pid in &twins {
            kill(*pid);
        }
        outsider.wait()?;
        check_code(status, 124);
        assert!(was_alive && twins_alive, "the look-alike is none of the run");
        for name in ["1", "2"] {
            let pid = number(&std::fs::read_to_string(bench.path(name))?);
            assert!(!is_alive(pid), "{pid} of the run is gone");
        }
        let records = records(&bench.captures()[0]);
        let killed = records
            .iter()
            .filter(|record| matches!(record, Record::Action(action) if matches!(action.deed, Deed::Kill(_))));
        assert_eq!(killed.count(), 2);
        assert!(matches!(records.last(), Some(Record::Report(_))), "the report is the last line");
        assert!(bench.notes().contains("actions: killed "), "{}", bench.notes());
    }
    Ok(())
}

fn a_killed_watchdog_leaves_command_and_capture() -> Result<(), Failed> {
    let bench = Bench::new();
    let capture = bench.path("killed.hang");
    let mut runner = bench.shell("echo $$; exec sleep 1000");
    runner.env("HANGDOG_TEST_CAPTURE", &capture).stdout(Stdio::piped());
    let mut child = runner.spawn()?;
    let command = number(&first_line(&mut child));
    until("the capture has a frame", || std::fs::metadata(&capture).is_ok_and(|file| file.len() > 0))?;
    child.kill()?;
    child.wait()?;
    // The writer finishes by itself when its input ends.
    let whole = until("the capture is finished", || {
        let bytes = std::fs::read(&capture).unwrap();
        Reader::from_bytes(&bytes).is_ok_and(|reader| {
            let (records, summary) = reader.read_all();
            !records.is_empty() && summary.is_complete()
        })
    });
    let was_alive = is_alive(command);
    kill(command);
    whole?;
    assert!(was_alive, "the command goes on");
    let started = records(&capture)
        .into_iter()
        .any(|record| matches!(record, Record::ProcessStart(start) if start.process.pid == Pid(command)));
    assert!(started, "the capture knows the command");
    Ok(())
}

fn a_place_that_cannot_be_written_changes_nothing() -> Result<(), Failed> {
    let bench = Bench::new();
    for place in ["/proc/no.hang", "/no/such/folder/x.hang", "/dev/full"] {
        check_code(bench.shell("exit 7").env("HANGDOG_TEST_CAPTURE", place).status()?, 7);
        let notes = bench.notes();
        assert!(notes.contains(&format!("the capture cannot be written to {place}: ")), "{notes}");
        assert!(notes.contains("-o"), "what helps is said: {notes}");
        let spool = notes.lines().find_map(|line| line.strip_prefix("the first facts of this run are in "));
        let spool = spool.expect("the spool is named");
        let text = std::fs::read_to_string(spool)?;
        assert!(text.starts_with(r#"{"kind":"run""#), "{text}");
        std::fs::remove_dir_all(Path::new(spool).parent().unwrap())?;
    }
    Ok(())
}

fn phase_lines_come_into_the_capture() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = r#"
        echo '{"do":"begin","id":"a","name":"unpack","pid":'$$',"t":"5","fields":{"hang.wait":"path:/x"}}' >> "$HANGDOG_PHASES"
        echo '{"do":"end","id":"a","pid":'$$',"t":"6","outcome":"ok"}' >> "$HANGDOG_PHASES"
        exit 1
    "#;
    check_code(bench.shell(script).status()?, 1);
    let records = records(&bench.captures()[0]);
    let opened = records.iter().find_map(|record| match record {
        Record::PhaseOpen(open) => Some(open),
        _ => None,
    });
    let opened = opened.expect("the phase is in the capture");
    assert_eq!(opened.name, "unpack");
    assert_eq!(opened.hang.wait.as_ref().map(ToString::to_string).as_deref(), Some("path:/x"));
    let closed = records.iter().any(|record| matches!(record, Record::PhaseClose(close) if close.id == opened.id));
    assert!(closed);
    Ok(())
}
