//! What is one for each thread, while the threads are those of a model: these share a real one.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Values by run and by thread of the model.
pub(crate) type All<T> = RefCell<Vec<((u64, Option<loom::thread::ThreadId>), T)>>;

/// A thread-local of threads of a model, with the methods of the standard library's.
pub(crate) struct Local<T: 'static>(pub(crate) &'static LocalKey<All<T>>);

impl<T: Copy + Default> Local<T> {
    pub(crate) fn replace(&self, new: T) -> T {
        let run = super::words::run();
        let me = (run, (run != 0).then(|| loom::thread::current().id()));
        self.0.with_borrow_mut(|all| {
            all.retain(|((its, _), _)| *its == run);
            match all.iter_mut().find(|(whose, _)| *whose == me) {
                Some((_, value)) => std::mem::replace(value, new),
                None => {
                    all.push((me, new));
                    T::default()
                }
            }
        })
    }

    pub(crate) fn get(&self) -> T {
        let value = self.replace(T::default());
        self.replace(value);
        value
    }

    pub(crate) fn set(&self, new: T) {
        self.replace(new);
    }

    pub(crate) fn take(&self) -> T {
        self.replace(T::default())
    }
}

/// Thread-locals that begin with their type's default.
macro_rules! locals {
    ($(static $name:ident: $of:ty;)*) => {
        $(static $name: crate::model::local::Local<$of> = {
            std::thread_local! {
                static ALL: crate::model::local::All<$of> = const { std::cell::RefCell::new(Vec::new()) };
            }
            crate::model::local::Local(&ALL)
        };)*
    };
}
pub(crate) use locals;
