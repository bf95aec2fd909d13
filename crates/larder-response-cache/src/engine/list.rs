//! Comma-separated lists. A comma inside a quoted string does not separate (RFC 9110, 5.6.1 and 5.6.4).

/// The members of one header line, without the white space around them, and without empty ones.
///
/// A quoted string that is not closed yields [`Unclosed`] and ends the list, because the rest of the line
/// is ambiguous.
pub(super) struct Members<'a> {
    rest: &'a [u8],
}

/// A quoted string has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed;

impl<'a> Members<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { rest: line }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<&'a [u8], Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let Some(end) = end_of_member(self.rest) else {
                self.rest = &[];
                return Some(Err(Unclosed));
            };
            let member = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(Ok(member));
            }
        }
        None
    }
}

/// Returns where the first member ends: at a comma, or at the end of the line.
fn end_of_member(line: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(line.len())
}

/// Removes optional white space from both ends.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Returns whether the byte may be part of a token (RFC 9110, 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(line: &str) -> Vec<Option<&str>> {
        Members::of(line.as_bytes())
            .map(|member| member.ok().map(|text| std::str::from_utf8(text).unwrap()))
            .collect()
    }

    #[test]
    fn a_comma_in_quotes_separates_nothing() {
        assert_eq!(members(r#"a="b, c", d"#), [Some(r#"a="b, c""#), Some("d")]);
        assert_eq!(members(r#""\", x",y"#), [Some(r#""\", x""#), Some("y")]);
        // Outside quotes, a backslash is an ordinary character.
        assert_eq!(members(r"a\,b"), [Some(r"a\"), Some("b")]);
    }

    #[test]
    fn empty_members_are_left_out() {
        assert_eq!(members(" , ,a ,,\tb,"), [Some("a"), Some("b")]);
        assert!(members("").is_empty());
    }

    #[test]
    fn an_open_quote_ends_the_list() {
        assert_eq!(members(r#"a, "b, no-store"#), [Some("a"), None]);
    }
}
