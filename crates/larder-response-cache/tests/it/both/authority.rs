//! The same origin in every spelling: its scheme, and its default port (RFC 9110, 4.2.3).

use http::uri::Scheme;
use http::{HeaderName, Method};

use crate::fixture::{Fixture, HOUR, request};

async fn stored(fixture: &Fixture, uri: &str, host: &str) {
    fixture.origin.drop_script();
    fixture.origin.then(200, &[HOUR], "one");
    get(fixture, uri, host).await;
    assert!(get(fixture, uri, host).await, "{uri} {host}");
}

async fn get(fixture: &Fixture, uri: &str, host: &str) -> bool {
    let request = request(Method::GET, uri, &[("host", host)]);
    fixture.send(request).await.unwrap().is_hit()
}

#[tokio::test]
async fn the_default_port_is_the_same_host_for_requests_invalidations_and_purges() {
    let fixture = super::fixture().await;
    let hosts = [
        "cinema.example",
        "cinema.example:80",
        "Cinema.Example:80",
        "cinema.example:",
    ];
    for one in hosts {
        for other in hosts {
            stored(&fixture, "/", one).await;
            assert!(get(&fixture, "/", other).await);
            assert!(get(&fixture, "http://cinema.example/", other).await);
            fixture.origin.then(204, &[], "");
            let change = request(Method::POST, "/", &[("host", other)]);
            fixture.send(change).await.unwrap();
            assert!(!get(&fixture, "/", one).await, "{one} {other}");
        }
        for uri in [
            "http://cinema.example/",
            "http://cinema.example:80/",
            "HTTP://CINEMA.example:/",
        ] {
            stored(&fixture, "/", one).await;
            fixture.layer.purger().purge(uri).await.unwrap();
            assert!(!get(&fixture, "/", one).await, "{one} {uri}");
        }
    }
}

#[tokio::test]
async fn a_response_may_name_a_uri_with_the_default_port() {
    let fixture = super::fixture().await;
    let uris = [
        "http://cinema.example:80/b",
        "//cinema.example:80/b",
        "http://cinema.example/b",
    ];
    for (at, uri) in uris.into_iter().enumerate() {
        for name in ["location", "content-location"] {
            for host in ["cinema.example", "cinema.example:80"] {
                stored(&fixture, "/b", "cinema.example").await;
                fixture.origin.then(201, &[(name, uri)], "");
                let change = request(Method::POST, "/a", &[("host", host)]);
                fixture.send(change).await.unwrap();
                assert!(
                    !get(&fixture, "/b", "cinema.example").await,
                    "{at} {name} {host}"
                );
            }
        }
    }
}

#[tokio::test]
async fn another_port_and_a_dot_at_the_end_are_another_authority() {
    let fixture = super::fixture().await;
    stored(&fixture, "/", "cinema.example").await;
    for other in [
        "cinema.example:8080",
        "cinema.example:443",
        "cinema.example.",
    ] {
        assert!(!get(&fixture, "/", other).await, "{other}");
    }
    for in_doubt in [
        "cinema.example:080",
        "cinema.example:x",
        "cinema.example:80:80",
    ] {
        let seen = fixture.get_with("/", &[("host", in_doubt)]).await;
        let said = seen.field("cache-status");
        assert!(said.ends_with("detail=target-uri"), "{in_doubt}: {said}");
    }
}

#[tokio::test]
async fn a_declared_scheme_counts_for_every_form_of_request() {
    let set = |builder: larder_response_cache::ResponseCacheBuilder| builder.with_scheme(Scheme::HTTPS);
    let fixture = super::fixture_with(set).await;
    // The origin form, the absolute form, and the absolute form with the declared scheme.
    let forms = ["/", "http://cinema.example/", "https://cinema.example:443/"];
    let asked = |method: Method, form: &str| {
        let mut request = request(method, form, &[]);
        if form.starts_with("http:") {
            request
                .headers_mut()
                .remove(HeaderName::from_static("host"));
        }
        request
    };
    for form in forms {
        let is_hit = async || {
            let answered = fixture.send(asked(Method::GET, form)).await.unwrap();
            answered.is_hit()
        };
        for uri in [
            "https://cinema.example/",
            "https://cinema.example:443/",
            "http://cinema.example/",
            "http://cinema.example:80/",
            "http://cinema.example:443/",
        ] {
            fixture.origin.then(200, &[HOUR], "one");
            is_hit().await;
            assert!(is_hit().await, "{form}");
            fixture.layer.purger().purge(uri).await.unwrap();
            assert!(!is_hit().await, "{form} {uri}");
        }
        for other in forms {
            fixture.origin.then(200, &[HOUR], "one");
            is_hit().await;
            assert!(is_hit().await, "{form}");
            fixture.origin.then(204, &[], "");
            fixture.send(asked(Method::DELETE, other)).await.unwrap();
            assert!(!is_hit().await, "{form} {other}");
        }
    }
}

#[tokio::test]
async fn a_response_may_name_a_uri_by_another_scheme_than_the_declared_one() {
    let set = |builder: larder_response_cache::ResponseCacheBuilder| builder.with_scheme(Scheme::HTTPS);
    let fixture = super::fixture_with(set).await;
    for uri in ["http://cinema.example/b", "https://cinema.example/b", "/b"] {
        stored(&fixture, "/b", "cinema.example").await;
        fixture.origin.then(201, &[("location", uri)], "");
        let change = request(Method::POST, "/a", &[]);
        fixture.send(change).await.unwrap();
        assert!(!get(&fixture, "/b", "cinema.example").await, "{uri}");
    }
}

#[tokio::test]
async fn a_made_up_scheme_makes_no_page() {
    let fixture = super::fixture().await;
    for uri in ["foo://cinema.example/", "ftp://cinema.example/"] {
        fixture.origin.then(200, &[HOUR], "one");
        assert!(!get(&fixture, uri, "cinema.example").await);
        fixture.origin.then(200, &[HOUR], "two");
        assert!(!get(&fixture, uri, "cinema.example").await, "{uri}");
    }
}
