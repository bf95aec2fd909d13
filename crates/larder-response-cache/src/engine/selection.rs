use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::list::trim;

/// The maximum number of fields in the `Vary` of a response that is stored.
pub const MAX_SELECTING_FIELDS: usize = 16;

/// The request fields that select a response: its `Vary`, sorted (RFC 9111, 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectingFields(Vec<HeaderName>);

/// Identifies the variant of a URI that a request asks for, by a digest of its selecting fields.
///
/// Two requests have the same id only if their selecting fields are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VariantId([u8; Self::LEN]);

impl SelectingFields {
    /// Reads every `Vary` line of a response.
    ///
    /// Returns None if it contains `*`, is not a list of names, or names more than
    /// [`MAX_SELECTING_FIELDS`].
    pub fn of(response: &HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for line in response.get_all(header::VARY) {
            for name in line.as_bytes().split(|&byte| byte == b',') {
                match trim(name) {
                    b"" => {}
                    // It is a token, so it would be accepted as a name.
                    b"*" => return None,
                    name => names.push(HeaderName::from_bytes(name).ok()?),
                }
            }
        }
        Self::from_names(names)
    }

    /// Sorts these fields. Returns None if there are more than [`MAX_SELECTING_FIELDS`].
    pub fn from_names(names: impl IntoIterator<Item = HeaderName>) -> Option<Self> {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        (names.len() <= MAX_SELECTING_FIELDS).then_some(Self(names))
    }

    /// Returns the fields of both, or None if there are more than [`MAX_SELECTING_FIELDS`].
    pub fn union(&self, other: &Self) -> Option<Self> {
        Self::from_names(self.0.iter().chain(&other.0).cloned())
    }

    /// Returns whether every field of `other` is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|name| self.0.contains(name))
    }

    /// Returns the fields.
    pub fn names(&self) -> &[HeaderName] {
        &self.0
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether one of them identifies the visitor.
    pub fn is_personal(&self) -> bool {
        self.covers_any(&[header::COOKIE, header::AUTHORIZATION])
    }

    fn covers_any(&self, names: &[HeaderName]) -> bool {
        names.iter().any(|name| self.0.contains(name))
    }

    /// Returns the variant that `request` asks for.
    ///
    /// - A missing field differs from an empty one.
    /// - Several lines are one list, and white space around a comma does not count, except in a line that
    ///   contains a quote.
    /// - In `Cookie` and `Authorization` every byte counts.
    /// - Case does not count in `Accept-Language` and `Accept-Encoding`.
    /// - Order counts, because servers break ties by it.
    pub fn variant(&self, request: &HeaderMap) -> VariantId {
        let mut hash = Sha256::new();
        let mut value = Vec::new();
        for name in &self.0 {
            value.clear();
            let mut lines = request.get_all(name).iter().peekable();
            let is_present = lines.peek().is_some();
            normalise(name, lines, &mut value);
            hash.update((name.as_str().len() as u64).to_be_bytes());
            hash.update(name.as_str());
            hash.update([u8::from(is_present)]);
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(&value);
        }
        let mut id = [0; VariantId::LEN];
        id.copy_from_slice(&hash.finalize()[..VariantId::LEN]);
        VariantId(id)
    }
}

fn normalise<'a>(
    name: &HeaderName,
    lines: impl Iterator<Item = &'a HeaderValue>,
    value: &mut Vec<u8>,
) {
    let is_exact = [header::COOKIE, header::AUTHORIZATION].contains(name);
    let has_no_case = [header::ACCEPT_LANGUAGE, header::ACCEPT_ENCODING].contains(name);
    for (at, line) in lines.enumerate() {
        if is_exact {
            // No header value contains a line feed.
            value.extend_from_slice(line.as_bytes());
            value.push(b'\n');
            continue;
        }
        if at > 0 {
            value.push(b',');
        }
        without_space(line.as_bytes(), value);
    }
    if has_no_case {
        value.make_ascii_lowercase();
    }
}

/// Appends the line without white space around its commas. A line with a quote is unchanged.
fn without_space(line: &[u8], value: &mut Vec<u8>) {
    if line.contains(&b'"') {
        value.extend_from_slice(trim(line));
        return;
    }
    for (at, member) in line.split(|&byte| byte == b',').enumerate() {
        if at > 0 {
            value.push(b',');
        }
        value.extend_from_slice(trim(member));
    }
}

impl VariantId {
    /// The length in bytes.
    pub const LEN: usize = 16;

    /// Makes the id of these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for VariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VariantId({:032x})", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::header_map as map;

    fn alike(vary: &str, one: &[(&'static str, &str)], other: &[(&'static str, &str)]) -> bool {
        let selecting = SelectingFields::of(&map(&[("vary", vary)])).unwrap();
        selecting.variant(&map(one)) == selecting.variant(&map(other))
    }

    #[test]
    fn only_the_fields_in_vary_select() {
        let one = [("foo", "1"), ("bar", "a"), ("other", "2")];
        assert!(alike("Foo, BAR", &one, &[("bar", "a"), ("foo", "1")]));
        assert!(!alike("foo, bar", &one, &[("bar", "b"), ("foo", "1")]));
        assert!(!alike("foo, bar", &one, &[("foo", "1")]));
    }

    #[test]
    fn a_missing_field_differs_from_an_empty_one() {
        assert!(!alike("foo", &[], &[("foo", "")]));
        assert!(alike("foo", &[], &[("bar", "")]));
        assert!(!alike("foo, bar", &[("foo", "1")], &[("bar", "1")]));
    }

    #[test]
    fn several_lines_are_one_list_and_space_around_commas_does_not_count() {
        assert!(alike(
            "foo",
            &[("foo", "1, 2")],
            &[("foo", "1"), ("foo", "2")]
        ));
        assert!(alike("foo", &[("foo", "1,2")], &[("foo", "1 ,   2")]));
        assert!(!alike("foo", &[("foo", "1 2")], &[("foo", "1  2")]));
        assert!(!alike("foo", &[("foo", "\"1,2\"")], &[("foo", "\"1, 2\"")]));
        assert!(!alike("foo", &[("foo", "1,2")], &[("foo", "2,1")]));
        for list in [&[("foo", "1,2")][..], &[("foo", "1"), ("foo", "2")]] {
            assert!(!alike("foo", list, &[("foo", "12")]));
        }
    }

    #[test]
    fn case_counts_except_in_languages_and_codings() {
        let (one, other) = (
            [("accept-language", "en, de")],
            [("accept-language", "eN,De")],
        );
        assert!(alike("accept-language", &one, &other));
        assert!(!alike("foo", &[("foo", "a")], &[("foo", "A")]));
    }

    #[test]
    fn every_byte_of_a_cookie_counts() {
        assert!(!alike(
            "cookie",
            &[("cookie", "a=1,2")],
            &[("cookie", "a=1, 2")]
        ));
        let two = [("cookie", "a=1"), ("cookie", "2")];
        assert!(!alike("cookie", &[("cookie", "a=1,2")], &two));
    }

    #[test]
    fn a_star_anywhere_in_vary_is_not_a_list_of_fields() {
        for vary in ["*", "*, *", ", *", "Foo, *", "*, Foo", "Foo Bar", "\"Foo\""] {
            assert_eq!(SelectingFields::of(&map(&[("vary", vary)])), None, "{vary}");
        }
        assert_eq!(
            SelectingFields::of(&map(&[("vary", ""), ("vary", "*")])),
            None
        );
        assert!(
            SelectingFields::of(&map(&[("vary", "")]))
                .unwrap()
                .is_empty()
        );
        let many: Vec<_> = (0..=MAX_SELECTING_FIELDS)
            .map(|at| format!("x{at}"))
            .collect();
        assert_eq!(
            SelectingFields::of(&map(&[("vary", &many.join(","))])),
            None
        );
    }

    #[test]
    fn fields_are_joined_and_compared_as_sets() {
        let of = |vary| SelectingFields::of(&map(&[("vary", vary)])).unwrap();
        let both = of("b, a").union(&of("c, a")).unwrap();
        assert_eq!(both.names(), ["a", "b", "c"]);
        assert!(both.covers(&of("c, b")) && !of("c, b").covers(&both) && !both.is_empty());
        assert!(of("a, cookie").is_personal() && of("authorization").is_personal());
        assert!(!both.is_personal());
        let bytes = [7; VariantId::LEN];
        let id = VariantId::from_bytes(bytes);
        assert_eq!(
            (id.as_bytes(), format!("{id:?}")),
            (&bytes, format!("VariantId({})", "07".repeat(16)))
        );
    }

    proptest! {
        #[test]
        fn no_vary_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.append(header::VARY, value);
                if let Some(selecting) = SelectingFields::of(&headers) {
                    prop_assert!(selecting.names().iter().all(|name| name.as_str() != "*"));
                    let _ = selecting.variant(&headers);
                }
            }
        }

        #[test]
        fn values_without_commas_select_the_same_variant_only_if_equal(
            one in "[a-zA-Z0-9;=.-]{0,8}", other in "[a-zA-Z0-9;=.-]{0,8}",
        ) {
            prop_assert_eq!(one == other, alike("foo", &[("foo", &one)], &[("foo", &other)]));
        }
    }
}
