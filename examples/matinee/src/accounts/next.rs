//! The page that a visitor returns to after signing in.

use url::Url;
use url::form_urlencoded::Serializer;

const HOME: &str = "/account";
const LONGEST: usize = 1_000;

/// Returns the address that was asked for if it is on this site, otherwise the account page.
///
/// Reads the address as a browser does: what a browser takes for another site is one.
pub(crate) fn safe(asked: &str) -> String {
    local(asked).unwrap_or_else(|| HOME.to_owned())
}

fn local(asked: &str) -> Option<String> {
    if asked.len() > LONGEST || !asked.starts_with('/') {
        return None;
    }
    let site = Url::parse("http://site.invalid").ok()?;
    let url = site.join(asked).ok()?;
    let path = url.path();
    // `/.//elsewhere` is a path of this site, and `//elsewhere` would be another site.
    if url.origin() != site.origin() || path.starts_with("//") || is_sign_in_or_out(path) {
        return None;
    }
    Some(match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

fn is_sign_in_or_out(path: &str) -> bool {
    matches!(path, "/sign-in" | "/sign-out")
}

/// The address of the sign-in form that leads back to `asked`.
pub(crate) fn sign_in_for(asked: &str) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("next", asked);
    format!("/sign-in?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_site_is_kept() {
        for path in [
            "/",
            "/showings/7",
            "/tickets?page=2&q=a%20b",
            "/films/1?x=//y",
        ] {
            assert_eq!(safe(path), path);
        }
    }

    #[test]
    fn what_a_browser_takes_for_another_site_leads_home() {
        let long = format!("/{}", "x".repeat(LONGEST));
        for path in [
            "",
            "tickets",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/x/..//evil.example",
            "/%2e//evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:",
            "javascript:alert(1)",
            "//site.invalid:81/",
            "//user@site.invalid//evil.example",
            "/sign-in?next=/sign-in",
            "/sign-out",
            &long,
        ] {
            assert_eq!(safe(path), HOME, "{path:?}");
        }
    }

    #[test]
    fn a_header_is_never_split() {
        assert_eq!(safe("/a\r\nset-cookie: b=c"), "/aset-cookie:%20b=c");
        assert_eq!(safe("/\u{e9}\0/"), "/%C3%A9%00/");
    }
}
