//! Requests that try to poison the cache, or to read the pages of others, in the safe profile.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use crate::fixture::{Fixture, HOUR, request};

/// Sends a hostile request, and then one of a visitor. Returns whether the visitor got the hostile response.
async fn is_poisoned(fixture: &Fixture, evil: Request<Full<Bytes>>, path: &str) -> bool {
    fixture.origin.then(200, &[HOUR], "poison");
    fixture.send(evil).await.unwrap();
    fixture.origin.drop_script();
    fixture.origin.then(200, &[HOUR], "clean");
    let is_poisoned = fixture.get(path).await.text() == "poison";
    fixture.origin.drop_script();
    is_poisoned
}

#[tokio::test]
async fn no_page_for_a_forwarded_origin_reaches_other_visitors() {
    let fixture = super::fixture().await;
    for (at, name) in [
        "x-forwarded-host",
        "x-forwarded-scheme",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-path",
        "x-forwarded-server",
        "x-forwarded-ssl",
        "x-host",
        "x-http-host-override",
        "x-original-host",
        "forwarded",
    ]
    .into_iter()
    .enumerate()
    {
        let value = match name {
            "forwarded" => "for=192.0.2.1;host=evil.example",
            _ => "evil.example",
        };
        let path = format!("/{at}");
        let evil = request(Method::GET, &path, &[(name, value)]);
        assert!(!is_poisoned(&fixture, evil, &path).await, "{name}");
        assert_eq!(fixture.get(&path).await.text(), "clean", "{name}");
    }
}

#[tokio::test]
async fn a_request_with_an_override_header_is_never_cached() {
    let fixture = super::fixture().await;
    for name in [
        "x-original-url",
        "x-original-uri",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let evil = request(Method::GET, "/", &[(name, "/admin")]);
        fixture.origin.then(200, &[HOUR], "poison");
        let answered = fixture.send(evil).await.unwrap();
        let said = "larder; fwd=bypass; fwd-status=200; detail=method-override";
        assert_eq!(answered.field("cache-status"), said, "{name}");
    }
    assert_eq!(fixture.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn a_get_with_a_body_is_neither_stored_nor_served_from_the_cache() {
    let fixture = super::fixture().await;
    let fat = || request(Method::GET, "/", &[]).map(|_| Full::from("name=evil"));
    assert!(!is_poisoned(&fixture, fat(), "/").await);
    assert_eq!(fixture.get("/").await.text(), "clean");
    assert_eq!(fixture.send(fat()).await.unwrap().text(), "unscripted");
}

#[tokio::test]
async fn a_request_with_an_ambiguous_host_is_never_cached() {
    let fixture = super::fixture().await;
    let doubled = {
        let mut request = request(Method::GET, "/", &[]);
        request
            .headers_mut()
            .append("host", "evil.example".parse().unwrap());
        request
    };
    let absolute = request(Method::GET, "http://evil.example/", &[]);
    let reversed = request(Method::GET, "http://cinema.example/", &[("host", "evil.example")]);
    let with_user = request(Method::GET, "/", &[("host", "evil@cinema.example")]);
    let with_path = request(Method::GET, "/", &[("host", "cinema.example/evil")]);
    let with_space = request(Method::GET, "/", &[("host", "cinema.example /evil")]);
    let empty = request(Method::GET, "/", &[("host", "")]);
    for (at, evil) in [doubled, absolute, reversed, with_user, with_path, with_space, empty]
        .into_iter()
        .enumerate()
    {
        fixture.origin.then(200, &[HOUR], "poison");
        let answered = fixture.send(evil).await.unwrap();
        let said = "larder; fwd=bypass; fwd-status=200; detail=target-uri";
        assert_eq!(answered.field("cache-status"), said, "{at}");
    }
    fixture.origin.drop_script();
    assert_eq!(fixture.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn similar_hosts_are_not_the_same() {
    let fixture = super::fixture().await;
    for host in [
        "cinema.example:443",
        "cinema.example:8080",
        "cinema.example.",
        "cinema.example,evil.example",
        "evil.cinema.example",
    ] {
        let evil = request(Method::GET, "/", &[("host", host)]);
        assert!(!is_poisoned(&fixture, evil, "/").await, "{host}");
    }
    fixture.origin.then(200, &[HOUR], "clean");
    fixture.get("/case").await;
    let upper = request(Method::GET, "/case", &[("host", "CINEMA.Example")]);
    assert!(fixture.send(upper).await.unwrap().is_hit());
}

#[tokio::test]
async fn the_key_is_the_exact_uri_that_the_router_sees() {
    let fixture = super::fixture().await;
    let paths = [
        "/account/films",
        "/account%2ffilms",
        "/account%2Ffilms",
        "/account/./films",
        "/account/x/../films",
        "/account//films",
        "/account/films/",
        "/account/films;x.css",
        "/account/films%3Bx.css",
        "/account/films%00.css",
        "/account/films%0a.css",
        "/account/films%0d%0aX-Evil:1",
        "/account/films%23.css",
        "/account/films%3f.css",
        "/account/films?.css",
        "/account/films?a=1&b=2",
        "/account/films?b=2&a=1",
        "/account/films?a=1;b=2",
        "/account/%66ilms",
        "/account/films%5c..%5cx.css",
        "/Account/films",
    ];
    for path in paths {
        fixture.origin.then(200, &[HOUR], "x");
        assert!(!fixture.get(path).await.is_hit(), "{path}");
    }
    for path in paths {
        assert!(fixture.get(path).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn a_very_long_uri_is_answered_but_not_stored() {
    let fixture = super::fixture().await;
    let path = format!("/{}", "a".repeat(9_000));
    for _ in 0..2 {
        fixture.origin.then(200, &[HOUR], "x");
        let answered = fixture.get(&path).await;
        let said = "larder; fwd=bypass; fwd-status=200; detail=target-uri";
        assert_eq!((answered.text(), answered.field("cache-status")), ("x", said));
    }
}

/// Scripts the response of an app that shows the visitor's account at every path below `/account`.
async fn account_of_ada(fields: &[(&str, &str)]) -> Fixture {
    let fixture = super::fixture().await;
    fixture.origin.then(200, fields, "the account of Ada");
    let ada = [("cookie", "session=ada")];
    let seen = fixture.get_with("/account/x.css", &ada).await;
    assert_eq!(seen.text(), "the account of Ada");
    fixture
}

#[tokio::test]
async fn a_static_file_name_does_not_make_a_response_storable() {
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    for fields in [
        &[][..],
        &[("content-type", "text/css")],
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "no-store")],
        &[HOUR, ("set-cookie", "session=ada")],
        &[HOUR, ("vary", "cookie")],
        &[HOUR, ("vary", "*")],
        // Only a heuristic lifetime, or a validator.
        &[("last-modified", modified)],
        &[("etag", "\"a\"")],
        &[("cache-control", "no-cache"), ("etag", "\"a\"")],
        &[("cache-control", "no-cache, max-age=60"), ("etag", "\"a\"")],
        &[("cache-control", "max-age=0"), ("etag", "\"a\"")],
    ] {
        let fixture = account_of_ada(fields).await;
        for visitor in [&[][..], &[("cookie", "session=bob")]] {
            let seen = fixture.get_with("/account/x.css", visitor).await;
            assert_eq!(seen.text(), "unscripted", "{fields:?}");
            assert!(!fixture.origin.last().contains_key("if-none-match"));
        }
    }
}

#[tokio::test]
async fn for_a_visitor_with_a_cookie_only_a_clearly_reusable_response_is_stored() {
    let expires = "Tue, 01 Jan 2999 00:00:00 GMT";
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    for fields in [
        &[HOUR][..],
        &[("expires", expires)],
        &[("cache-control", "s-maxage=60")],
        &[("cache-control", "public"), ("last-modified", modified)],
    ] {
        let fixture = super::fixture().await;
        fixture.origin.then(200, fields, "a page for all");
        let ada = [("cookie", "theme=dark")];
        fixture.get_with("/", &ada).await;
        assert!(fixture.get("/").await.is_hit(), "{fields:?}");
    }
}

#[tokio::test]
async fn a_visitor_with_a_cookie_may_validate_a_page_for_everyone() {
    let fixture = super::fixture().await;
    let fields = [("cache-control", "no-cache"), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "for all");
    fixture.get("/").await;
    let ada = [("cookie", "session=ada")];
    fixture.origin.then(304, &fields, "");
    assert_eq!(fixture.get_with("/", &ada).await.text(), "for all");
    fixture.origin.then(200, &fields, "for Ada");
    assert_eq!(fixture.get_with("/", &ada).await.text(), "for Ada");
    fixture.origin.then(304, &fields, "");
    assert_eq!(fixture.get("/").await.text(), "for all");
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
}

#[tokio::test]
async fn an_error_that_a_header_provokes_is_not_stored() {
    let fixture = super::fixture().await;
    for status in [400, 403, 404, 405, 413, 414, 431, 500, 501, 502, 503] {
        fixture.origin.then(status, &[], "too large");
        let evil = [("x-oversized", "x")];
        fixture.get_with("/", &evil).await;
        assert_eq!(fixture.get("/").await.text(), "unscripted", "{status}");
    }
}

#[tokio::test]
async fn a_part_is_never_served_as_the_complete_response() {
    let fixture = super::fixture().await;
    let part = [HOUR, ("content-range", "bytes 0-2/9")];
    let ranged = [("range", "bytes=0-2")];
    fixture.origin.then(206, &part, "par");
    fixture.get_with("/", &ranged).await;
    assert_eq!(fixture.get("/").await.text(), "unscripted");
    // If the origin answers a request for a range with a complete response, that may be stored.
    fixture.origin.then(200, &[HOUR], "whole");
    fixture.get_with("/b", &ranged).await;
    assert_eq!(fixture.get("/b").await.text(), "whole");
    assert_eq!(fixture.get_with("/b", &ranged).await.text(), "who");
}

#[tokio::test]
async fn many_values_of_a_forwarded_header_take_bounded_space() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "clean");
    fixture.get("/").await;
    for number in 0..100 {
        let host = format!("{number}.evil.example");
        fixture.origin.then(200, &[HOUR], "poison");
        fixture.get_with("/", &[("x-forwarded-host", &host)]).await;
    }
    // The page may have been evicted, but must not have been changed.
    fixture.origin.then(200, &[HOUR], "clean");
    assert_eq!(fixture.get("/").await.text(), "clean");
    let mut hits = 0;
    for number in 0..100 {
        let host = format!("{number}.evil.example");
        let fields = [("x-forwarded-host", host.as_str())];
        let only = [fields[0], ("cache-control", "only-if-cached")];
        hits += usize::from(fixture.get_with("/", &only).await.is_hit());
    }
    assert!(hits <= 32, "{hits}");
}
