//! `Forwarded` (RFC 7239): elements separated by commas, the nearest last. An element is `name=value`
//! pairs separated by semicolons, and a value is a token or a quoted string.

use std::net::IpAddr;

use super::node;

/// Returns the sender's address of each element of a line, from the right, if the element has one.
///
/// Quotes are matched from the right too. The nearest elements are written by the proxies and well
/// formed, so a quote that a client left open, further left, cannot swallow them.
pub(super) fn nodes(line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    Elements { rest: Some(line) }
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
        .map(sent_from)
}

/// The elements of a line, from the right.
struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        match last_unquoted(rest, b',') {
            Some(comma) => {
                self.rest = Some(&rest[..comma]);
                Some(&rest[comma + 1..])
            }
            None => Some(rest),
        }
    }
}

/// Finds the last `separator` outside quotes, read from the right.
fn last_unquoted(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    let mut at = text.len();
    while at > 0 {
        at -= 1;
        match text[at] {
            b'"' => {
                let escapes = text[..at]
                    .iter()
                    .rev()
                    .take_while(|byte| **byte == b'\\')
                    .count();
                // A quote after an odd number of backslashes is a character of the string.
                quoted ^= escapes % 2 == 0;
                at -= escapes;
            }
            byte if byte == separator && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns the address in an element's one `for`.
fn sent_from(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(pairs) = rest {
        let (before, pair) = match last_unquoted(pairs, b';') {
            Some(at) => (Some(&pairs[..at]), &pairs[at + 1..]),
            None => (None, pairs),
        };
        rest = before;
        let equals = pair.iter().position(|byte| *byte == b'=');
        let Some((name, value)) = equals.map(|at| (&pair[..at], &pair[at + 1..])) else {
            continue;
        };
        if name.trim_ascii().eq_ignore_ascii_case(b"for") {
            if found.is_some() {
                // Twice is malformed, and neither can be believed.
                return None;
            }
            found = Some(value.trim_ascii());
        }
    }
    value_address(found?)
}

/// Returns the address in a token or a quoted string.
fn value_address(value: &[u8]) -> Option<IpAddr> {
    let Some(open) = value.strip_prefix(b"\"") else {
        return node::address(value);
    };
    let inside = open.strip_suffix(b"\"")?;
    if !inside.contains(&b'\\') {
        return node::address(inside);
    }
    let mut plain = Vec::with_capacity(inside.len().min(128));
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => *bytes.next()?,
            byte => *byte,
        });
        if plain.len() > node::MAX_NODE {
            return None;
        }
    }
    node::address(&plain)
}
