//! Responses that vary (RFC 9111, 4.1).

use crate::fixture::{Fixture, HOUR};
use crate::gate::Control;

const VARY: (&str, &str) = ("vary", "accept-language");

#[tokio::test]
async fn each_variant_is_served_to_the_requests_that_select_it() {
    let fixture = super::fixture().await;
    for (language, text) in [("de", "eins"), ("en", "one"), ("fr", "un")] {
        fixture.origin.then(200, &[HOUR, VARY], text);
        let asked = [("accept-language", language)];
        assert_eq!(fixture.get_with("/", &asked).await.text(), text);
    }
    fixture.origin.then(200, &[HOUR, VARY], "nothing said");
    assert_eq!(fixture.get("/").await.text(), "nothing said");
    for process in [&fixture, &fixture.sibling()] {
        for (language, text) in [("de", "eins"), ("EN", "one"), ("fr", "un")] {
            let hit = process
                .get_with("/", &[("accept-language", language)])
                .await;
            assert_eq!((hit.text(), hit.is_hit()), (text, true));
        }
        assert_eq!(process.get("/").await.text(), "nothing said");
    }
    assert_eq!(fixture.origin.count(), 4);
}

#[tokio::test]
async fn variants_have_a_cap_and_the_oldest_is_removed() {
    let fixture = super::fixture_with(|builder| builder.with_max_variants(2)).await;
    for language in ["a", "b", "c"] {
        fixture.origin.then(200, &[HOUR, VARY], "x");
        fixture
            .get_with("/", &[("accept-language", language)])
            .await;
    }
    for (language, is_hit) in [("b", true), ("c", true), ("a", false)] {
        let answered = fixture
            .get_with("/", &[("accept-language", language)])
            .await;
        assert_eq!(answered.is_hit(), is_hit, "{language}");
    }
}

#[tokio::test]
async fn a_vary_field_that_is_added_later_selects_from_then_on() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR, VARY], "one");
    fixture.get_with("/", &[("accept-language", "en")]).await;
    fixture.origin.then(200, &[HOUR, ("vary", "x")], "two");
    fixture
        .get_with("/", &[("accept-language", "de"), ("x", "1")])
        .await;
    fixture.origin.then(200, &[HOUR, ("vary", "x")], "three");
    let asked = [("accept-language", "de"), ("x", "2")];
    assert_eq!(fixture.get_with("/", &asked).await.text(), "three");
    assert_eq!(fixture.get_with("/", &asked).await.text(), "three");
}

#[tokio::test]
async fn a_stale_variant_is_validated_by_its_own_tag() {
    let fixture = super::fixture().await;
    let short = ("cache-control", "max-age=10");
    for (language, tag) in [("de", "\"d\""), ("en", "\"e\"")] {
        fixture.origin.then(200, &[short, VARY, ("etag", tag)], "x");
        fixture
            .get_with("/", &[("accept-language", language)])
            .await;
    }
    fixture.later(11);
    fixture.origin.then(304, &[short], "");
    let asked = [("accept-language", "de")];
    fixture.get_with("/", &asked).await;
    let last = fixture.origin.last();
    assert_eq!(
        (&last["if-none-match"], &last["accept-language"]),
        (&"\"d\"".parse().unwrap(), &"de".parse().unwrap())
    );
    assert!(fixture.get_with("/", &asked).await.is_hit());
}

#[tokio::test]
async fn a_page_for_a_forwarded_host_is_served_to_no_other_host() {
    let fixture = super::fixture().await;
    let evil = [("x-forwarded-host", "evil.example")];
    fixture.origin.then(200, &[HOUR], "links to evil.example");
    fixture.get_with("/", &evil).await;
    fixture.origin.then(200, &[HOUR], "clean");
    assert_eq!(fixture.get("/").await.text(), "clean");
    assert_eq!(fixture.get("/").await.text(), "clean");
    assert_eq!(
        fixture.get_with("/", &evil).await.text(),
        "links to evil.example"
    );

    fixture.origin.then(200, &[HOUR], "clean");
    fixture.get("/b").await;
    fixture.origin.then(200, &[HOUR], "links to evil.example");
    assert_eq!(
        fixture.get_with("/b", &evil).await.text(),
        "links to evil.example"
    );
    fixture.origin.then(200, &[HOUR], "clean");
    assert_eq!(fixture.get("/b").await.text(), "clean");
    assert_eq!(fixture.origin.count(), 5);
}

#[tokio::test]
async fn a_key_field_selects_without_vary() {
    let fixture =
        super::fixture_with(|builder| builder.with_key_field("x-tenant".parse().unwrap())).await;
    for tenant in ["a", "b"] {
        fixture.origin.then(200, &[HOUR], "x");
        assert!(
            !fixture
                .get_with("/", &[("x-tenant", tenant)])
                .await
                .is_hit()
        );
        assert!(
            fixture
                .get_with("/", &[("x-tenant", tenant)])
                .await
                .is_hit()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_rounds_each_request_gets_its_variant() {
    use std::sync::Arc;

    use http_body_util::{BodyExt, Full};
    use tokio::task::JoinSet;

    use crate::fixture::response;

    let fixture = Arc::new(super::fixture().await);
    for round in 0..1_000 {
        for _ in 0..8 {
            fixture.origin.then_with(|request| {
                let asked = request.headers()["accept-language"].as_bytes().to_vec();
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    let body = Full::from(asked).map_err(|never| match never {});
                    Ok(response(200, &[HOUR, VARY], body.boxed_unsync()))
                })
            });
        }
        let path = format!("/{round}");
        for _ in 0..2 {
            let mut visitors = JoinSet::new();
            for language in ["de", "en", "fr"] {
                let (fixture, path) = (fixture.clone(), path.clone());
                visitors.spawn(async move {
                    let asked = [("accept-language", language)];
                    (language, fixture.get_with(&path, &asked).await)
                });
            }
            for (language, answered) in visitors.join_all().await {
                assert_eq!(answered.text(), language, "round {round}");
            }
        }
        fixture.origin.drop_script();
    }
}

/// Returns how many responses are left in the store of those that were written.
async fn left(fixture: &Fixture, control: &Control) -> usize {
    let mut left = 0;
    for key in control.written() {
        let is_response = key.as_str().starts_with("response:");
        left += usize::from(is_response && fixture.store.get(&key).await.unwrap().is_some());
    }
    left
}

#[tokio::test]
async fn a_purge_also_removes_the_variants_that_its_process_knows() {
    let (fixture, control) = super::gated().await;
    for x in ["1", "2"] {
        fixture.origin.then(200, &[HOUR, ("vary", "x")], "one");
        fixture.get_with("/", &[("x", x)]).await;
    }
    assert_eq!(left(&fixture, &control).await, 3);
    let purger = fixture.layer.purger();
    purger.purge("http://cinema.example/").await.unwrap();
    assert_eq!(left(&fixture, &control).await, 0);
}

#[tokio::test]
async fn no_visitor_waits_for_the_removal_of_variants_that_cannot_be_found_any_more() {
    let (fixture, control) = super::gated().await;
    for vary in ["x", "y"] {
        fixture.origin.then(200, &[HOUR, ("vary", vary)], "one");
        let first = fixture.get_with("/", &[("x", vary)]).await;
        assert!(first.field("cache-status").ends_with("; stored"));
    }
    assert_eq!(control.count(("delete_many", "response:")), 0);
    assert_eq!(control.count(("delete", "response:")), 0);
}

#[tokio::test]
async fn variants_of_too_many_fields_together_are_refused_as_such() {
    let fixture = super::fixture().await;
    for (from, detail) in [(0, "; stored"), (10, "; detail=vary")] {
        let fields: Vec<_> = (from..from + 10)
            .map(|field| format!("x-{field}"))
            .collect();
        fixture
            .origin
            .then(200, &[HOUR, ("vary", &fields.join(", "))], "one");
        let answered = fixture.get_with("/", &[("x-0", &from.to_string())]).await;
        let said = answered.field("cache-status");
        assert!(said.ends_with(detail), "{said}");
    }
}
