//! Text from others, made harmless for people to read.

/// Escapes every character that a terminal could interpret, or that is not visible.
///
/// Control characters, and those that turn the direction of text, are written as `\n` or `\u{202e}`. Signs that
/// HTML interprets stay as they are.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '"' | '\'' => escaped.push(sign),
            sign => escaped.extend(sign.escape_debug()),
        }
    }
    escaped
}

/// Escapes bytes that may not be text, as [`escape`] does.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks().map(|chunk| {
        let invalid = chunk.invalid().iter();
        let invalid = invalid.map(|byte| format!(r"\x{byte:02x}"));
        escape(chunk.valid()) + &invalid.collect::<String>()
    });
    chunks.collect()
}

/// Shortens text that is longer than `widest` characters, and adds how long it was.
pub fn shorten(text: &str, widest: usize) -> String {
    let length = text.chars().count();
    if length <= widest {
        return text.to_owned();
    }
    let start: String = text.chars().take(widest.saturating_sub(20)).collect();
    format!("{start}… ({length} characters)")
}

/// Writes a number with the singular or plural of what is counted: `1 job`, `2 jobs`.
pub fn of(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Writes a number of bytes for people.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut rest, mut unit) = (bytes, 0);
    while rest >= 1024.0 && unit + 1 < UNITS.len() {
        (rest, unit) = (rest / 1024.0, unit + 1);
    }
    match unit {
        0 => format!("{rest:.0} B"),
        _ => format!("{rest:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_escaped_text_moves_the_cursor_or_turns_the_text() {
        let hostile = "a\n\u{1b}[2J\u{202e}\u{9b}31m\r\0\\";
        assert_eq!(escape(hostile), r"a\n\u{1b}[2J\u{202e}\u{9b}31m\r\0\\");
        assert_eq!(escape("it's \"ü\" 日本"), "it's \"ü\" 日本");
        assert_eq!(escape_bytes(b"\xffa\x1b[m"), r"\xffa\u{1b}[m");
    }

    #[test]
    fn long_text_is_cut_and_says_its_length() {
        let short = shorten(&"x".repeat(10_240), 120);
        assert!(short.chars().count() <= 125, "{short}");
        assert!(short.ends_with("(10240 characters)"), "{short}");
        assert_eq!(shorten("x", 120), "x");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(bytes(17.0), "17 B");
        assert_eq!(bytes(1_572_864.0), "1.5 MiB");
        assert_eq!(of(1, "job", "jobs"), "1 job");
        assert_eq!(of(0, "job", "jobs"), "0 jobs");
    }
}
