//! The way back after a sign-in.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode;
use serde::{Deserialize, Deserializer};

/// A path of this site, with its query, to which a visitor returns after a sign-in.
///
/// Parse it from untrusted text, such as the `next` of a sign-in form. It begins with one slash and
/// contains nothing that a browser takes for another site: no backslash, no control character and no
/// `//` in the path, not even after repeated percent-decoding. It is visible ASCII of at most 2048
/// bytes, without a fragment.
///
/// In an untrusted form or query, hostile text deserializes to `/`, and never to an error.
///
/// ```
/// use larder_session::ReturnPath;
///
/// assert_eq!(ReturnPath::parse("/account?tab=2").unwrap().as_str(), "/account?tab=2");
/// assert!(ReturnPath::parse("//evil.example").is_none());
/// assert_eq!(ReturnPath::default().as_str(), "/");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(Cow<'static, str>);

/// The limit of the text, in bytes.
const MAX: usize = 2048;
/// A path that was encoded more often than this is refused.
const MAX_DECODINGS: usize = 4;

impl ReturnPath {
    /// Parses a path. Returns None unless it is a path of this site.
    pub fn parse(text: &str) -> Option<Self> {
        let is_visible = |byte| matches!(byte, b'!'..=b'~') && !b"\"#<>\\".contains(&byte);
        let path = text.split('?').next()?;
        let is_safe = text.len() <= MAX
            && text.starts_with('/')
            && text.bytes().all(is_visible)
            && stays_here(path.as_bytes(), MAX_DECODINGS);
        is_safe.then(|| Self(text.to_owned().into()))
    }

    /// Returns the path and its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a path stays on this site, decoded or not: some proxies and routers decode once
/// more.
fn stays_here(path: &[u8], decodings: usize) -> bool {
    let leaves = |pair: &[u8]| pair == b"//";
    if path.windows(2).any(leaves)
        || path
            .iter()
            .any(|byte| matches!(byte, b'\\' | ..b' ' | 0x7f))
    {
        return false;
    }
    let decoded: Cow<'_, [u8]> = percent_decode(path).into();
    decoded == path || (decodings > 0 && stays_here(&decoded, decodings - 1))
}

impl Default for ReturnPath {
    /// Makes the start page, `/`.
    fn default() -> Self {
        Self(Cow::Borrowed("/"))
    }
}

impl AsRef<str> for ReturnPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ReturnPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::parse(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_text_that_leads_a_browser_to_another_site_is_a_return_path() {
        for hostile in [
            "",
            "evil.example",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/\\/evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/a/\\evil.example",
            "http://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "HTTPS://evil.example",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nSet-Cookie: a=b",
            "\t//evil.example",
            " //evil.example",
            " /a",
            "/a b",
            "/\0/evil.example",
            "/a\u{7f}",
            "%2F%2Fevil.example",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "/%5Cevil.example",
            "/%5c%5cevil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:%20a=b",
            "/%00",
            "/%252Fevil.example",
            "/%25252Fevil.example",
            "/%2525252525252Fa",
            "/.%2F/evil.example",
            "/\u{ff0f}evil.example",
            "/\u{2044}evil.example",
            "/\u{202e}a",
            "?next=//evil.example",
            "#//evil.example",
            "/#//evil.example",
            "@evil.example",
            ".evil.example",
            "/\"><script>",
        ] {
            assert_eq!(ReturnPath::parse(hostile), None, "{hostile:?}");
        }
        assert_eq!(ReturnPath::parse(&format!("/{}", "a".repeat(MAX))), None);
    }

    #[test]
    fn a_path_of_this_site_is_kept_as_it_is() {
        for path in [
            "/",
            "/account",
            "/account/",
            "/a/../b",
            "/films?sort=new&page=2",
            "/search?q=//evil.example&u=https://a.example/",
            "/search?q=%0D%0A%5C",
            "/kino/m%C3%BCnchen%20ost",
            "/100%",
            "/a%25b",
            "/evil.example",
            "/@evil.example",
            "/javascript:alert(1)",
            "/list?filter[a]=1|2",
        ] {
            assert_eq!(ReturnPath::parse(path).unwrap().as_str(), path);
        }
    }

    proptest! {
        /// Checked with another parser: every path that is accepted stays on the same host.
        #[test]
        fn a_return_path_has_no_scheme_and_no_authority(text in "[/\\\\a.:@?%\\t 2Ff5Cc0dD]{0,12}") {
            if let Some(path) = ReturnPath::parse(&text) {
                let uri: http::Uri = path.as_str().parse().unwrap();
                prop_assert!(uri.scheme().is_none() && uri.authority().is_none());
                prop_assert!(uri.path().starts_with('/') && !uri.path().starts_with("//"));
            }
        }
    }
}
