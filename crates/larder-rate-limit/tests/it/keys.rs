//! Which visitor is charged.

use http::HeaderName;
use http::request::Parts;
use larder_rate_limit::{KeyBy, PrefixLengths, Quota, RateLimitLayer, TrustedProxies, Unkeyed};

use crate::support::{App, from, limiter, model, with};

/// A service that each visitor may use once.
fn once(key_by: KeyBy) -> App {
    let (store, _) = model();
    App::new(RateLimitLayer::new(
        limiter(store, Quota::per_hour(1)),
        key_by,
    ))
}

fn behind_proxies() -> KeyBy {
    let proxies = "10.0.0.0/8".parse().unwrap();
    KeyBy::forwarded(TrustedProxies::x_forwarded_for(proxies))
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

#[tokio::test]
async fn each_ipv4_address_and_each_ipv6_64_is_one_visitor() {
    let app = once(KeyBy::peer());
    for (peer, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("::ffff:192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("2001:db8:0:1::1", 200),
        ("2001:db8:0:1:abcd::9", 429),
        ("2001:db8:0:2::1", 200),
        // Translators: one /64, and an IPv4 address each.
        ("64:ff9b::192.0.2.1", 429),
        ("64:ff9b::192.0.2.3", 200),
        ("64:ff9b::192.0.2.4", 200),
        ("192.0.2.4", 429),
    ] {
        assert_eq!(app.status(peer).await, status, "{peer}");
    }
}

#[tokio::test]
async fn a_hundred_forged_addresses_do_not_get_a_visitor_past_a_limit_of_one() {
    let app = once(behind_proxies());
    let mut passed = 0;
    for made_up in 0..100 {
        let forwarded = format!("203.0.113.{made_up}, 198.51.100.1");
        let response = app
            .send(with(from("10.0.0.1"), "x-forwarded-for", &forwarded))
            .await;
        passed += u32::from(response.status().is_success());
    }
    assert_eq!(passed, 1);

    let mut passed = 0;
    for made_up in 0..100 {
        let forwarded = format!("203.0.113.{made_up}");
        let response = app
            .send(with(from("198.51.100.2"), "x-forwarded-for", &forwarded))
            .await;
        passed += u32::from(response.status().is_success());
    }
    assert_eq!(passed, 1, "a peer that is no proxy is not believed");
}

#[tokio::test]
async fn a_header_that_reads_like_an_address_is_not_that_address() {
    let app = once(KeyBy::header(API_KEY).or(KeyBy::peer()));
    let keyed = |key: &str| with(from("192.0.2.1"), "x-api-key", key);
    assert_eq!(app.send(keyed("192.0.2.1")).await.status(), 200);
    assert_eq!(app.status("192.0.2.1").await, 200);
    assert_eq!(app.send(keyed("192.0.2.1")).await.status(), 429);
    assert_eq!(app.send(keyed(&"long".repeat(1_000))).await.status(), 200);
    assert_eq!(app.send(keyed(&"long".repeat(1_001))).await.status(), 200);
    assert_eq!(app.send(keyed(&"long".repeat(1_000))).await.status(), 429);
}

#[tokio::test]
async fn two_headers_with_one_value_are_two_visitors() {
    let account = HeaderName::from_static("x-account");
    let app = once(KeyBy::header(API_KEY).or(KeyBy::header(account.clone())));
    let by = |name| with(from("192.0.2.1"), name, "4711");
    for (name, status) in [
        ("x-api-key", 200),
        ("x-account", 200),
        ("x-api-key", 429),
        ("x-account", 429),
    ] {
        assert_eq!(app.send(by(name)).await.status(), status, "{name}");
    }
    // A part of a compound key has the same key as alone, whether a layer has prepared it or not.
    let (limiter, (parts, ())) = (
        limiter(model().0, Quota::per_hour(1)),
        by("x-account").into_parts(),
    );
    let key = KeyBy::header(account).and(KeyBy::everybody());
    let key = key.key(&limiter, &parts).await.unwrap();
    assert_eq!(
        key.as_str(),
        "limit:{test:all:header%3Ax-account%3A4711:everybody}"
    );
}

#[tokio::test]
async fn a_tenant_named_everybody_does_not_share_the_quota_of_requests_without_a_tenant() {
    let tenant = || {
        KeyBy::from_fn(|parts: &Parts| {
            let name = parts.headers.get("x-tenant")?.to_str().ok()?;
            Some(name.to_owned())
        })
    };
    let later = KeyBy::from_async_fn(async |parts: &Parts| {
        let name = parts.headers.get("x-tenant")?.to_str().ok()?;
        Some(name.to_owned())
    });
    for key_by in [
        tenant().or(KeyBy::everybody()),
        later.or(KeyBy::everybody()),
    ] {
        let app = once(key_by);
        let by_name = || with(from("192.0.2.1"), "x-tenant", "everybody");
        assert_eq!(app.send(by_name()).await.status(), 200);
        assert_eq!(app.status("192.0.2.1").await, 200);
        assert_eq!(app.send(by_name()).await.status(), 429);
        assert_eq!(app.status("192.0.2.1").await, 429);
    }
}

#[tokio::test]
async fn a_header_that_is_sent_twice_counts_as_missing() {
    let app = once(KeyBy::header(API_KEY));
    for (one, two) in [("a", "b"), ("c", "d")] {
        let request = with(with(from("192.0.2.1"), "x-api-key", one), "x-api-key", two);
        let expected = if one == "a" { 200 } else { 429 };
        assert_eq!(app.send(request).await.status(), expected);
    }
}

#[tokio::test]
async fn a_function_tells_visitors_apart() {
    let app = once(KeyBy::from_fn(|parts: &Parts| {
        Some(parts.uri.path().trim_matches('/').to_owned())
    }));
    for (path, status) in [("/a", 200), ("/b", 200), ("/a/", 429)] {
        let mut request = from("192.0.2.1");
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(app.send(request).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_key_of_several_parts_is_charged_only_if_all_are_found() {
    let path = KeyBy::from_fn(|parts: &Parts| Some(parts.uri.path().to_owned()));
    let now = KeyBy::header(API_KEY)
        .and(path.clone())
        .or(KeyBy::everybody());
    let later = KeyBy::from_async_fn(async |parts: &Parts| {
        parts
            .headers
            .get("x-api-key")
            .map(|key| key.as_bytes().to_vec())
    });
    let later = later.and(path).or(KeyBy::everybody());
    for key_by in [now, later] {
        let app = once(key_by);
        let to = |path: &str, key: &str| {
            let mut request = with(from("192.0.2.1"), "x-api-key", key);
            *request.uri_mut() = path.parse().unwrap();
            request
        };
        for (request, status) in [
            (to("/a", "one"), 200),
            (to("/b", "one"), 200),
            (to("/a", "two"), 200),
            (to("/a", "one"), 429),
            (from("192.0.2.1"), 200),
            (from("192.0.2.2"), 429),
            // What separates the parts in a key does not do so in a part.
            (to("/a", "one:own:/b"), 200),
        ] {
            assert_eq!(app.send(request).await.status(), status);
        }
    }
    let shown = format!(
        "{:?}",
        KeyBy::header(API_KEY)
            .and(KeyBy::peer())
            .and(KeyBy::everybody())
    );
    assert_eq!(
        shown,
        "KeyBy::header.and(KeyBy::peer).and(KeyBy::everybody)"
    );
}

#[tokio::test]
async fn a_prefix_length_makes_one_visitor_of_a_network() {
    let lengths = PrefixLengths::new(24, 48).unwrap();
    let app = once(
        KeyBy::header(API_KEY)
            .or(KeyBy::peer())
            .with_prefix_lengths(lengths),
    );
    for (peer, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.9", 429),
        ("192.0.3.1", 200),
        ("2001:db8:1:1::1", 200),
        // Rotation within a /48.
        ("2001:db8:1:ffff::1", 429),
        ("2001:db8:2::1", 200),
    ] {
        assert_eq!(app.status(peer).await, status, "{peer}");
    }
}

#[tokio::test]
async fn an_address_in_a_header_is_charged_if_a_declared_proxy_wrote_it() {
    let name = HeaderName::from_static("cf-connecting-ip");
    let proxies = TrustedProxies::header("10.0.0.0/8".parse().unwrap(), name);
    let app = once(KeyBy::forwarded(proxies));
    for (peer, sent, status) in [
        ("10.0.0.1", "198.51.100.1", 200),
        ("10.0.0.2", "198.51.100.1", 429),
        ("203.0.113.9", "198.51.100.2", 200),
        ("203.0.113.9", "198.51.100.3", 429),
        ("10.0.0.1", "198.51.100.2", 200),
    ] {
        let request = with(from(peer), "cf-connecting-ip", sent);
        assert_eq!(app.send(request).await.status(), status, "{peer} {sent}");
    }
}

#[tokio::test]
async fn everybody_together_is_one_visitor() {
    let app = once(KeyBy::everybody());
    assert_eq!(app.status("192.0.2.1").await, 200);
    assert_eq!(app.status("192.0.2.2").await, 429);
}

#[tokio::test]
async fn requests_without_a_key_share_one_quota() {
    let app = once(KeyBy::header(API_KEY));
    assert_eq!(app.status("192.0.2.1").await, 200);
    assert_eq!(app.status("192.0.2.2").await, 429);
}

#[tokio::test]
async fn requests_without_a_key_pass_uncounted_if_that_is_declared() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let layer =
        RateLimitLayer::new(limiter, KeyBy::header(API_KEY)).with_unkeyed(Unkeyed::ExemptFromLimit);
    let app = App::new(layer);
    for _ in 0..5 {
        let response = app.send(from("192.0.2.1")).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn the_key_that_is_returned_is_the_one_that_is_charged() {
    let (store, _) = model();
    let limiter = limiter(store, Quota::per_hour(1));
    let own = KeyBy::from_fn(|parts: &Parts| parts.uri.host().map(str::to_owned));
    let forwarded = with(from("10.0.0.1"), "x-forwarded-for", "198.51.100.7");
    let keyed = with(from("192.0.2.1"), "x-api-key", "secret");
    for (key_by, request, key) in [
        (KeyBy::peer(), from("192.0.2.1"), Some("ip:192.0.2.1")),
        (KeyBy::peer(), http::Request::new(()), None),
        (behind_proxies(), forwarded, Some("ip:198.51.100.7")),
        (
            KeyBy::header(API_KEY),
            keyed,
            Some("header:x-api-key:secret"),
        ),
        (KeyBy::header(API_KEY), from("192.0.2.1"), None),
        (KeyBy::everybody(), from("192.0.2.1"), Some("everybody")),
        (own, from("192.0.2.1"), None),
    ] {
        let (parts, ()) = request.into_parts();
        let found = key_by.key(&limiter, &parts).await;
        let found = found.as_ref().map(larder_store::Key::as_str);
        let key = key.map(|key| format!("limit:{{test:{key}}}"));
        assert_eq!(found, key.as_deref(), "{key_by:?}");
    }
}

#[test]
fn the_client_of_a_request_is_returned_if_its_peer_is_known() {
    let proxies = TrustedProxies::x_forwarded_for("10.0.0.0/8".parse().unwrap());
    let client = |request: http::Request<()>| proxies.client(&request.into_parts().0);
    let forwarded = |peer| with(from(peer), "x-forwarded-for", "198.51.100.7");
    assert_eq!(client(forwarded("10.0.0.1")), "198.51.100.7".parse().ok());
    assert_eq!(client(forwarded("192.0.2.1")), "192.0.2.1".parse().ok());
    assert_eq!(client(http::Request::new(())), None);
    let elsewhere = proxies
        .clone()
        .with_peer_found_by(|_| "10.9.9.9".parse().ok());
    let request = with(http::Request::new(()), "x-forwarded-for", "198.51.100.7");
    assert_eq!(
        elsewhere.client(&request.into_parts().0),
        "198.51.100.7".parse().ok()
    );
}

#[test]
fn debug_names_no_header_and_no_address() {
    let shown = format!("{:?}", KeyBy::header(API_KEY).or(behind_proxies()));
    assert_eq!(shown, "KeyBy::header.or(KeyBy::forwarded)");
}
