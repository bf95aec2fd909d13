//! Integers within 2^53, as records store them on Redis: in decimal, each in exactly one form.

use larder_store::program::MAX_INT;
use larder_store::{Error, ErrorKind, Result};

/// The Lua function `int(text)`, which reads what [`int`] reads.
macro_rules! int_lua {
    () => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lua/int.lua"))
    };
}
pub(crate) use int_lua;

/// Reads an integer. None for text that no structure writes.
pub(crate) fn int(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    let is_ours = number.unsigned_abs() <= MAX_INT.unsigned_abs();
    (is_ours && number.to_string() == text).then_some(number)
}

/// Adds within 2^53. None if the sum is past it.
pub(crate) fn add(one: i64, other: i64) -> Option<i64> {
    let sum = one.checked_add(other)?;
    (sum.unsigned_abs() <= MAX_INT.unsigned_abs()).then_some(sum)
}

/// Refuses a number past 2^53 before anything is sent.
///
/// # Errors
/// [`ErrorKind::Invalid`].
pub(crate) fn check(operation: &'static str, what: &str, number: i64) -> Result<()> {
    if number.unsigned_abs() <= MAX_INT.unsigned_abs() {
        return Ok(());
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        format!("{what} must be within 2^53 (9007199254740992)"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_integer_as_it_is_written_here_is_read() {
        for (text, number) in [
            ("0", 0),
            ("-7", -7),
            ("9007199254740992", MAX_INT),
            ("-9007199254740992", -MAX_INT),
        ] {
            assert_eq!(int(text.as_bytes()), Some(number));
        }
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            "1.0",
            "1e3",
            "0x10",
            "nan",
            "9007199254740993",
        ] {
            assert_eq!(int(text.as_bytes()), None, "{text}");
        }
    }
}
