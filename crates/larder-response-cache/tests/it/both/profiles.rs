//! How the two profiles differ.

use larder_response_cache::Profile;

use crate::fixture::{Answered, HOUR};

#[tokio::test]
async fn only_the_rfc_profile_stores_a_cookie() {
    for (profile, is_hit) in [(Profile::Safe, false), (Profile::Rfc, true)] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        for _ in 0..2 {
            fixture
                .origin
                .then(200, &[HOUR, ("set-cookie", "a=b")], "one");
        }
        fixture.get("/").await;
        let second = fixture.get("/").await;
        assert_eq!(
            (second.is_hit(), second.field("set-cookie")),
            (is_hit, "a=b")
        );
    }
}

#[tokio::test]
async fn a_cookie_of_a_304_reaches_one_client_only() {
    let fixture = super::fixture().await;
    let fields = [("cache-control", "max-age=10"), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(10);
    fixture.origin.then(304, &[("set-cookie", "a=b")], "");
    assert_eq!(fixture.get("/").await.field("set-cookie"), "a=b");
    let hit = fixture.get("/").await;
    assert_eq!((hit.is_hit(), hit.field("set-cookie")), (true, ""));
}

#[tokio::test]
async fn the_fields_of_a_304_for_its_client_reach_it_also_if_it_is_about_another_response() {
    let fixture = super::fixture().await;
    let fields = [("cache-control", "max-age=10"), ("etag", "\"a\""), ("x-secret", "of the page")];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    fixture.later(10);
    let other = [
        ("etag", "\"b\""),
        ("cache-control", "no-cache=\"x-secret\""),
        ("x-secret", "of Ada"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
        ("ratelimit", "of Ada"),
    ];
    fixture.origin.then(304, &other, "");
    let own = fixture.get("/").await;
    assert_eq!((own.text(), own.field("etag")), ("one", "\"a\""));
    for (name, values) in [
        ("x-secret", &["of Ada"][..]),
        ("set-cookie", &["a=b", "c=d"]),
        ("ratelimit", &["of Ada"]),
    ] {
        let seen: Vec<_> = own.headers.get_all(name).iter().collect();
        assert_eq!(seen, values, "{name}");
    }
}

#[tokio::test]
async fn only_the_rfc_profile_replays_the_fields_of_a_visitors_rate_limit() {
    const LIMIT: [&str; 5] = [
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-remaining",
        "ratelimit-limit",
        "x-rate-limit-reset",
    ];
    let limit = |answered: &Answered| LIMIT.map(|name| answered.field(name).to_owned());
    for (profile, replays) in [(Profile::Safe, false), (Profile::Rfc, true)] {
        for (said, secret) in [
            ("max-age=10", "of the page"),
            ("max-age=10, no-cache=\"x-secret\"", ""),
        ] {
            let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
            for (status, visitor) in [(200, "of Ada"), (304, "of Bob")] {
                let page = [("cache-control", said), ("etag", "\"a\""), ("x-secret", "of the page")];
                let fields: Vec<_> = page.into_iter().chain(LIMIT.map(|name| (name, visitor))).collect();
                fixture.origin.then(status, &fields, "one");
                let own = fixture.get("/").await;
                assert_eq!((own.text(), limit(&own)), ("one", LIMIT.map(|_| visitor.to_owned())));
                // A sibling has the safe profile, so it does not share responses of the RFC profile.
                let sibling = (profile == Profile::Safe).then(|| fixture.sibling());
                for process in std::iter::once(&fixture).chain(&sibling) {
                    let hit = process.get("/").await;
                    assert!(hit.is_hit(), "{profile:?} {said} {visitor}");
                    let replayed = if replays { visitor } else { "" };
                    assert_eq!(limit(&hit), LIMIT.map(|_| replayed.to_owned()), "{profile:?} {said}");
                    assert_eq!(hit.field("x-secret"), secret, "{profile:?}");
                }
                fixture.later(20);
            }
        }
    }
}

#[tokio::test]
async fn authorization_needs_permission_to_store_and_in_the_safe_profile_to_serve() {
    let authorized = [("authorization", "Basic eA==")];
    for profile in [Profile::Safe, Profile::Rfc] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        fixture.origin.then(200, &[HOUR], "mine");
        fixture.get_with("/", &authorized).await;
        assert_eq!(fixture.get("/").await.text(), "unscripted");
        fixture.origin.then(200, &[HOUR], "public");
        assert_eq!(fixture.get("/").await.text(), "public");
        let hit = fixture.get_with("/", &authorized).await.is_hit();
        assert_eq!(hit, profile == Profile::Rfc);

        fixture
            .origin
            .then(200, &[HOUR, ("cache-control", "public")], "shared");
        fixture.get_with("/leave", &authorized).await;
        assert!(fixture.get("/leave").await.is_hit());
        assert!(fixture.get_with("/leave", &authorized).await.is_hit());
    }
}

#[tokio::test]
async fn a_request_with_a_cookie_can_be_a_hit() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get_with("/", &[("cookie", "a=1")]).await;
    assert!(fixture.get_with("/", &[("cookie", "a=2")]).await.is_hit());
}

#[tokio::test]
async fn in_the_safe_profile_a_response_that_varies_with_the_cookie_is_not_stored() {
    let fixture = super::fixture().await;
    for visitor in ["ada", "bob", "ada"] {
        fixture
            .origin
            .then(200, &[HOUR, ("vary", "cookie")], "personal");
        let asked = [("cookie", visitor)];
        assert!(!fixture.get_with("/", &asked).await.is_hit());
    }
    assert_eq!(fixture.origin.count(), 3);
}

#[tokio::test]
async fn only_the_rfc_profile_forwards_a_clients_preconditions() {
    let condition = [("if-none-match", "\"a\"")];
    for (profile, is_asked) in [(Profile::Safe, false), (Profile::Rfc, true)] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        fixture.get_with("/", &condition).await;
        assert_eq!(fixture.origin.last().contains_key("if-none-match"), is_asked);
    }
}

#[tokio::test]
async fn only_the_rfc_profile_stores_a_stale_response_for_max_stale() {
    for (profile, is_hit) in [(Profile::Safe, false), (Profile::Rfc, true)] {
        let fixture = super::fixture_with(|builder| builder.with_profile(profile)).await;
        fixture.origin.then(200, &[HOUR, ("age", "3610")], "stale");
        fixture.get("/").await;
        let request = [("cache-control", "max-stale=60")];
        assert_eq!(fixture.get_with("/", &request).await.is_hit(), is_hit);
        for said in [
            "max-age=60, no-cache",
            "max-age=0, must-revalidate, stale-while-revalidate=60",
        ] {
            fixture.origin.then(200, &[("cache-control", said)], "stale");
            let answered = fixture.get(&format!("/{}", said.len())).await;
            let why = answered.field("cache-status");
            assert!(why.ends_with("detail=useless"), "{profile:?} {said}: {why}");
        }
    }
}
