//! The lock of the store between processes: of many who find a stale one, one has it. This program is also each of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hangdog_collector::store::{Life, Lock, LockError, Owner};
use libtest_mimic::{Arguments, Failed, Trial};

const CONTENDER: &str = "HANGDOG_TEST_CONTENDER";
const CONTENDERS: usize = 16;
const ROUNDS: usize = 1000;

fn main() {
    if let Some(path) = std::env::var_os(CONTENDER) {
        contend(Path::new(&path));
        return;
    }
    let trials = vec![Trial::test("a_stale_lock_has_one_winner", one_winner)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// For each byte that comes: takes the lock and says how that went; with the next byte lets go of it.
fn contend(path: &Path) {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut byte = [0];
    let mut held = None;
    while input.read_exact(&mut byte).is_ok() {
        let word = match (byte[0], held.take()) {
            (b't', _) => match Lock::take(path) {
                Ok(lock) => {
                    held = Some(lock);
                    "won".to_owned()
                }
                Err(LockError::Held { holder, life: Life::Alive, .. }) => format!("lost to {}", holder.pid),
                Err(error) => format!("failed: {error}"),
            },
            _ => "free".to_owned(),
        };
        writeln!(output, "{word}").expect("the test listens");
    }
}

struct Contender {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Contender {
    fn start(path: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(CONTENDER, path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a contender");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, input, output: BufReader::new(output) }
    }

    fn tell(&mut self, byte: u8) {
        self.input.write_all(&[byte]).expect("a contender that listens");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a contender that talks");
        line.trim_end().to_owned()
    }
}

fn one_winner() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let path = place.path().join("lock");
    let mut dead = Command::new("true").spawn()?;
    let pid = dead.id();
    dead.wait()?;
    let stale = Owner { pid, ..Owner::own()? };
    let mut contenders: Vec<Contender> = (0..CONTENDERS).map(|_| Contender::start(&path)).collect();
    for round in 0..ROUNDS {
        std::fs::write(&path, serde_json::to_vec(&stale)?)?;
        for contender in &mut contenders {
            contender.tell(b't');
        }
        let said: Vec<String> = contenders.iter_mut().map(Contender::hear).collect();
        let winners: Vec<u32> =
            contenders.iter().zip(&said).filter(|(_, said)| *said == "won").map(|(one, _)| one.child.id()).collect();
        let [winner] = winners[..] else { return Err(format!("round {round}: {said:?}").into()) };
        let lost = said.iter().filter(|said| **said == format!("lost to {winner}")).count();
        if lost != CONTENDERS - 1 {
            return Err(format!("round {round}, won by {winner}: {said:?}").into());
        }
        for contender in &mut contenders {
            contender.tell(b'f');
        }
        for contender in &mut contenders {
            assert_eq!(contender.hear(), "free");
        }
        let left: Vec<_> = std::fs::read_dir(place.path())?.flatten().map(|entry| entry.file_name()).collect();
        if !left.is_empty() {
            return Err(format!("round {round} left {left:?}").into());
        }
    }
    for contender in contenders {
        let Contender { mut child, input, .. } = contender;
        drop(input);
        child.wait()?;
    }
    Ok(())
}
