use http::{HeaderMap, HeaderName, header};

use super::argument::{Argument, MAX_DELTA};
use super::list::{Members, is_token};

/// The `Cache-Control` of a request or a response (RFC 9111, 5.2; RFC 5861).
///
/// Names are compared without case, arguments may be tokens or quoted strings, and unknown directives are
/// ignored. Malformed parts count against reuse:
///
/// - A time that is not a number of seconds, or is given twice with two values, makes the response stale,
///   and permits no staleness.
/// - A restrictive directive counts, whatever its argument is.
/// - A permissive directive counts only if it is well-formed.
/// - A field that cannot be split into directives is [`is_unreadable`](Self::is_unreadable), and the
///   response is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `max-age`, in seconds. 0 if it is invalid.
    pub max_age: Option<u64>,
    /// `s-maxage`, in seconds. 0 if it is invalid.
    pub s_maxage: Option<u64>,
    /// `stale-while-revalidate`, in seconds. 0 if it is invalid.
    pub stale_while_revalidate: Option<u64>,
    /// `stale-if-error`, in seconds. 0 if it is invalid.
    pub stale_if_error: Option<u64>,
    /// `min-fresh` of a request, in seconds. [`MAX_DELTA`] if it is invalid.
    pub min_fresh: Option<u64>,
    /// `max-stale` of a request, in seconds. [`MAX_DELTA`] without an argument, 0 if it is invalid.
    pub max_stale: Option<u64>,
    /// `no-cache` for the whole response.
    ///
    /// It has no argument, or one that does not name fields, or it names a field without which a stored
    /// response is useless, such as `Vary` or `Content-Encoding`.
    pub no_cache: bool,
    /// The fields that `no-cache` names. They are not reused without validation.
    pub no_cache_fields: Vec<HeaderName>,
    /// `no-store`.
    pub no_store: bool,
    /// `private`, with or without names of fields.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `only-if-cached` of a request.
    pub only_if_cached: bool,
    /// Whether this is a targeted field. Then `Expires` is ignored (RFC 9213, 2.1).
    pub is_targeted: bool,
    /// Whether there is any `Cache-Control` at all.
    pub is_present: bool,
    /// Whether a part of it could not be read.
    pub is_unreadable: bool,
}

impl CacheControl {
    /// Reads every `Cache-Control` line of `headers`. It never fails.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::of_lines(headers, &header::CACHE_CONTROL)
    }

    /// Reads every line of the field `name`, which has the syntax of `Cache-Control`.
    pub fn of_lines(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut directives = Self::default();
        for line in headers.get_all(name) {
            directives.is_present = true;
            for member in Members::of(line.as_bytes()) {
                match member {
                    Ok(member) => directives.read(member),
                    Err(_) => directives.is_unreadable = true,
                }
            }
        }
        directives
    }

    fn read(&mut self, member: &[u8]) {
        let end = member
            .iter()
            .position(|&byte| !is_token(byte))
            .unwrap_or(member.len());
        let (name, rest) = member.split_at(end);
        if name.is_empty() || name.len() > 32 {
            self.is_unreadable |= name.is_empty();
            return;
        }
        let argument = Argument::of(rest);
        let is_whole = !matches!(argument, Argument::Broken);
        match name.to_ascii_lowercase().as_slice() {
            b"max-age" => set(&mut self.max_age, argument.seconds(), 0),
            b"s-maxage" => set(&mut self.s_maxage, argument.seconds(), 0),
            b"stale-while-revalidate" => {
                set(&mut self.stale_while_revalidate, argument.seconds(), 0);
            }
            b"stale-if-error" => set(&mut self.stale_if_error, argument.seconds(), 0),
            b"min-fresh" => set(&mut self.min_fresh, argument.seconds(), MAX_DELTA),
            b"max-stale" => {
                let any = matches!(argument, Argument::None).then_some(MAX_DELTA);
                set(&mut self.max_stale, any.or(argument.seconds()), 0);
            }
            b"no-cache" => match argument.fields() {
                Some(fields) => fields.into_iter().for_each(|field| self.restrict(field)),
                None => self.no_cache = true,
            },
            b"no-store" => self.no_store = true,
            b"private" => self.private = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"public" => self.public |= is_whole,
            _ => {}
        }
    }
}

impl CacheControl {
    /// Returns whether a shared cache may reuse a response to a request with `Authorization`
    /// (RFC 9111, 3.5).
    pub(crate) fn permits_authorized(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }

    /// Restricts a field, or the whole response if it is useless without that field.
    fn restrict(&mut self, field: HeaderName) {
        if is_indispensable(&field) {
            self.no_cache = true;
        } else {
            self.no_cache_fields.push(field);
        }
    }

    /// Applies a `no-cache` for `field` to the whole response, because the cache must store that field.
    pub(crate) fn keep(&mut self, field: &HeaderName) {
        let named = self.no_cache_fields.len();
        self.no_cache_fields.retain(|name| name != field);
        self.no_cache |= self.no_cache_fields.len() < named;
    }
}

/// Returns whether a stored response is useless without this header.
///
/// It selects, dates or validates the response, or describes its bytes.
pub(super) fn is_indispensable(name: &HeaderName) -> bool {
    let name = name.as_str();
    CACHE_HEADERS.contains(&name) || name.starts_with("content-")
}

/// Headers that the cache itself needs.
const CACHE_HEADERS: [&str; 8] = [
    "age",
    "cache-control",
    "date",
    "etag",
    "expires",
    "last-modified",
    "pragma",
    "vary",
];

/// Sets a time, or `invalid` if it was set to another one before.
fn set(held: &mut Option<u64>, seconds: Option<u64>, invalid: u64) {
    let seconds = seconds.unwrap_or(invalid);
    *held = Some(match *held {
        Some(before) if before != seconds => invalid,
        _ => seconds,
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> CacheControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        CacheControl::of(&headers)
    }

    #[test]
    fn names_have_no_case_and_unknown_directives_are_ignored() {
        let directives = read(&["foo, MaX-aGe=003600, bar=baz", "No-StOrE"]);
        assert_eq!(
            (directives.max_age, directives.no_store),
            (Some(3600), true)
        );
        assert!(!directives.is_unreadable);
    }

    #[test]
    fn a_quoted_argument_equals_a_token() {
        assert_eq!(read(&[r#"max-age="60""#]).max_age, Some(60));
        assert_eq!(read(&[r#"max-age="6\0""#]).max_age, Some(60));
        assert_eq!(read(&[r#"ext="max-age=9", max-age=1"#]).max_age, Some(1));
        assert_eq!(read(&[r#"max-age=1, ext="no-store""#]), {
            let mut only = read(&["max-age=1"]);
            only.is_present = true;
            only
        });
    }

    #[test]
    fn an_invalid_time_makes_the_response_stale() {
        for value in [
            "", "=", "=-1", "=1.0", "=a1", "=1a", "='1'", " =1", "= 1", "=1 2", "=\"1", "=\"1\"2",
        ] {
            let directives = read(&[&format!("max-age{value}")]);
            assert!(
                directives.max_age == Some(0) || directives.is_unreadable,
                "max-age{value}: {directives:?}"
            );
        }
    }

    #[test]
    fn a_repeated_time_must_be_the_same() {
        assert_eq!(read(&["max-age=9, max-age=9"]).max_age, Some(9));
        assert_eq!(read(&["max-age=9", "max-age=10"]).max_age, Some(0));
        assert_eq!(read(&["max-age=9, max-age=10, max-age=9"]).max_age, Some(0));
        assert_eq!(
            read(&["min-fresh=1, min-fresh=2"]).min_fresh,
            Some(MAX_DELTA)
        );
    }

    #[test]
    fn a_longer_time_counts_as_the_longest() {
        for digits in ["2147483648", "99999999999", &"9".repeat(4000)] {
            let directives = read(&[&format!("s-maxage={digits}")]);
            assert_eq!(directives.s_maxage, Some(MAX_DELTA));
        }
    }

    #[test]
    fn a_restriction_counts_whatever_its_argument_is() {
        for rest in ["", "=x", "=\"x\"", " x", "=", "; x"] {
            let directives = read(&[&format!("no-store{rest}, private{rest}, no-cache{rest}")]);
            assert!(directives.no_store && directives.private, "{rest:?}");
            assert!(
                directives.no_cache || !directives.no_cache_fields.is_empty(),
                "{rest:?}"
            );
        }
        for broken in ["public x", "public=", "public=x y", r#"public="x""y""#] {
            assert!(!read(&[broken]).public, "{broken}");
        }
    }

    #[test]
    fn no_cache_may_name_fields() {
        let directives = read(&[r#"no-cache="a, set-cookie""#]);
        assert!(!directives.no_cache);
        assert_eq!(directives.no_cache_fields, ["a", "set-cookie"]);
        assert!(read(&[r#"no-cache="a b""#]).no_cache);
        assert!(read(&[r#"no-cache="""#]).no_cache);
    }

    #[test]
    fn no_cache_for_a_field_that_the_cache_must_store_is_one_for_the_whole_response() {
        let [x, a] = ["x", "a"].map(HeaderName::from_static);
        let mut directives = read(&[r#"no-cache="a, b""#]);
        directives.keep(&x);
        assert!(!directives.no_cache);
        directives.keep(&a);
        assert!(directives.no_cache);
        assert_eq!(directives.no_cache_fields, ["b"]);
    }

    #[test]
    fn an_open_quote_is_unreadable() {
        assert!(read(&[r#"max-age=60, x="no-store"#]).is_unreadable);
        assert!(read(&[r#"max-age=60, =1"#]).is_unreadable);
        assert!(!read(&[]).is_present);
    }

    proptest! {
        #[test]
        fn no_cache_control_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.append(header::CACHE_CONTROL, value);
                let directives = CacheControl::of(&headers);
                prop_assert!(directives.max_age.unwrap_or(0) <= MAX_DELTA);
            }
        }

        #[test]
        fn no_store_counts_beside_any_other_directive(
            before in "[a-z=\"\\\\ 0-9]{0,12}", after in "[a-z=\"\\\\, 0-9]{0,12}",
        ) {
            let directives = read(&[&format!("{before},no-store,{after}")]);
            prop_assert!(directives.no_store || directives.is_unreadable || before.contains('"'));
        }
    }
}
