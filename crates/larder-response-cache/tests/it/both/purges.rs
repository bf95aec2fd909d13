//! Purges, and the invalidation by unsafe requests (RFC 9111, 4.4).

use bytes::Bytes;
use http::Method;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, request, response};

#[tokio::test]
async fn an_unsafe_request_invalidates_its_uri_and_those_that_its_response_names() {
    let fixture = super::fixture().await;
    let paths = ["/a", "/b", "/c", "/d"];
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        for path in paths {
            fixture.origin.then(200, &[HOUR], "one");
            fixture.get(path).await;
        }
        let fields = [
            ("location", "b"),
            ("content-location", "http://cinema.example/c"),
        ];
        fixture.origin.then(201, &fields, "");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        fixture.send(request(method, "/a", &[])).await.unwrap();
        for (path, is_hit) in [("/a", false), ("/b", false), ("/c", false), ("/d", true)] {
            assert_eq!(fixture.get(path).await.is_hit(), is_hit, "{path}");
        }
        fixture
            .layer
            .purger()
            .purge("http://cinema.example/d")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_failed_unsafe_request_and_another_origin_invalidate_nothing() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/a").await;
    fixture
        .origin
        .then(500, &[], "")
        .then(403, &[], "")
        .then(200, &[("location", "/a")], "");
    for _ in 0..2 {
        fixture
            .send(request(Method::POST, "/a", &[]))
            .await
            .unwrap();
    }
    let other = request(Method::POST, "/b", &[("host", "other.example")]);
    fixture.send(other).await.unwrap();
    assert!(fixture.get("/a").await.is_hit());
}

#[tokio::test]
async fn a_purge_removes_all_variants_in_every_process() {
    let fixture = super::fixture().await;
    let vary = ("vary", "x");
    for x in ["1", "2"] {
        fixture.origin.then(200, &[HOUR, vary], "one");
        fixture.get_with("/?q", &[("x", x)]).await;
    }
    let sibling = fixture.sibling();
    sibling
        .layer
        .purger()
        .purge("http://cinema.example/?q")
        .await
        .unwrap();
    for x in ["1", "2"] {
        assert!(!sibling.get_with("/?q", &[("x", x)]).await.is_hit());
        // This process serves its own copy until the near TTL ends.
        assert!(fixture.get_with("/?q", &[("x", x)]).await.is_hit());
    }
    fixture.later(10);
    for x in ["1", "2"] {
        assert!(!fixture.get_with("/?q", &[("x", x)]).await.is_hit());
    }
}

#[tokio::test]
async fn neither_a_purge_nor_an_unsafe_request_reads_what_is_stored() {
    const READ: (&str, &str) = ("get", "response:");
    let (fixture, control) = super::gated().await;
    for vary in ["", "x"] {
        for is_purge in [false, true] {
            fixture.origin.then(200, &[HOUR, ("vary", vary)], "one");
            fixture.get("/").await;
            let before = control.count(READ);
            if is_purge {
                fixture.layer.purger().purge("http://cinema.example/").await.unwrap();
            } else {
                fixture.origin.then(204, &[], "");
                fixture.send(request(Method::PUT, "/", &[])).await.unwrap();
            }
            assert_eq!(control.count(READ), before, "{vary} {is_purge}");
            assert!(!fixture.sibling().get("/").await.is_hit(), "{vary} {is_purge}");
        }
    }
}

#[tokio::test]
async fn a_purge_of_an_invalid_uri_is_an_error() {
    let purger = super::fixture().await.layer.purger();
    for uri in [
        "/path",
        "http://",
        "no uri",
        "http://u@a/",
        "htps://a/",
        "ftp://a/",
    ] {
        let error = purger.purge(uri).await.unwrap_err();
        assert_eq!(error.kind(), larder_store::ErrorKind::Invalid, "{uri}");
    }
}

#[tokio::test]
async fn a_purge_of_a_tag_removes_every_response_that_has_it() {
    let fixture = super::fixture().await;
    for (path, tags) in [
        ("/a", "film-1, films"),
        ("/b", "films"),
        ("/c", "film-1"),
        ("/d", ""),
    ] {
        fixture
            .origin
            .then(200, &[HOUR, ("cache-tag", tags)], "one");
        fixture.get(path).await;
    }
    let sibling = fixture.sibling();
    assert!(sibling.get("/b").await.is_hit());
    fixture.layer.purger().purge_tag("films").await.unwrap();
    for (path, is_hit) in [("/a", false), ("/b", false), ("/c", true), ("/d", true)] {
        assert_eq!(fixture.get(path).await.is_hit(), is_hit, "{path}");
    }
    fixture.later(10);
    assert!(!sibling.get("/a").await.is_hit() && !sibling.get("/b").await.is_hit());
    assert!(sibling.get("/c").await.is_hit());
}

/// Begins a fetch, calls `act`, and lets the fetch end.
async fn during_a_fetch(tags: &'static str, act: impl AsyncFnOnce(&Fixture)) -> Fixture {
    let fixture = super::fixture().await;
    let (answer, answered) = oneshot::channel::<()>();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            answered.await.unwrap();
            Ok(response(200, &[HOUR, ("cache-tag", tags)], full("old")))
        })
    });
    let fetch = fixture.get("/");
    let rest = async {
        while fixture.origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        act(&fixture).await;
        answer.send(()).unwrap();
    };
    let (old, ()) = tokio::join!(fetch, rest);
    assert_eq!(old.text(), "old");
    fixture
}

#[tokio::test]
async fn a_response_fetched_before_a_purge_is_not_stored_after_it() {
    let fixture = during_a_fetch("", async |fixture| {
        fixture
            .layer
            .purger()
            .purge("http://cinema.example/")
            .await
            .unwrap();
    });
    assert_eq!(fixture.await.get("/").await.text(), "unscripted");

    let fixture = during_a_fetch("", async |fixture| {
        let other = fixture.sibling();
        other
            .layer
            .purger()
            .purge("http://cinema.example/")
            .await
            .unwrap();
    });
    assert_eq!(fixture.await.get("/").await.text(), "unscripted");

    let fixture = during_a_fetch("a", async |fixture| {
        fixture.layer.purger().purge_tag("a").await.unwrap();
    });
    assert_eq!(fixture.await.get("/").await.text(), "unscripted");

    let fixture = during_a_fetch("", async |fixture| {
        fixture.origin.then(204, &[], "");
        fixture
            .send(request(Method::DELETE, "/", &[]))
            .await
            .unwrap();
    });
    assert_eq!(fixture.await.get("/").await.text(), "unscripted");
}

#[tokio::test]
async fn only_query_parameters_that_count_make_a_page_and_reach_the_handler() {
    let fixture = super::fixture_with(|builder| builder.with_query_names(["page", "genre"])).await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/?utm=1&genre=b&page=2").await;
    for same in ["/?page=2&genre=b", "/?p%61ge=3&genre=b&page=2&x=1"] {
        assert!(fixture.get(same).await.is_hit(), "{same}");
    }
    assert_eq!(fixture.origin.last_uri(), "/?page=2&genre=b");
    assert!(!fixture.get("/?page=3&genre=b").await.is_hit());
    let purger = fixture.layer.purger();
    let purged = purger
        .purge("http://cinema.example/?genre=b&y&page=2")
        .await;
    purged.unwrap();
    assert!(!fixture.get("/?page=2&genre=b").await.is_hit());

    let set = |builder: super::ResponseCacheBuilder| builder.with_ignored_query_names(["utm"]);
    let fixture = super::fixture_with(set).await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/?a&utm=1").await;
    assert!(fixture.get("/?utm=2&a").await.is_hit());
    let put = request(Method::PUT, "/?utm=3&a", &[]);
    fixture.origin.then(204, &[], "");
    fixture.send(put).await.unwrap();
    assert!(!fixture.get("/?a").await.is_hit());
}

#[tokio::test]
async fn no_request_header_purges() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    let purge = Method::from_bytes(b"PURGE").unwrap();
    fixture.origin.then(405, &[], "");
    let refused = request(purge, "/", &[("surrogate-key", "*")]).map(|_| Bytes::new().into());
    fixture.send(refused).await.unwrap();
    assert!(fixture.get("/").await.is_hit());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_thousand_rounds_of_reads_and_purges_no_purged_page_is_served() {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::task::JoinSet;

    static BODIES: [&str; 4] = ["0", "1", "2", "3"];
    let fixture = std::sync::Arc::new(super::fixture().await);
    let current = std::sync::Arc::new(AtomicU64::new(0));
    let purger = fixture.layer.purger();
    for round in 0..1_000_u64 {
        for _ in 0..8 {
            let current = current.clone();
            fixture.origin.then_with(move |_| {
                let body = BODIES[current.load(Ordering::SeqCst) as usize % 4];
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    Ok(response(200, &[HOUR], full(body)))
                })
            });
        }
        let mut visitors = JoinSet::new();
        for _ in 0..3 {
            let fixture = fixture.clone();
            visitors.spawn(async move { fixture.get("/").await });
        }
        current.store(round + 1, Ordering::SeqCst);
        purger.purge("http://cinema.example/").await.unwrap();
        let seen = fixture.send(request(Method::GET, "/", &[])).await.unwrap();
        assert_eq!(
            seen.text(),
            BODIES[(round + 1) as usize % 4],
            "round {round}"
        );
        visitors.join_all().await;
        let seen = fixture.get("/").await;
        assert_eq!(
            seen.text(),
            BODIES[(round + 1) as usize % 4],
            "round {round}"
        );
        fixture.origin.drop_script();
    }
}

#[tokio::test]
async fn a_grpc_call_invalidates_nothing_and_no_other_request_passes_for_one() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR], "one");
    fixture.get("/").await;
    for (method, media, is_kept) in [
        (Method::POST, "application/grpc+proto", true),
        (Method::POST, "Application/gRPC-Web", true),
        (
            Method::POST,
            "application/json; a=\"application/grpc\"",
            false,
        ),
        (Method::PUT, "application/grpc", false),
    ] {
        let field = ("content-type", media);
        fixture.origin.then(200, &[], "changed");
        let request = request(method, "/", &[field]);
        fixture.send(request).await.unwrap();
        fixture.origin.then(200, &[HOUR], "one");
        assert_eq!(fixture.get("/").await.is_hit(), is_kept, "{media}");
        fixture.origin.drop_script();
    }
}
