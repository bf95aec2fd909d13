//! The page that a visitor returns to after signing in.

use axum::http::HeaderMap;
use axum::http::header::REFERER;
use larder::session::ReturnPath;
use url::form_urlencoded::Serializer;
use url::{Position, Url};

const HOME: &str = "/account";

/// Returns the address that was asked for if it is on this site, otherwise the account page.
pub(crate) fn safe(asked: &str) -> String {
    match ReturnPath::parse(asked) {
        Some(path) if !is_sign_in_or_out(path.as_str()) => path.to_string(),
        _ => HOME.to_owned(),
    }
}

/// Returns the address of the page with the form that was submitted, by `Referer`, without its host: whatever a client
/// sends, it leads to a page of this site.
pub(super) fn page_of_the_form(headers: &HeaderMap) -> String {
    let page = headers.get(REFERER).and_then(|page| page.to_str().ok());
    let page = page.and_then(|page| Url::parse(page).ok());
    safe(
        page.as_ref()
            .map_or("", |page| &page[Position::BeforePath..Position::AfterQuery]),
    )
}

fn is_sign_in_or_out(asked: &str) -> bool {
    let path = asked.split('?').next();
    matches!(path, Some("/sign-in" | "/sign-out"))
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
    fn an_address_of_this_site_is_kept_and_any_other_leads_home() {
        for path in ["/", "/showings/7", "/tickets?page=2&q=a%20b"] {
            assert_eq!(safe(path), path);
        }
        for path in [
            "",
            "tickets",
            "//evil.example",
            "/\\evil.example",
            "/.//evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: b=c",
            "/sign-in?next=/sign-in",
            "/sign-out",
        ] {
            assert_eq!(safe(path), HOME, "{path:?}");
        }
    }

    #[test]
    fn a_form_leads_back_to_its_page_and_never_to_another_site() {
        for (referer, page) in [
            (
                "https://tickets.example/showings/7?a=b#yours",
                "/showings/7?a=b",
            ),
            ("https://tickets.example", "/"),
            ("https://evil.example//evil.example/", HOME),
            ("https://evil.example/\\evil.example/", HOME),
            ("https://tickets.example/sign-in", HOME),
            ("data:text/html,x", HOME),
            ("no address", HOME),
        ] {
            let headers = HeaderMap::from_iter([(REFERER, referer.parse().unwrap())]);
            assert_eq!(page_of_the_form(&headers), page, "{referer}");
        }
        assert_eq!(page_of_the_form(&HeaderMap::new()), HOME);
    }
}
