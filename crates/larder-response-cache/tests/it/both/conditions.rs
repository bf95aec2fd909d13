//! Conditional requests, from clients and to the origin (RFC 9111, 4.3), and ranges.

use crate::fixture::HOUR;

const EARLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[tokio::test]
async fn a_client_that_has_the_response_gets_a_304() {
    let fixture = super::fixture().await;
    let fields = [HOUR, ("etag", "\"a\""), ("content-digest", "sha-256=:YQ==:")];
    fixture.origin.then(200, &fields, "one");
    assert_eq!(fixture.get("/").await.field("content-digest"), fields[2].1);
    let answered = fixture.get_with("/", &[("if-none-match", "W/\"a\"")]).await;
    assert_eq!(answered.field("content-digest"), "");
    assert_eq!((answered.status.as_u16(), answered.text()), (304, ""));
    assert_eq!(
        (answered.field("etag"), answered.field("content-length")),
        ("\"a\"", "")
    );
    let other = fixture.get_with("/", &[("if-none-match", "\"b\"")]).await;
    assert_eq!((other.status.as_u16(), other.text()), (200, "one"));
    assert_eq!(fixture.origin.count(), 1);
}

#[tokio::test]
async fn a_stale_response_is_validated_and_updated_by_a_304() {
    let fixture = super::fixture().await;
    let short = ("cache-control", "max-age=10");
    let modified = fixture.date(-100);
    fixture.origin.then(
        200,
        &[
            short,
            ("etag", "\"a\""),
            ("x", "1"),
            ("last-modified", &modified),
        ],
        "one",
    );
    fixture.get("/").await;
    fixture.later(20);
    fixture
        .origin
        .then(304, &[short, ("x", "2"), ("content-length", "99")], "");
    let validated = fixture
        .get_with("/", &[("if-none-match", "\"mine\"")])
        .await;
    assert_eq!((validated.status.as_u16(), validated.text()), (200, "one"));
    assert_eq!((validated.field("x"), validated.field("age")), ("2", "0"));
    assert_eq!(validated.field("content-length"), "3");
    assert!(
        validated
            .field("cache-status")
            .contains("fwd=stale; fwd-status=304")
    );
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
    assert_eq!(
        fixture.origin.last()["if-modified-since"],
        modified.as_str()
    );
    fixture.later(9);
    assert!(fixture.get("/").await.is_hit());
    assert_eq!(fixture.sibling().get("/").await.field("x"), "2");
}

#[tokio::test]
async fn a_client_that_has_the_replacement_of_a_stale_response_gets_a_304() {
    let fixture = super::fixture().await;
    let short = ("cache-control", "max-age=10");
    fixture.origin.then(200, &[short, ("etag", "\"a\"")], "one");
    fixture.get("/").await;
    fixture.later(20);
    fixture.origin.then(200, &[short, ("etag", "\"b\"")], "two");
    let answered = fixture.get_with("/", &[("if-none-match", "\"b\"")]).await;
    assert_eq!((answered.status.as_u16(), answered.field("etag")), (304, "\"b\""));
    assert_eq!(fixture.get("/").await.text(), "two");
}

#[tokio::test]
async fn a_page_that_one_process_validated_is_fresh_for_all() {
    let fixture = super::fixture().await;
    let sibling = fixture.sibling();
    let fields = [("cache-control", "max-age=5"), ("etag", "\"a\"")];
    for vary in ["", "x"] {
        let path = format!("/{vary}");
        let fields = [fields[0], fields[1], ("vary", vary)];
        fixture.origin.then(200, &fields, "one");
        fixture.get(&path).await;
        assert!(sibling.get(&path).await.is_hit());
        fixture.later(6);
        fixture.origin.then(304, &fields, "");
        fixture.get(&path).await;
        assert!(sibling.get(&path).await.is_hit());
    }
    assert_eq!((fixture.origin.count(), sibling.origin.count()), (4, 0));
}

#[tokio::test]
async fn a_client_that_has_the_response_gets_a_304_after_a_validation() {
    let fixture = super::fixture().await;
    let fields = [("cache-control", "no-cache"), ("etag", "\"a\"")];
    fixture
        .origin
        .then(200, &fields, "one")
        .then(304, &fields, "");
    fixture.get("/").await;
    let answered = fixture.get_with("/", &[("if-none-match", "\"a\"")]).await;
    assert_eq!(answered.status.as_u16(), 304);
}

#[tokio::test]
async fn a_changed_response_replaces_the_stale_one() {
    let fixture = super::fixture().await;
    let short = ("cache-control", "max-age=10");
    fixture.origin.then(200, &[short, ("etag", "\"a\"")], "one");
    fixture.get("/").await;
    fixture.later(20);
    fixture.origin.then(200, &[short, ("etag", "\"b\"")], "two");
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(fixture.origin.count(), 2);
}

#[tokio::test]
async fn a_304_with_no_store_removes_the_stored_response() {
    let fixture = super::fixture().await;
    fixture.origin.then(
        200,
        &[("cache-control", "max-age=10"), ("etag", "\"a\"")],
        "one",
    );
    fixture.get("/").await;
    fixture.later(20);
    fixture
        .origin
        .then(304, &[("cache-control", "no-store")], "");
    assert_eq!(fixture.get("/").await.text(), "one");
    assert_eq!(fixture.get("/").await.text(), "unscripted");
    assert!(!fixture.origin.last().contains_key("if-none-match"));
}

#[tokio::test]
async fn a_range_is_forwarded_if_nothing_is_stored() {
    let fixture = super::fixture().await;
    fixture.origin.then(206, &[HOUR], "on");
    let fields = [("range", "bytes=0-1"), ("if-none-match", "\"a\"")];
    assert_eq!(fixture.get_with("/", &fields).await.text(), "on");
    assert_eq!(fixture.origin.last()["range"], "bytes=0-1");
    assert_eq!(fixture.origin.last()["if-none-match"], "\"a\"");
    fixture.origin.then(200, &[HOUR], "one");
    assert_eq!(fixture.get("/").await.text(), "one");
}

#[tokio::test]
async fn conditional_requests_fetch_the_complete_response_once() {
    let fixture = std::sync::Arc::new(super::fixture().await);
    let fields = [HOUR, ("etag", "\"a\""), ("last-modified", EARLY)];
    fixture.origin.then(200, &fields, "one");
    let mut visitors = tokio::task::JoinSet::new();
    for number in 0..20 {
        let fixture = fixture.clone();
        visitors.spawn(async move {
            let conditions = [
                &[("if-none-match", "\"a\"")][..],
                &[("if-none-match", "\"b\"")],
                &[("if-modified-since", EARLY)],
                &[],
            ];
            let answered = fixture.get_with("/", conditions[number % 4]).await;
            (number % 2 == 0, answered.status.as_u16(), answered.text().to_owned())
        });
    }
    for (has_it, status, text) in visitors.join_all().await {
        let expected = if has_it { (304, "") } else { (200, "one") };
        assert_eq!((status, text.as_str()), expected);
    }
    let last = fixture.origin.last();
    assert!(!last.contains_key("if-none-match") && !last.contains_key("if-modified-since"));
    for _ in 0..21 {
        let again = fixture.get_with("/", &[("if-none-match", "W/\"a\"")]).await;
        assert_eq!(again.status.as_u16(), 304);
    }
    assert_eq!(fixture.origin.count(), 1);
    assert!(fixture.sibling().get("/").await.is_hit());
}

#[tokio::test]
async fn a_client_that_has_an_unstorable_response_gets_a_304_and_is_then_forwarded_alone() {
    let fixture = super::fixture().await;
    let fields = [("cache-control", "private"), ("etag", "\"a\"")];
    fixture.origin.then(200, &fields, "one").then(304, &fields, "");
    let has_it = [("if-none-match", "\"a\"")];
    for sent in [false, true] {
        let answered = fixture.get_with("/", &has_it).await;
        assert_eq!((answered.status.as_u16(), answered.text()), (304, ""));
        assert_eq!(answered.field("etag"), "\"a\"");
        assert_eq!(fixture.origin.last().contains_key("if-none-match"), sent);
    }
}

#[tokio::test]
async fn a_range_of_a_stored_response_is_served() {
    let fixture = super::fixture().await;
    let digest = "sha-256=:YQ==:";
    let digests = [("content-digest", digest), ("content-md5", "YQ=="), ("repr-digest", digest)];
    let fields = [&[HOUR, ("x", "1")][..], &digests].concat();
    fixture.origin.then(200, &fields, "0123456789");
    fixture.get("/").await;
    let part = fixture.get_with("/", &[("range", "bytes=2-4")]).await;
    assert_eq!(
        (part.status.as_u16(), part.text(), part.field("x")),
        (206, "234", "1")
    );
    assert_eq!(part.field("content-range"), "bytes 2-4/10");
    assert_eq!(part.field("content-length"), "3");
    let none = fixture.get_with("/", &[("range", "bytes=10-")]).await;
    assert_eq!(
        (none.status.as_u16(), none.field("content-range")),
        (416, "bytes */10")
    );
    // Only the digest of the representation is valid for a part too (RFC 9530).
    for answered in [&part, &none] {
        let kept = ["content-digest", "content-md5", "repr-digest"];
        assert_eq!(kept.map(|name| answered.field(name)), ["", "", digest]);
    }
    assert_eq!(fixture.origin.count(), 1);
}
