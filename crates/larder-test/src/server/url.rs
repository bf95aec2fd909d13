//! Parts of a URL.

use std::fmt::Write as _;

/// `text` with every byte that a URL gives a meaning written as `%XX`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(escape("aZ9-._~"), "aZ9-._~");
        assert_eq!(escape("p@ss/w:rd#é"), "p%40ss%2Fw%3Ard%23%C3%A9");
    }
}
