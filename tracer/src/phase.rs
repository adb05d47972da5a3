//! Phases without a subscriber: the [`phase!`](crate::phase!) and [`open_phase!`](crate::open_phase!) macros and what
//! they make.
#![expect(clippy::inline_always, reason = "in one piece a phase costs a quarter of what it costs as calls: measured")]

use std::marker::PhantomData;

use hangdog_flight::{Before, Here, Opening, OpeningHere, Outcome, PhaseId, Room, Site, Value};

use crate::AsValue;

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
///
/// The guard stays on its thread. For a phase that goes to another thread or into a future, use
/// [`open_phase!`](crate::open_phase!).
#[macro_export]
macro_rules! phase {
    ($name:expr $(, $($fields:tt)*)?) => {
        $crate::__phase!(@fields $crate::__begin_here, $name, [] [] $($($fields)*)?)
    };
}

/// Opens a phase without going into it: for a future, or for another thread. It ends when the guard is dropped,
/// anywhere. The fields are those of [`phase!`](crate::phase!).
///
/// ```
/// use hangdog_tracer::{InPhaseExt, open_phase};
///
/// async fn ask() -> u16 {
///     async { 200 }.in_phase(open_phase!("POST /new", hang.wait = "http:127.0.0.1:8080")).await
/// }
/// ```
#[macro_export]
macro_rules! open_phase {
    ($name:expr $(, $($fields:tt)*)?) => {
        $crate::__phase!(@fields $crate::__begin, $name, [] [] $($($fields)*)?)
    };
}

/// Fields one after the other: `[keys] [values]`, then a `static` site and the values, which are all there before the
/// phase begins: an expression that panics leaves nothing behind.
#[doc(hidden)]
#[macro_export]
macro_rules! __phase {
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*] $(,)?) => {{
        static NUMBER: $crate::SiteNumber = $crate::SiteNumber::new();
        static SITE: $crate::Site = $crate::Site::new($name, &[$($keys),*], &NUMBER);
        $begin(&SITE, &$crate::__phase!(@values $($values,)*))
    }};
    (@values) => { () };
    (@values $value:expr, $($rest:expr,)*) => { (&$value, $crate::__phase!(@values $($rest,)*)) };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*] ? $key:ident $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::stringify!($key),]
            [$($values,)* $crate::Formatted::of(::core::format_args!("{:?}", $key)),]
            $($($rest)*)?)
    };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*] % $key:ident $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::stringify!($key),]
            [$($values,)* $crate::Formatted::of(::core::format_args!("{}", $key)),]
            $($($rest)*)?)
    };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*]
        $first:ident $(. $key:ident)* = ? $value:expr $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),]
            [$($values,)* $crate::Formatted::of(::core::format_args!("{:?}", $value)),]
            $($($rest)*)?)
    };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*]
        $first:ident $(. $key:ident)* = % $value:expr $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),]
            [$($values,)* $crate::Formatted::of(::core::format_args!("{}", $value)),]
            $($($rest)*)?)
    };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*]
        $first:ident $(. $key:ident)* = $value:expr $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($key))*),]
            [$($values,)* $value,]
            $($($rest)*)?)
    };
    (@fields $begin:path, $name:expr, [$($keys:expr,)*] [$($values:expr,)*] $key:ident $(, $($rest:tt)*)?) => {
        $crate::__phase!(@fields $begin, $name,
            [$($keys,)* ::core::stringify!($key),]
            [$($values,)* $key,]
            $($($rest)*)?)
    };
}

/// The values of a phase's fields, one after the other. What [`phase!`](crate::phase!) hands over.
pub trait Values {
    /// The same as the recorder takes them.
    type Taken<'a>: Values
    where
        Self: 'a;

    /// Whether all of them fit into the slot of a phase of that site, when the first of them is its n-th.
    fn fit(&self, at: usize, room: Room) -> bool;

    /// Gives each with its place.
    fn each(&self, at: usize, to: &mut impl Take);

    /// Where a function that is not inlined is to have them: made for it there, so that on the usual way the program's
    /// own variables stay in registers. 0.6 ns a phase.
    fn taken(&self) -> Self::Taken<'_>;
}

/// What takes the values.
pub trait Take {
    /// The value of the n-th key.
    fn take(&mut self, at: usize, value: Value<'_>);
}

impl Take for OpeningHere {
    #[inline(always)]
    fn take(&mut self, at: usize, value: Value<'_>) {
        self.value(at, value);
    }
}

impl Take for Opening {
    #[inline(always)]
    fn take(&mut self, at: usize, value: Value<'_>) {
        self.value(at, value);
    }
}

impl Values for () {
    type Taken<'a> = ();

    #[inline(always)]
    fn fit(&self, _at: usize, _room: Room) -> bool {
        true
    }

    #[inline(always)]
    fn each(&self, _at: usize, _to: &mut impl Take) {}

    #[inline(always)]
    fn taken(&self) {}
}

impl<First: AsValue + ?Sized, Rest: Values> Values for (&First, Rest) {
    type Taken<'a>
        = (Value<'a>, Rest::Taken<'a>)
    where
        Self: 'a;

    #[inline(always)]
    fn fit(&self, at: usize, mut room: Room) -> bool {
        room.takes(at, &self.0.as_value()) && self.1.fit(at + 1, room)
    }

    #[inline(always)]
    fn each(&self, at: usize, to: &mut impl Take) {
        to.take(at, self.0.as_value());
        self.1.each(at + 1, to);
    }

    #[inline(always)]
    fn taken(&self) -> Self::Taken<'_> {
        (self.0.as_value(), self.1.taken())
    }
}

impl<Rest: Values> Values for (Value<'_>, Rest) {
    type Taken<'a>
        = (Value<'a>, Rest::Taken<'a>)
    where
        Self: 'a;

    #[inline(always)]
    fn fit(&self, at: usize, mut room: Room) -> bool {
        room.takes(at, &self.0) && self.1.fit(at + 1, room)
    }

    #[inline(always)]
    fn each(&self, at: usize, to: &mut impl Take) {
        // Kind by kind: as a whole it would be copied by loads that are wider than the stores just now, and wait for
        // them.
        match self.0 {
            Value::Text(text) => to.take(at, Value::Text(text)),
            Value::U64(number) => to.take(at, Value::U64(number)),
            other => to.take(at, other),
        }
        self.1.each(at + 1, to);
    }

    #[inline(always)]
    fn taken(&self) -> Self::Taken<'_> {
        (self.0, self.1.taken())
    }
}

#[doc(hidden)]
#[inline(always)]
pub fn __begin_here(site: &'static Site, values: &impl Values) -> Entered {
    // Asked before: so no value is found to be too long on the way, and all that is known of the fields when this is
    // compiled is a constant.
    if values.fit(0, Room::of(site))
        && let Some(mut opening) = hangdog_flight::begin_here_quickly(site)
    {
        values.each(0, &mut opening);
        return Entered { here: opening.enter_quickly() };
    }
    begin_here_anyway(site, &values.taken())
}

/// Not the usual case: a function of its own, so that the usual one stays short.
#[inline(never)]
fn begin_here_anyway(site: &'static Site, values: &impl Values) -> Entered {
    let Some(mut opening) = hangdog_flight::begin_here(site) else { return Entered { here: Here::NONE } };
    values.each(0, &mut opening);
    Entered { here: opening.enter() }
}

#[doc(hidden)]
#[inline(always)]
pub fn __begin(site: &'static Site, values: &impl Values) -> Phase {
    if values.fit(0, Room::of(site))
        && let Some(mut opening) = hangdog_flight::begin_quickly(site)
    {
        values.each(0, &mut opening);
        return Phase { id: Some(opening.publish()) };
    }
    begin_anyway(site, &values.taken())
}

#[inline(never)]
fn begin_anyway(site: &'static Site, values: &impl Values) -> Phase {
    let Some(mut opening) = hangdog_flight::begin(site) else { return Phase { id: None } };
    values.each(0, &mut opening);
    Phase { id: Some(opening.publish()) }
}

/// The async task that the calling thread polls, 0 for none.
#[inline]
pub(crate) fn task() -> u64 {
    #[cfg(feature = "tokio")]
    let task = crate::tokio::task_of_thread();
    #[cfg(not(feature = "tokio"))]
    let task = 0;
    task
}

/// An open phase, ended when it is dropped. May go from thread to thread.
///
/// The default is no phase: all that is done with it does nothing.
#[derive(Debug, Default)]
#[must_use = "a phase ends when it is dropped"]
pub struct Phase {
    id: Option<PhaseId>,
}

impl Phase {
    /// Goes into it until the guard is dropped, which also ends it.
    pub fn entered(self) -> Inside {
        if let Some(phase) = self.id {
            hangdog_flight::enter(phase, task);
        }
        Inside { phase: self, not_send: PhantomData }
    }

    /// Adds a field, or gives it another value.
    pub fn record(&self, key: &'static str, value: impl AsValue) {
        if let Some(phase) = self.id {
            hangdog_flight::field(phase, key, value.as_value());
        }
    }

    /// Says how it ends. A phase through which a panic goes, or a future that is dropped before its end, says so
    /// by itself.
    pub fn outcome(&self, outcome: Outcome) {
        if let Some(phase) = self.id {
            hangdog_flight::outcome(phase, outcome);
        }
    }

    /// Its number in the recorder, if there is one.
    pub fn id(&self) -> Option<PhaseId> {
        self.id
    }

    #[inline]
    pub(crate) fn resume(&self) -> Before {
        self.id.map_or_else(Before::default, |phase| hangdog_flight::resume(phase, task))
    }

    pub(crate) fn presume(&self, outcome: Outcome) {
        if let Some(phase) = self.id {
            hangdog_flight::presume(phase, outcome);
        }
    }
}

impl Drop for Phase {
    #[inline]
    fn drop(&mut self) {
        if let Some(phase) = self.id {
            hangdog_flight::close(phase);
        }
    }
}

/// A phase that this thread is in, of [`Phase::entered`]. Leaves and ends it when dropped.
#[derive(Debug)]
#[must_use = "a phase ends when its guard is dropped: bind it"]
pub struct Inside {
    phase: Phase,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

impl std::ops::Deref for Inside {
    type Target = Phase;

    fn deref(&self) -> &Phase {
        &self.phase
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(phase) = self.phase.id {
            hangdog_flight::exit(phase);
        }
    }
}

/// A phase that this thread is in, of [`phase!`](crate::phase!). Leaves and ends it when dropped.
#[derive(Debug)]
#[must_use = "a phase ends when its guard is dropped: bind it, as in `let _phase = phase!(…);`"]
pub struct Entered {
    here: Here,
}

impl Entered {
    /// Adds a field, or gives it another value.
    pub fn record(&self, key: &'static str, value: impl AsValue) {
        if let Some(phase) = self.here.id() {
            hangdog_flight::field(phase, key, value.as_value());
        }
    }

    /// Says how it ends.
    pub fn outcome(&self, outcome: Outcome) {
        if let Some(phase) = self.here.id() {
            hangdog_flight::outcome(phase, outcome);
        }
    }

    /// Its number in the recorder, if there is one.
    pub fn id(&self) -> Option<PhaseId> {
        self.here.id()
    }
}
