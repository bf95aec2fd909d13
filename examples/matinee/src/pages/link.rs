use std::fmt::Write;

/// Returns the address of a catalogue page, without its default parts.
pub(crate) fn catalogue(q: &str, genre: Option<&str>, page: u32) -> String {
    let mut link = String::from("/");
    let page = if page > 1 {
        page.to_string()
    } else {
        String::new()
    };
    for (name, value) in [
        ("q", q),
        ("genre", genre.unwrap_or_default()),
        ("page", &page),
    ] {
        if !value.is_empty() {
            link.push(if link.len() == 1 { '?' } else { '&' });
            link.push_str(name);
            link.push('=');
            escape(value, &mut link);
        }
    }
    link
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn escape(text: &str, link: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            link.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(link, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_only_what_differs_from_the_first_page() {
        assert_eq!(catalogue("", None, 1), "/");
        assert_eq!(catalogue("a&b=é", None, 1), "/?q=a%26b%3D%C3%A9");
        assert_eq!(
            catalogue("", Some("Black Comedy"), 3),
            "/?genre=Black%20Comedy&page=3"
        );
    }
}
