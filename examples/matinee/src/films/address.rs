//! One address for each page, so that each page is cached once.

use axum::extract::{OriginalUri, Query, Request};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::RawQuery;
use super::handlers::film_id;
use crate::pages;

/// Rewrites the address of a cacheable page to its canonical form.
///
/// Unknown query parameters are dropped, known ones get a fixed order, and numbers get one spelling. This
/// runs outside the response cache, so a request with `?utm_source=…` gets the cached page. An invalid
/// address stays unchanged, and the answer explains what is wrong.
pub(crate) async fn one_address(mut request: Request, next: Next) -> Response {
    if let Some(address) = address(request.uri()) {
        forget_claims(request.headers_mut());
        let mut parts = request.uri().clone().into_parts();
        if parts.path_and_query.as_ref() != Some(&address) {
            parts.path_and_query = Some(address);
            // Scheme and authority are both present or both missing.
            if let Ok(uri) = Uri::from_parts(parts) {
                // Change axum's original URI too; otherwise a cache might see two different pages.
                request.extensions_mut().insert(OriginalUri(uri.clone()));
                *request.uri_mut() = uri;
            }
        }
    }
    next.run(request).await
}

/// Returns the canonical address of a cacheable page, or `None` if the page is not cacheable.
fn address(uri: &Uri) -> Option<PathAndQuery> {
    let link = if uri.path() == "/" {
        let Query(raw) = Query::<RawQuery>::try_from_uri(uri).ok()?;
        let query = raw.parse().ok()?;
        // A search without words finds all films.
        let says_nothing = query.search().is_empty();
        let typed = if says_nothing {
            String::new()
        } else {
            raw.typed()
        };
        pages::catalogue_link(&typed, query.genre(), query.page())
    } else {
        let id = uri.path().strip_prefix("/films/")?;
        let id = film_id(&digits(id)?).ok()?;
        format!("/films/{id}")
    };
    link.try_into().ok()
}

/// Decodes encoded digits; `None` if anything else is encoded.
fn digits(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let code = part.get(..2)?;
        let digit = u8::from_str_radix(code, 16).ok()?;
        plain.push(digit.is_ascii_digit().then_some(char::from(digit))?);
        plain.push_str(&part[2..]);
    }
    Some(plain)
}

/// Drops headers that claim another host or scheme: no page reads them, and the cache would store a page
/// for each of their values.
fn forget_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &&HeaderName| {
        let name = name.as_str();
        let of_proxy = name.starts_with("x-forwarded-") && name != "x-forwarded-for";
        of_proxy || matches!(name, "x-host" | "x-http-host-override" | "x-original-host")
    };
    let claims: Vec<_> = headers.keys().filter(is_claim).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_the_one_that_pages_link_to() {
        for (asked, address) in [
            ("/", "/"),
            ("/?", "/"),
            ("/?utm_source=a&page=2&fbclid=b", "/?page=2"),
            ("/?page=1", "/"),
            ("/?page=", "/"),
            ("/?page=02", "/?page=2"),
            ("/?page=%202", "/?page=2"),
            ("/?%70age=2", "/?page=2"),
            ("/?page=2&genre=Drama", "/?genre=Drama&page=2"),
            ("/?genre=+Drama+&q=", "/?genre=Drama"),
            ("/?genre=Black+Comedy", "/?genre=Black%20Comedy"),
            ("/?q=%00", "/"),
            ("/?q=%CC%81&page=2", "/?page=2"),
            ("/?q=+a++b%00", "/?q=a%20b"),
            ("/?&&&=&;;", "/"),
            ("/films/7", "/films/7"),
            ("/films/7?", "/films/7"),
            ("/films/7?utm=1&utm=1", "/films/7"),
            ("/films/007", "/films/7"),
            ("/films/+7", "/films/7"),
            ("/films/%37", "/films/7"),
            ("/films/%30%37?x", "/films/7"),
        ] {
            let uri = asked.parse().unwrap();
            assert_eq!(super::address(&uri).unwrap().as_str(), address, "{asked}");
        }
    }

    #[test]
    fn an_address_that_is_wrong_or_not_of_a_kept_page_stays_as_it_is() {
        for asked in [
            "/?page=0",
            "/?page=x",
            "/?page=2&page=1",
            "/films/",
            "/films/x",
            "/films/7/",
            "/films/7%2",
            "/films/7%zz",
            "/films/7%2f",
            "/films/%2b7",
            "/films/99999999999999999999",
            "/tickets?utm=1",
            "/api/films/007",
            "//films/7",
        ] {
            let uri = asked.parse().unwrap();
            assert_eq!(address(&uri), None, "{asked}");
        }
    }

    #[test]
    fn only_what_a_request_claims_to_be_is_forgotten() {
        let mut headers = HeaderMap::new();
        for name in [
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-host",
            "accept",
        ] {
            headers.insert(name, "a".parse().unwrap());
        }
        forget_claims(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host", "x-forwarded-for"]);
    }
}
