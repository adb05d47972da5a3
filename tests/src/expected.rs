//! What must be true of a verdict.

use hangdog_schemas::{Edge, Finding};

use crate::Bench;

/// One wait that must stand in the verdict.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Role of who waits.
    pub waiter: &'static str,
    /// Words of which one must stand in the kind of the resource.
    pub over: &'static [&'static str],
    /// Role of who could end it; `None` when nobody can, or nobody of the run.
    pub resolver: Option<&'static str>,
}

/// What must be true of a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Names of kinds of which it must be one.
    pub kinds: &'static [&'static str],
    /// Roles that may be blamed; one must be, where there is somebody to blame.
    pub blamed: &'static [&'static str],
    /// Waits that must be among its edges.
    pub waits: &'static [Wait],
}

impl Expected {
    /// Compares.
    ///
    /// # Panics
    /// When the verdict is another one.
    #[track_caller]
    pub fn check(&self, bench: &Bench, verdict: &Finding) {
        let told = serde_json::to_string_pretty(verdict).expect("a verdict is JSON");
        let kind = verdict.kind.name();
        assert!(self.kinds.contains(&kind.as_str()), "{kind} is none of {:?}: {told}", self.kinds);
        assert!(verdict.sentence.len() <= 400, "the sentence is longer than 400: {told}");
        let blamed: Vec<u32> = self.blamed.iter().map(|role| bench.pid_of(role)).collect();
        assert_eq!(verdict.culprits.is_empty(), blamed.is_empty(), "who is blamed: {told}");
        for culprit in &verdict.culprits {
            assert!(blamed.contains(&culprit.pid.0), "{} is blamed, not {:?}: {told}", culprit.comm, self.blamed);
        }
        for wait in self.waits {
            assert!(verdict.edges.iter().any(|edge| wait.is(bench, edge)), "{wait:?} is missing: {told}");
        }
        for edge in &verdict.edges {
            assert!(!edge.evidence.is_empty(), "an edge without evidence: {told}");
        }
    }
}

impl Wait {
    fn is(&self, bench: &Bench, edge: &Edge) -> bool {
        let resolver = self.resolver.map(|role| bench.pid_of(role));
        edge.waiter.pid.0 == bench.pid_of(self.waiter)
            && self.over.iter().any(|word| edge.resource.kind.contains(word))
            && (resolver.is_none() || edge.resolver.as_ref().map(|actor| actor.pid.0) == resolver)
    }
}
