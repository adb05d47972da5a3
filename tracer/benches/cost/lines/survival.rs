//! Whether what was open is still there when the program is not.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hangdog_flight::Reader;
use hangdog_tracer::phase;

use crate::line::{Line, Measured, Target, Unit};

pub(crate) const LINES: &[Line] =
    &[Line::new("open phases lost", |_| lost()).in_unit(Unit::Count).wanted(Target::itself(0.0))];

/// Opens two phases, says so and waits to be killed.
pub(crate) fn victim() {
    let _outer = phase!("outer", number = 1);
    let _inner = phase!("inner", number = 2);
    println!("open");
    loop {
        std::thread::park();
    }
}

/// Kills a victim and looks for its phases.
fn lost() -> Measured {
    let run = Path::new("/dev/shm").join(format!("hangdog-cost-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&run).map_err(|error| format!("{}: {error}", run.display()))?;
    let found = found_after_kill(&run);
    std::fs::remove_dir_all(&run).map_err(|error| format!("{}: {error}", run.display()))?;
    Ok(f64::from(2 - found?))
}

fn found_after_kill(run: &Path) -> Result<u8, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut victim = Command::new(program)
        .arg("--victim")
        .env("HANGDOG_RUN_DIR", run)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let said = victim.stdout.take().and_then(|out| BufReader::new(out).lines().next());
    victim.kill().and_then(|()| victim.wait()).map_err(|error| error.to_string())?;
    said.ok_or("the victim said nothing")?.map_err(|error| error.to_string())?;
    let files = hangdog_flight::list(&run.join("flight")).map_err(|error| error.to_string())?;
    let file = files.first().ok_or("the victim left no file")?;
    let left = Reader::open(file).and_then(|mut reader| reader.read()).map_err(|error| error.to_string())?;
    let outer = left.open.iter().find(|phase| phase.name == "outer");
    let inner = left.open.iter().find(|phase| phase.name == "inner");
    let within = inner.filter(|inner| inner.parent.is_some() && inner.parent == outer.map(|outer| outer.id));
    let with_field = |number: &str| {
        let field = ("number".to_owned(), number.to_owned());
        move |phase: &&hangdog_flight::OpenPhase| phase.fields.contains(&field)
    };
    Ok(u8::from(outer.filter(with_field("1")).is_some()) + u8::from(within.filter(with_field("2")).is_some()))
}
