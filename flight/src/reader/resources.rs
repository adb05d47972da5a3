//! Traced locks and the like: their keys, and phases that say who holds one alone.

use super::checked::Layout;
use super::names::Names;
use super::{ReadError, Reader, some};
use crate::clock::Anchors;
use crate::layout::{resource, slot};
use crate::resource::{Key, Primitive, Role};
use crate::{Hang, OpenPhase};

/// The entries of a file, copied before the slots and after them. An entry that is used again in between is
/// another lock: a phase that named it then must not be said to wait for this one.
pub(super) struct Resources {
    first: Vec<u64>,
    second: Vec<u64>,
    names: Vec<String>,
}

impl Resources {
    pub(super) fn copy(reader: &Reader, layout: &Layout) -> Result<Vec<u64>, ReadError> {
        reader.words(layout.resources.offset, layout.resources.count * resource::WORDS)
    }

    pub(super) fn of(first: Vec<u64>, second: Vec<u64>, names: &Names) -> Self {
        let name =
            |words: &[u64]| if is_used(words) { names.get(words[resource::NAME] as u16) } else { String::new() };
        let names = first.chunks_exact(resource::WORDS).map(name).collect();
        Self { first, second, names }
    }

    fn entries(&self) -> impl Iterator<Item = (usize, &[u64], &[u64])> {
        let pairs = self.first.chunks_exact(resource::WORDS).zip(self.second.chunks_exact(resource::WORDS));
        pairs.enumerate().map(|(index, (one, two))| (index, one, two))
    }

    /// Key and kind of a resource, for a phase in that role.
    pub(super) fn key(&self, index: u64, role: Role) -> Option<(String, Primitive)> {
        let index = usize::try_from(index).ok()?;
        let [words, later] = [&self.first, &self.second]
            .map(|copy| copy.get(index.checked_mul(resource::WORDS)?..)?.get(..resource::WORDS));
        let words =
            words.filter(|words| later.is_some_and(|later| words[..=resource::NAME] == later[..=resource::NAME]))?;
        let primitive = primitive(words)?;
        let which = (words[resource::NAME] >> 32) as u32;
        Some((Key { primitive, name: &self.names[index], which, role }.to_string(), primitive))
    }

    /// Changes whenever one of them is taken.
    pub(super) fn beats(&self) -> u64 {
        self.entries().fold(0, |sum: u64, (_, words, _)| sum.wrapping_add(words[resource::COUNT]))
    }

    /// Who holds one alone, as phases. One that changed hands meanwhile is nobody's for this look.
    pub(super) fn holds(&self, anchors: &Anchors) -> Vec<OpenPhase> {
        let held = self.entries().filter(|(_, one, two)| is_held(one, two));
        held.filter_map(|(index, words, _)| {
            let (key, primitive) = self.key(index as u64, Role::Hold)?;
            let (start_monotonic_ns, err_ns) = anchors.tell(words[resource::SINCE]);
            let name = key.split_once(':').map_or(key.as_str(), |(_, name)| name);
            Some(OpenPhase {
                id: resource::hold(index, words[resource::COUNT]),
                parent: some(words[resource::PHASE]),
                tid: (words[resource::HOLDER] & slot::TID_MASK) as u32,
                task: some(words[resource::HOLDER] >> slot::TID_BITS),
                name: format!("holds {name}"),
                start_monotonic_ns,
                err_ns,
                fields: Vec::new(),
                hang: Hang {
                    primitive: Some(primitive.word(Role::Hold)),
                    hold: Some(key.clone()),
                    ..Hang::default()
                },
                polls: 0,
                polled_now: false,
                left_monotonic_ns: None,
                outcome: None,
            })
        })
        .collect()
    }
}

/// By one and the same all the time between the two copies.
pub(super) fn is_held(one: &[u64], two: &[u64]) -> bool {
    one == two && is_used(one) && one[resource::HOLDER] != 0
}

fn is_used(words: &[u64]) -> bool {
    words[resource::COMMIT] & 3 == resource::USED
}

fn primitive(words: &[u64]) -> Option<Primitive> {
    Primitive::from_number(words[resource::COMMIT] >> 2 & 0xff).filter(|_| is_used(words))
}
