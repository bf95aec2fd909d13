/// Returns the authority `text` without an empty port or the scheme's default port (RFC 9110, 4.2.3).
///
/// Returns None if `text` is not a host with an optional port: if it contains a user, a path or white
/// space, or if its port is not a number or has leading zeros.
///
/// A host that ends with a dot is another host, because servers may tell the two apart.
pub(crate) fn authority<'a>(scheme: &str, text: &'a str) -> Option<&'a str> {
    if text.len() > 255 || !text.bytes().all(|byte| MAY_BE_IN_HOST[usize::from(byte)]) {
        return None;
    }
    let end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(end);
    if host.is_empty() {
        return None;
    }
    let Some(port) = rest.strip_prefix(':') else {
        return rest.is_empty().then_some(host);
    };
    if port.is_empty() || Some(port) == default_port(scheme) {
        return Some(host);
    }
    let is_plain = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && !port.starts_with('0')).then_some(text)
}

fn default_port(scheme: &str) -> Option<&'static str> {
    if scheme.eq_ignore_ascii_case("http") {
        Some("80")
    } else if scheme.eq_ignore_ascii_case("https") {
        Some("443")
    } else {
        None
    }
}

/// Which bytes a host may contain.
const MAY_BE_IN_HOST: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        may[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b".-_~:[]%!$&'()*+,;=";
    let mut at = 0;
    while at < marks.len() {
        may[marks[at] as usize] = true;
        at += 1;
    }
    may
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_or_empty_port_is_removed() {
        for (scheme, text, expected) in [
            ("http", "a.example", "a.example"),
            ("http", "a.example:80", "a.example"),
            ("HTTP", "a.example:80", "a.example"),
            ("https", "a.example:443", "a.example"),
            ("http", "a.example:", "a.example"),
            ("http", "a.example:443", "a.example:443"),
            ("https", "a.example:80", "a.example:80"),
            ("http", "a.example:8080", "a.example:8080"),
            ("http", "[::1]:80", "[::1]"),
            ("https", "[::1]", "[::1]"),
            ("http", "[::1]:8080", "[::1]:8080"),
            ("http", "a.example.", "a.example."),
        ] {
            assert_eq!(authority(scheme, text), Some(expected), "{scheme} {text}");
        }
    }

    #[test]
    fn a_host_has_at_most_255_bytes() {
        let host = "a".repeat(255);
        assert_eq!(authority("http", &host), Some(&*host));
        assert_eq!(authority("http", &format!("{host}a")), None);
    }

    #[test]
    fn text_that_is_not_a_host_with_a_port_is_refused() {
        for text in [
            "", ":", ":80", "a b", "a/b", "u@a", "a:b", "a:080", "a:0", "a:800000", "a:80:80",
            "::1", "[::1", "[::1]80", "a:-1", "a:+80",
        ] {
            assert_eq!(authority("http", text), None, "{text}");
        }
    }
}
