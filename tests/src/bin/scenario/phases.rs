//! A program in the middle of its phases.

use std::io::{self, Read as _, Write as _};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use nix::sys::signal::{Signal, raise};

use crate::{Outcome, role};

/// Opens two phases, says so on standard output, sends itself the signal that is named, if one is, and stays in
/// the phases until its standard input ends.
pub(crate) fn open_phases(arguments: &[String]) -> Outcome {
    role::take("traced")?;
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    let outer = tracing::info_span!("import", file = "orders.csv", hang.op = "import orders.csv");
    let _outer = outer.enter();
    let inner = tracing::info_span!("lock table", hang.wait = "lock:orders");
    let _inner = inner.enter();
    println!("in both");
    io::stdout().flush()?;
    if let Some(signal) = arguments.first() {
        raise(signal.parse::<Signal>()?)?;
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
