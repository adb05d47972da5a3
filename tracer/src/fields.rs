//! Values of fields on their way into the recorder: of bounded length, without a heap.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use hangdog_flight::{MAX_VALUE, OpeningFields, PhaseId, Text, Value};
use tracing::field::{Field, Visit};

/// What can be the value of a field of [`phase!`](crate::phase!).
pub trait AsValue {
    /// As the recorder takes it.
    fn as_value(&self) -> Value<'_>;
}

macro_rules! as_value {
    ($($kind:ident: $($of:ty)*;)*) => {$($(
        impl AsValue for $of {
            #[inline]
            fn as_value(&self) -> Value<'_> {
                Value::$kind((*self).into())
            }
        }
    )*)*};
}

as_value! {
    U64: u8 u16 u32 u64;
    I64: i8 i16 i32 i64;
    F64: f32 f64;
    Bool: bool;
}

impl AsValue for usize {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::U64(*self as u64)
    }
}

impl AsValue for isize {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::I64(*self as i64)
    }
}

impl AsValue for str {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl AsValue for String {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl<T: AsValue + ?Sized> AsValue for &T {
    #[inline]
    fn as_value(&self) -> Value<'_> {
        (**self).as_value()
    }
}

/// A `Debug` or `Display` output as a field of [`phase!`](crate::phase!), cut.
pub struct Formatted(Text<MAX_VALUE>);

impl Formatted {
    /// Formats, into memory of its own.
    pub fn of(arguments: fmt::Arguments<'_>) -> Self {
        Self(formatted(arguments))
    }
}

impl AsValue for Formatted {
    fn as_value(&self) -> Value<'_> {
        Value::Text(self.0.as_str())
    }
}

/// A `Debug` or `Display` output, cut. It is the program's own code, so a panic in it ends here.
pub(crate) fn formatted(arguments: fmt::Arguments<'_>) -> Text<MAX_VALUE> {
    let mut text = Text::new();
    let written = catch_unwind(AssertUnwindSafe(|| text.write_fmt(arguments)));
    if written.is_err() {
        text = Text::of("(its Debug output panicked)");
    }
    text
}

/// Takes the fields of a span into a phase that does not show yet.
pub(crate) struct NewFields(pub(crate) OpeningFields);

/// Takes later values into an open one.
pub(crate) struct LaterFields(pub(crate) PhaseId);

impl NewFields {
    #[expect(
        clippy::inline_always,
        reason = "in each of the functions below the kind of the value is known: 4 ns a span"
    )]
    #[inline(always)]
    fn put(&mut self, field: &Field, value: Value<'_>) {
        self.0.value(field.index(), value);
    }
}

impl LaterFields {
    fn put(&mut self, field: &Field, value: Value<'_>) {
        hangdog_flight::field(self.0, field.name(), value);
    }
}

macro_rules! visit {
    ($($fields:ty)*) => {$(
        impl Visit for $fields {
            fn record_f64(&mut self, field: &Field, value: f64) {
                self.put(field, Value::F64(value));
            }

            fn record_i64(&mut self, field: &Field, value: i64) {
                self.put(field, Value::I64(value));
            }

            fn record_u64(&mut self, field: &Field, value: u64) {
                self.put(field, Value::U64(value));
            }

            fn record_bool(&mut self, field: &Field, value: bool) {
                self.put(field, Value::Bool(value));
            }

            fn record_str(&mut self, field: &Field, value: &str) {
                self.put(field, Value::Text(value));
            }

            fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
                self.put(field, Value::Text(formatted(format_args!("{value}")).as_str()));
            }

            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.put(field, Value::Text(formatted(format_args!("{value:?}")).as_str()));
            }
        }
    )*};
}

visit!(NewFields LaterFields);

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl fmt::Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose, in a Debug output")
        }
    }

    #[test]
    fn output_of_the_program_is_cut_and_its_panics_end_here() {
        assert!(formatted(format_args!("{:?}", vec![7; 1000])).as_str().ends_with('…'));
        assert_eq!(formatted(format_args!("{Panics:?}")).as_str(), "(its Debug output panicked)");
    }
}
