//! What this machine lets hangdog see: each thing that a diagnosis needs, whether it is there, what it costs when it
//! is not, and how to get it.
//!
//! Everything here is read from our own process and from the kernel's own files: nothing of other programs, so
//! nothing that could hang.

mod kernel;
mod places;
mod rights;

use serde::Serialize;

/// How much of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// All that is needed.
    Ok,
    /// A part.
    Limited,
    /// Nothing.
    Missing,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Stable name.
    pub(crate) name: &'static str,
    /// How much of it is there.
    pub(crate) state: State,
    /// What was found.
    pub(crate) found: String,
    /// What a diagnosis loses; empty when nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) cost: &'static str,
    /// How to get it; empty when there is nothing to do.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) advice: &'static str,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), cost: "", advice: "" }
    }

    fn short(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        cost: &'static str,
        advice: &'static str,
    ) -> Self {
        Self { name, state, found: found.into(), cost, advice }
    }
}

/// Looks at everything, in the order in which it matters.
pub(crate) fn examine() -> Vec<Check> {
    let mut checks =
        vec![kernel::release(), rights::capabilities(), rights::yama(), rights::hidepid(), rights::pid_namespace()];
    checks.extend(kernel::proc_files());
    checks.extend([
        kernel::fuse_device(),
        kernel::fuse_connections(),
        kernel::fuse_server(),
        kernel::socket_diagnosis(),
        rights::user_namespaces(),
        kernel::control_groups(),
        kernel::file_events(),
        kernel::recorder(),
        places::memory(),
        places::captures(),
    ]);
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_says_what_it_costs_and_what_to_do() {
        let checks = examine();
        assert!(checks.len() > 10);
        for check in checks {
            let told = !check.cost.is_empty() && !check.advice.is_empty();
            assert_eq!(check.state != State::Ok, told, "{check:?}");
            assert!(!check.found.is_empty(), "{check:?}");
        }
    }
}
