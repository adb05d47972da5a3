//! Whether two captures show the same hang: a hash over what does not change from run to run.
//!
//! Kinds of waits, names of programs and phases, system calls; no pid, no path, no wait channel (grouping by wait
//! channel alone hides causes, as the discussion of the kernel's hung-task messages found).

use std::collections::BTreeSet;

use hangdog_schemas::{Actor, Edge, FindingKind};

/// 16 hexadecimal digits.
pub(crate) fn of(kind: FindingKind, edges: &[Edge]) -> String {
    let parts: BTreeSet<String> = edges
        .iter()
        .map(|edge| {
            let call = edge.resource.call.as_deref().and_then(|call| call.split('(').next()).unwrap_or("-");
            let to = edge.resolver.as_ref().map_or_else(|| "nobody".to_owned(), role);
            format!("{}|{}|{call}|{to}", role(&edge.waiter), edge.resource.kind)
        })
        .collect();
    let mut hash = Fnv::new();
    hash.add(kind.name().as_bytes());
    for part in parts {
        hash.add(b"\n");
        hash.add(part.as_bytes());
    }
    format!("{:016x}", hash.0)
}

/// The same over a clause in which nothing differs from run to run but numbers.
pub(crate) fn of_clause(kind: FindingKind, clause: &str) -> String {
    let mut hash = Fnv::new();
    hash.add(kind.name().as_bytes());
    hash.add(b"\n");
    hash.add(clause.chars().filter(|c| !c.is_ascii_digit()).collect::<String>().as_bytes());
    format!("{:016x}", hash.0)
}

fn role(actor: &Actor) -> String {
    let phase = actor.phase.as_deref().unwrap_or("");
    // Numbers in names are ids: `worker-17`, `walk /tmp/x-4412`.
    format!("{}/{phase}", actor.comm).chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable across versions and machines, unlike the standard library's hasher.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
