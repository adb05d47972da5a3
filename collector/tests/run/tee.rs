//! `--tee`: the same for the command and for whoever reads its output, and the text in the capture.

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use hangdog_schemas::Record;
use hangdog_schemas::record::Stream;
use libtest_mimic::Failed;

use crate::bench::{Bench, check_code, first_line, is_alive, kill, number, records, until};

/// What `seq 1 $n` writes.
fn numbers(n: u32) -> String {
    let mut text = String::new();
    for n in 1..=n {
        writeln!(text, "{n}").unwrap();
    }
    text
}

pub(crate) fn every_byte_is_passed_on() -> Result<(), Failed> {
    let bench = Bench::new();
    // 10 MB to both at once, in blocks of all sizes.
    let output = bench.tee("seq 1 1400000 & seq 1 1400000 | dd obs=777 status=none >&2; wait; exit 3").output()?;
    check_code(output.status, 3);
    let expected = numbers(1_400_000);
    assert!(output.stdout == expected.as_bytes(), "{} bytes on stdout", output.stdout.len());
    assert!(output.stderr == expected.as_bytes(), "{} bytes on stderr", output.stderr.len());
    assert_eq!(bench.notes(), "");
    Ok(())
}

pub(crate) fn order_is_kept_where_streams_go_to_one_place() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = "i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); echo $i >&2; i=$((i+1)); done";
    let expected = format!("0\n{}", numbers(999));
    // A pipe.
    let (mut reader, writer) = std::io::pipe()?;
    let mut child = bench.tee(script).stdout(writer.try_clone()?).stderr(writer).spawn()?;
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    check_code(child.wait()?, 0);
    assert!(text == expected, "{text}");
    // One open file, as by `> log 2>&1`.
    let path = bench.path("log");
    let file = std::fs::File::create(&path)?;
    check_code(bench.tee(script).stdout(file.try_clone()?).stderr(file).status()?, 0);
    assert!(std::fs::read_to_string(&path)? == expected);
    Ok(())
}

pub(crate) fn exit_codes_and_signals_pass_through() -> Result<(), Failed> {
    for code in [0, 7, 255] {
        let bench = Bench::new();
        check_code(bench.tee(&format!("exit {code}")).status()?, code);
    }
    let bench = Bench::new();
    let output = bench.tee("echo last words; kill -TERM $$").output()?;
    assert_eq!((output.status.signal(), output.stdout.as_slice()), (Some(libc::SIGTERM), b"last words\n".as_slice()));
    let bench = Bench::new();
    let status = bench.runner(&["/no/such/program"]).env("HANGDOG_TEST_TEE", "1").status()?;
    check_code(status, 127);
    Ok(())
}

pub(crate) fn a_reader_that_goes_ends_the_command() -> Result<(), Failed> {
    let bench = Bench::new();
    let mut child = bench.tee("exec yes").stdout(Stdio::piped()).spawn()?;
    let mut some = vec![0; 100_000];
    child.stdout.as_mut().unwrap().read_exact(&mut some)?;
    drop(child.stdout.take());
    assert_eq!(child.wait()?.signal(), Some(libc::SIGPIPE));
    // One that writes nothing while its reader goes meets a closed pipe at its first write: it is told before.
    let bench = Bench::new();
    let script = r#"trap '' PIPE; until [ -e "$GO" ]; do sleep 0.01; done; /bin/echo x; exit 6"#;
    let mut child = bench.tee(&format!("echo $PPID; {script}"));
    let mut child = child.env("GO", bench.path("go")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let runner = number(&first_line(&mut child));
    until("both relays are there", || relays_of(runner).len() == 2)?;
    drop(child.stdout.take());
    until("the relay of stdout is gone", || relays_of(runner).len() == 1)?;
    std::fs::write(bench.path("go"), "")?;
    let output = child.wait_with_output()?;
    check_code(output.status, 6);
    assert!(String::from_utf8_lossy(&output.stderr).contains("write error"));
    Ok(())
}

/// The relays that live below a runner.
fn relays_of(runner: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{runner}/task/{runner}/children")).unwrap_or_default();
    children
        .split_whitespace()
        .map(number)
        .filter(|pid| {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm == "hangdog-relay\n" && is_alive(*pid)
        })
        .collect()
}

pub(crate) fn a_closed_stdout_stays_closed() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = "if [ -e /proc/self/fd/1 ]; then exit 1; else echo err >&2; exit 4; fi";
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" sh -c \"$1\" >&-"]).arg(std::env::current_exe()?).arg(script);
    shell.env("HANGDOG_TEST_RUNNER", bench.path("notes")).env("XDG_STATE_HOME", bench.path("state"));
    let output = shell.env("HANGDOG_TEST_TEE", "1").stderr(Stdio::piped()).output()?;
    check_code(output.status, 4);
    assert_eq!(output.stderr, b"err\n");
    Ok(())
}

pub(crate) fn a_daemon_is_neither_waited_for_nor_cut_off() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = r#"
        (until [ -e "$D/go" ]; do sleep 0.01; done; echo late; echo > "$D/done") 2>/dev/null &
        seq 1 10000
        exit 3
    "#;
    let mut child = bench.tee(script).env("D", bench.folder.path()).stdout(Stdio::piped()).spawn()?;
    // Read while it runs: more than a pipe holds.
    let mut stdout = child.stdout.take().unwrap();
    let expected = numbers(10_000);
    let mut text = vec![0; expected.len()];
    stdout.read_exact(&mut text)?;
    assert!(text == expected.as_bytes());
    check_code(child.wait()?, 3);
    assert!(!bench.path("done").exists(), "the daemon still runs");
    std::fs::write(bench.path("go"), "")?;
    let mut rest = String::new();
    stdout.read_to_string(&mut rest)?;
    assert_eq!(rest, "late\n");
    until("the daemon has written all it wanted", || bench.path("done").exists())
}

pub(crate) fn who_is_told_to_end_waits_for_no_reader() -> Result<(), Failed> {
    let bench = Bench::new();
    // More than one pipe holds, and less than the two in a row.
    let mut child = bench.tee("seq 1 20000; echo > \"$D/done\"");
    let mut child = child.env("D", bench.folder.path()).stdout(Stdio::piped()).spawn()?;
    until("the command has ended", || bench.path("done").exists())?;
    until("the command is waited for", || {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
        children
            .split_whitespace()
            .map(number)
            .all(|pid| !std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().starts_with("sh"))
    })?;
    assert!(child.try_wait()?.is_none(), "the output is not through yet");
    Command::new("kill").arg(child.id().to_string()).status()?;
    let status = child.wait()?;
    assert!(bench.notes().contains("is still being written by process"), "{}", bench.notes());
    check_code(status, 0);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text)?;
    assert!(text == numbers(20_000), "nothing is lost all the same");
    Ok(())
}

pub(crate) fn streams_do_not_hold_each_other_up() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = "seq 1 100000 & seq 1 100000 >&2; echo > \"$D/done\"; wait";
    let mut child = bench.tee(script);
    let mut child = child.env("D", bench.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // stdout is not read before stderr is through.
    let mut stderr = child.stderr.take().unwrap();
    let expected = numbers(100_000);
    let mut text = vec![0; expected.len()];
    stderr.read_exact(&mut text)?;
    assert!(text == expected.as_bytes());
    until("the writer of stderr has ended", || bench.path("done").exists())?;
    let output = child.wait_with_output()?;
    check_code(output.status, 0);
    assert!(output.stdout == expected.as_bytes());
    Ok(())
}

pub(crate) fn a_full_place_is_told() -> Result<(), Failed> {
    let bench = Bench::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let status = bench.tee("exec yes").stdout(full).stderr(Stdio::null()).status()?;
    assert_eq!(status.signal(), Some(libc::SIGPIPE));
    assert!(bench.notes().contains("stdout could not be written any further: no space left"), "{}", bench.notes());
    Ok(())
}

pub(crate) fn the_command_outlives_relay_and_watchdog() -> Result<(), Failed> {
    let script = r#"echo $PPID; until [ -e "$GO" ]; do sleep 0.01; done; echo end 2>/dev/null; exit 5"#;
    let bench = Bench::new();
    let mut child = bench.tee(&format!("trap '' PIPE; {script}"));
    let mut child = child.env("GO", bench.path("go")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let runner = number(&first_line(&mut child));
    // A process has its name a moment after it has begun.
    until("both relays are there", || relays_of(runner).len() == 2)?;
    for relay in relays_of(runner) {
        kill(relay);
    }
    std::fs::write(bench.path("go"), "")?;
    check_code(child.wait()?, 5);
    assert!(bench.notes().contains("the relay of stdout was killed"), "{}", bench.notes());

    let bench = Bench::new();
    let mut child = bench.tee(script);
    let mut child = child.env("GO", bench.path("go")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let runner = number(&first_line(&mut child));
    kill(runner);
    std::fs::write(bench.path("go"), "")?;
    let output = child.wait_with_output()?;
    assert_eq!(output.stdout, b"end\n", "the relay goes on without its watchdog");
    Ok(())
}

/// All text of a stream in a run's only capture.
fn text_of(bench: &Bench, stream: Stream) -> String {
    let outputs = records(&bench.captures()[0]).into_iter().filter_map(|record| match record {
        Record::Output(output) if output.stream == stream => output.text,
        _ => None,
    });
    outputs.collect()
}

pub(crate) fn the_text_is_in_the_capture_without_secrets() -> Result<(), Failed> {
    let bench = Bench::new();
    let script = r"
        echo 'token=abc ok'; printf 'half a line'; echo 'error: \033[31mred' >&2
        until [ -e $GO ]; do sleep 0.01; done
        printf ', its end \377\n'; printf 'no end'; exit 1
    ";
    let mut child = bench.tee(script);
    let mut child = child.env("GO", bench.path("go")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    assert_eq!(first_line(&mut child), "token=abc ok\n");
    std::fs::write(bench.path("go"), "")?;
    let output = child.wait_with_output()?;
    check_code(output.status, 1);
    assert_eq!(text_of(&bench, Stream::Stdout), "token=[removed] ok\nhalf a line, its end \\xff\nno end");
    assert_eq!(text_of(&bench, Stream::Stderr), String::from_utf8(output.stderr)?);
    let bytes = records(&bench.captures()[0]).into_iter().filter_map(|record| match record {
        Record::Output(output) if output.stream == Stream::Stdout => Some(output.bytes),
        _ => None,
    });
    assert_eq!(bytes.sum::<u64>(), 11 + 2 + 11 + 12 + 6);
    Ok(())
}

pub(crate) fn of_much_text_the_end_is_kept() -> Result<(), Failed> {
    let bench = Bench::new();
    let output = bench.tee("seq 1 1000000; exit 1").stderr(Stdio::null()).output()?;
    let whole = String::from_utf8(output.stdout)?;
    let text = text_of(&bench, Stream::Stdout);
    let end = &whole[whole.len() - 60_000..];
    assert!(text.ends_with(end), "the last of {} bytes are kept", whole.len());
    let lost: u64 = records(&bench.captures()[0])
        .into_iter()
        .filter_map(|record| match record {
            Record::Lost(lost) if lost.at.starts_with("text of stdout") => Some(lost.records),
            _ => None,
        })
        .sum();
    assert_eq!(text.len() as u64 + lost, whole.len() as u64, "what is not kept is counted");
    Ok(())
}
