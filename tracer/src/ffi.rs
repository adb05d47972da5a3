//! The same for C and all that can call it (feature `ffi`); `include/hangdog.h` has the declarations.
//!
//! Nothing here fails: a null pointer is an empty text, what is no UTF-8 is replaced, a text is cut, a number that
//! is no open phase changes nothing.
#![expect(unsafe_code, reason = "functions that C calls by name, with texts as pointer and length")]

use std::ffi::c_char;
use std::fmt::Write;

use hangdog_flight::{MAX_VALUE, Text};

use crate::{Outcome, numbered};

/// Opens a phase within the one that the calling thread is in, and gives its number; 0 when it is not recorded.
///
/// # Safety
///
/// `name` is null or points to `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hangdog_begin(name: *const c_char, length: usize) -> u64 {
    // SAFETY: the caller says so.
    let name = unsafe { text(name, length) };
    numbered::begin(name.as_str())
}

/// Adds a field with a text to a phase, or gives it another value.
///
/// # Safety
///
/// `key` and `value` each are null or point to as many readable bytes as their length says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hangdog_field(
    phase: u64,
    key: *const c_char,
    key_length: usize,
    value: *const c_char,
    length: usize,
) {
    // SAFETY: the caller says so.
    let key = unsafe { text(key, key_length) };
    // SAFETY: the caller says so.
    let value = unsafe { text(value, length) };
    numbered::field(phase, key.as_str(), value.as_str());
}

/// Adds a field with a number to a phase, or gives it another value.
///
/// # Safety
///
/// `key` is null or points to `key_length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hangdog_field_number(phase: u64, key: *const c_char, key_length: usize, value: i64) {
    // SAFETY: the caller says so.
    let key = unsafe { text(key, key_length) };
    numbered::field(phase, key.as_str(), value);
}

/// The calling thread goes into a phase, until `hangdog_exit`.
#[unsafe(no_mangle)]
pub extern "C" fn hangdog_enter(phase: u64) {
    numbered::enter(phase);
}

/// The calling thread leaves a phase that it entered.
#[unsafe(no_mangle)]
pub extern "C" fn hangdog_exit(phase: u64) {
    numbered::exit(phase);
}

/// Ends a phase, on any thread. `outcome` is one of `HANGDOG_OK`, `HANGDOG_FAILED`, `HANGDOG_CANCELLED`; any other number
/// says nothing.
#[unsafe(no_mangle)]
pub extern "C" fn hangdog_end(phase: u64, outcome: i32) {
    let outcome = match outcome {
        1 => Some(Outcome::Ok),
        2 => Some(Outcome::Failed),
        3 => Some(Outcome::Cancelled),
        _ => None,
    };
    numbered::end(phase, outcome);
}

/// A text of C's, cut.
///
/// # Safety
///
/// `start` is null or points to `length` readable bytes.
unsafe fn text(start: *const c_char, length: usize) -> Text<MAX_VALUE> {
    let mut text = Text::new();
    if start.is_null() || length == 0 {
        return text;
    }
    // One more than fits, so that what is cut gets its mark.
    let length = length.min(MAX_VALUE + 1);
    // SAFETY: not null, so that many bytes can be read, as the caller says; C does not change them during the call.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) };
    for chunk in bytes.utf8_chunks() {
        let _cut = text.write_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            let _cut = text.write_char(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        // SAFETY: a slice of this length.
        let text = unsafe { text(bytes.as_ptr().cast(), bytes.len()) };
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn texts_of_c_are_bounded_and_made_utf_8() {
        check(b"", "");
        check(b"walk", "walk");
        check(b"a\0b", "a\0b");
        check(b"caf\xe9 au lait", "caf\u{fffd} au lait");
        let long = vec![b'x'; MAX_VALUE];
        check(&long, std::str::from_utf8(&long).unwrap());
        // SAFETY: null is allowed with any length.
        assert_eq!(unsafe { text(std::ptr::null(), 7) }.as_str(), "");
    }
}
