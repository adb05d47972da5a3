//! Phases without a subscriber: the [`phase!`](crate::phase!) macro and what it makes.

use std::fmt;
use std::marker::PhantomData;

use hangdog_flight::{Opening, Outcome, PhaseId, Recorder, Value};

use crate::AsValue;
use crate::fields::formatted;

/// Opens a phase and goes into it, until the guard is dropped. Needs no subscriber.
///
/// The name is a constant text. Fields are `key = value`, with numbers, truth values and texts; `?value` takes
/// its `Debug` output and `%value` its `Display` output. Keys may have dots, for `hang.*` too.
///
/// ```
/// use hangdog_tracer::phase;
///
/// fn lock_index(path: &std::path::Path) {
///     let phase = phase!("lock index", hang.wait = "lock:index", ?path, attempt = 1);
///     // … and what becomes known only now:
///     phase.record("hang.hold", "lock:index");
/// }
/// # lock_index("/x".as_ref());
/// ```
#[macro_export]
macro_rules! phase {
    (@draft $draft:ident, $(,)?) => { $draft.open().entered() };
    (@draft $draft:ident, ? $key:ident $(, $($rest:tt)*)?) => {{
        let $draft = $draft.format(::core::stringify!($key), ::core::format_args!("{:?}", $key));
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    (@draft $draft:ident, % $key:ident $(, $($rest:tt)*)?) => {{
        let $draft = $draft.format(::core::stringify!($key), ::core::format_args!("{}", $key));
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    (@draft $draft:ident, $first:ident $(. $key:ident)* = ? $value:expr $(, $($rest:tt)*)?) => {{
        let $draft = $draft.format(
            ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),
            ::core::format_args!("{:?}", $value),
        );
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    (@draft $draft:ident, $first:ident $(. $key:ident)* = % $value:expr $(, $($rest:tt)*)?) => {{
        let $draft = $draft.format(
            ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),
            ::core::format_args!("{}", $value),
        );
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    (@draft $draft:ident, $first:ident $(. $key:ident)* = $value:expr $(, $($rest:tt)*)?) => {{
        let $draft = $draft.field(
            ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),
            &$value,
        );
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    (@draft $draft:ident, $key:ident $(, $($rest:tt)*)?) => {{
        let $draft = $draft.field(::core::stringify!($key), &$key);
        $crate::phase!(@draft $draft, $($($rest)*)?)
    }};
    ($name:expr $(, $($fields:tt)*)?) => {{
        const NAME: &::core::primitive::str = $name;
        let draft = $crate::Draft::new(NAME);
        $crate::phase!(@draft draft, $($($fields)*)?)
    }};
}

/// A phase that is being filled with fields. What [`phase!`](crate::phase!) is made of.
#[must_use = "a phase shows once it is opened"]
pub struct Draft {
    opening: Option<(&'static Recorder, Opening)>,
}

impl Draft {
    /// A phase within the one that this thread is in.
    pub fn new(name: &'static str) -> Self {
        let opening = hangdog_flight::current()
            .and_then(|recorder| Some((recorder, recorder.begin(recorder.name(name), recorder.current())?)));
        Self { opening }
    }

    /// Adds a field.
    pub fn field(mut self, key: &'static str, value: &(impl AsValue + ?Sized)) -> Self {
        if let Some((recorder, opening)) = &mut self.opening {
            opening.field(recorder.name(key), value.as_value());
        }
        self
    }

    /// Adds a field as text, cut if it is long.
    pub fn format(mut self, key: &'static str, value: fmt::Arguments<'_>) -> Self {
        if let Some((recorder, opening)) = &mut self.opening {
            opening.field(recorder.name(key), Value::Text(formatted(value).as_str()));
        }
        self
    }

    /// Opens the phase.
    pub fn open(self) -> Phase {
        Phase { at: self.opening.map(|(recorder, opening)| (recorder, opening.publish())) }
    }
}

/// An open phase, ended when it is dropped. May go from thread to thread.
///
/// The default is no phase: all that is done with it does nothing.
#[derive(Debug, Default)]
#[must_use = "a phase ends when it is dropped"]
pub struct Phase {
    at: Option<(&'static Recorder, PhaseId)>,
}

impl Phase {
    /// Goes into it until the guard is dropped.
    pub fn entered(self) -> Entered {
        self.enter();
        Entered { phase: self, not_send: PhantomData }
    }

    /// Adds a field, or gives it another value.
    pub fn record(&self, key: &'static str, value: impl AsValue) {
        if let Some((recorder, phase)) = self.at {
            recorder.field(phase, recorder.name(key), value.as_value());
        }
    }

    /// Says how it ends. A phase through which a panic goes, or a future that is dropped before its end, says so
    /// by itself.
    pub fn outcome(&self, outcome: Outcome) {
        if let Some((recorder, phase)) = self.at {
            recorder.outcome(phase, outcome);
        }
    }

    pub(crate) fn presume(&self, outcome: Outcome) {
        if let Some((recorder, phase)) = self.at {
            recorder.presume(phase, outcome);
        }
    }

    pub(crate) fn enter(&self) {
        if let Some((recorder, phase)) = self.at {
            crate::layer::enter(recorder, phase);
        }
    }

    pub(crate) fn exit(&self) {
        if let Some((recorder, phase)) = self.at {
            recorder.exit(phase);
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some((recorder, phase)) = self.at {
            recorder.close(phase);
        }
    }
}

/// A phase that this thread is in. Leaves and ends it when dropped.
#[derive(Debug)]
#[must_use = "a phase ends when its guard is dropped: bind it, as in `let _phase = phase!(…);`"]
pub struct Entered {
    phase: Phase,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

impl std::ops::Deref for Entered {
    type Target = Phase;

    fn deref(&self) -> &Phase {
        &self.phase
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.phase.exit();
    }
}

/// Leaves the phase without ending it: to give it to a future or to another thread.
impl From<Entered> for Phase {
    fn from(mut entered: Entered) -> Self {
        entered.phase.exit();
        std::mem::take(&mut entered.phase)
    }
}
