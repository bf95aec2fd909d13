/// The authority of a URI with this scheme, without its port where that is empty or the scheme's
/// own (RFC 9110, 4.2.3). None if `text` is not a host with or without a port: a user, a path, white
/// space, a port that is not a number or has leading zeros.
///
/// A host with a dot at its end is another host: it is written otherwise, and servers may tell the
/// two apart.
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

/// Which bytes may stand in a host.
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
    fn the_default_port_and_an_empty_one_are_left_out() {
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
    fn what_is_not_a_host_with_a_port_is_none() {
        for text in [
            "", ":", ":80", "a b", "a/b", "u@a", "a:b", "a:080", "a:0", "a:800000", "a:80:80",
            "::1", "[::1", "[::1]80", "a:-1", "a:+80",
        ] {
            assert_eq!(authority("http", text), None, "{text}");
        }
    }
}
