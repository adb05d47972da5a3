//! The tokio task that a thread polls.

use std::hash::{Hash, Hasher};

/// The task that the calling thread polls; 0 for none.
#[inline]
pub(crate) fn task_of_thread() -> u64 {
    let Some(task) = tokio::task::try_id() else { return 0 };
    super::runtime::in_task();
    number(task)
}

/// The number of a task. `Id` shows it by `Display`, which takes longer than a poll; its `Hash` is that one number.
fn number(id: tokio::task::Id) -> u64 {
    let mut hasher = TheNumber(0);
    id.hash(&mut hasher);
    hasher.0
}

struct TheNumber(u64);

impl Hasher for TheNumber {
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not the number, but still the same one for the same task.
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_one_that_tokio_shows() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..3 {
            let id = runtime.block_on(async { tokio::spawn(async { tokio::task::id() }).await.unwrap() });
            assert_eq!(number(id).to_string(), id.to_string());
        }
    }
}
