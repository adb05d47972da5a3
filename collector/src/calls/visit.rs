//! What a call without a name of its own is about, and whose it is: less is read of it than of one with names, since
//! there are more of them.

use std::collections::BTreeMap;
use std::fs;

use hangdog_schemas::record::{Call, Visit};
use hangdog_schemas::visit::PHASES;
use hangdog_schemas::{Pid, Tid, When};

use super::places::{About, Thing};
use super::words::{Asked, is_of_system, path};
use crate::observe::status;

/// Threads whose names are kept.
const MOST: usize = 4096;
/// A link of `/proc` is not longer.
const LONGEST_OBJECT: usize = 200;

/// Whose threads are, and what they are called. They may be called otherwise later: it is looked again at the first
/// calls of a thread, and then ever less often.
#[derive(Debug, Default)]
pub(super) struct Owners(BTreeMap<u32, Owner>);

#[derive(Clone, Debug)]
struct Owner {
    pid: Pid,
    comm: String,
    asked: u32,
}

impl Owners {
    fn of(&mut self, tid: u32) -> Option<(Pid, String)> {
        if let Some(known) = self.0.get_mut(&tid) {
            known.asked += 1;
            if !known.asked.is_power_of_two() {
                return Some((known.pid, known.comm.clone()));
            }
        }
        let asked = self.0.get(&tid).map_or(1, |known| known.asked);
        let caller = status(&fs::read(format!("/proc/{tid}/status")).ok()?)?;
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let owner = Owner { pid: caller.tgid, comm: caller.comm, asked };
        self.0.insert(tid, owner.clone());
        Some((owner.pid, owner.comm))
    }

    /// The number may be another thread's from now on, or its program another one.
    fn forget(&mut self, tid: u32) {
        self.0.remove(&tid);
    }
}

/// A phase that begins or ends, where a traced program says so by a look at a path.
pub(super) fn phase(call: &Call) -> Option<Visit> {
    let (what, object) = call.paths.first()?.strip_prefix(PHASES)?.split_once(' ')?;
    let is_known = matches!(what, "begin" | "end");
    is_known.then(|| Visit {
        when: call.when,
        pid: call.pid,
        tid: call.tid,
        comm: call.comm.clone(),
        what: what.to_owned(),
        object: short(object),
        shared: Some(format!("phase {object}")),
        changes: true,
        held_ns: 0,
    })
}

/// A call of which only the place is wanted. `None` where no two come in each other's way, or the caller has gone.
pub(super) fn visit(asked: Asked<'_>, about: About, when: When, owners: &mut Owners) -> Option<Visit> {
    let name = asked.held.name;
    if matches!(name, "set_robust_list" | "execve") {
        owners.forget(asked.tid);
    }
    let arg = |n: u8| asked.args[usize::from(n)];
    let (pid, comm) = owners.of(asked.tid)?;
    let thing = match about {
        About::Itself => Thing::default(),
        About::Program => {
            let program = path(asked, (None, 0))?;
            Thing { object: program.rsplit('/').next().unwrap_or_default().to_owned(), ..Thing::default() }
        }
        About::Signal(signal, whom) => Thing::signal(arg(signal), whom.map_or(pid, |whom| Pid(arg(whom) as u32)))?,
        About::Handler => Thing::signal(arg(0), pid).filter(|_| arg(1) != 0)?,
        About::Futex => Thing::futex(arg(0), arg(1), pid),
        About::Descriptor(deed) => {
            let link = fs::read_link(format!("/proc/{}/fd/{}", asked.tid, arg(0) as i32)).ok()?;
            Thing::descriptor(&link.to_string_lossy(), deed, is_of_system)?
        }
    };
    let Thing { object, shared, changes } = thing;
    let what = if name == "set_robust_list" { "start" } else { name }.to_owned();
    Some(Visit { when, pid, tid: Tid(asked.tid), comm, what, object: short(&object), shared, changes, held_ns: 0 })
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_OBJECT).collect()
}
