//! Phases of the demo's own processes: the tracing layer, as any program would set it up.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Records the spans of this process from here on.
pub(super) fn start() {
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
}
