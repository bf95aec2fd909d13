//! A store that fails for some keys alone, as a cluster does that has lost a shard.

use larder_store::ErrorKind;

use crate::failures::{Failing, PAGE, TAGGED};
use crate::fixture::{HOUR, full, response};
use crate::gate::Operation;
use crate::on_memory::errors::{answer_later, error_after_page};

/// The reads of URIs and variants, of tags, and of variants alone.
const READ: Operation = ("get", "response:");
const READ_TAGS: Operation = ("get_many", "response-tag:");
const READ_VARIANT: Operation = ("get", "response:{v");

#[tokio::test]
async fn a_page_without_tags_is_stored_while_the_shard_of_the_tags_fails() {
    let failing = Failing::new();
    let fixture = failing.fixture();
    let tags = ("get_many", "response-purges:{tags}");
    failing.control.fail(tags, ErrorKind::NotSent);
    for (path, tags, is_stored) in [("/", "", true), ("/tagged", "films", false)] {
        fixture
            .origin
            .then(200, &[HOUR, ("cache-tag", tags)], "one");
        fixture.get(path).await;
        assert_eq!(
            fixture.sibling().get(path).await.is_hit(),
            is_stored,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_page_is_kept_in_this_process_if_only_its_purges_cannot_be_read() {
    let failing = Failing::new();
    let fixture = failing.fixture();
    let purges = ("put", "response-purges:{");
    failing.control.fail(purges, ErrorKind::NotSent);
    fixture.origin.then(200, &[HOUR], "one");
    let first = fixture.get("/").await;
    let said = first.field("cache-status");
    assert!(said.ends_with("; stored"), "{said}");
    assert!(fixture.get("/").await.is_hit());
    assert!(!fixture.sibling().get("/").await.is_hit());
}

#[tokio::test]
async fn a_late_older_response_does_not_remove_a_newer_one_that_only_this_process_has() {
    let failing = Failing::new();
    let fixture = failing.fixture();
    failing.control.fail(READ_TAGS, ErrorKind::NotSent);
    let late = answer_later(&fixture, 200, &TAGGED, "old");
    let reload = async {
        while fixture.origin.count() == 0 {
            tokio::task::yield_now().await;
        }
        fixture.origin.then(200, &TAGGED, "new");
        let newer = fixture.get_with("/", &[("cache-control", "no-cache")]);
        assert_eq!(newer.await.text(), "new");
        late.send(()).unwrap();
    };
    let (older, ()) = tokio::join!(fixture.get("/"), reload);
    let said = older.field("cache-status");
    assert!(
        older.text() == "old" && said.ends_with("; detail=outdated"),
        "{said}"
    );
    let seen = fixture.get("/").await;
    assert_eq!((seen.text(), seen.is_hit()), ("new", true));
}

#[tokio::test]
async fn an_error_does_not_remove_a_fresh_page_that_only_this_process_has() {
    let failing = Failing::new();
    let fixture = failing.fixture();
    failing.control.fail(READ_TAGS, ErrorKind::NotSent);
    error_after_page(&fixture, &fixture, &TAGGED, &TAGGED).await;
    assert_eq!(fixture.get("/").await.text(), "page");
}

#[tokio::test]
async fn a_stale_page_of_this_process_is_served_if_the_store_has_only_lost_its_variant_or_tags() {
    for (vary, lost) in [("x", READ_VARIANT), ("x", READ_TAGS), ("", READ_TAGS)] {
        let failing = Failing::new();
        let fixture = failing.fixture();
        let said = ("cache-control", "max-age=5, stale-if-error=60");
        fixture
            .origin
            .then(200, &[said, TAGGED[1], ("vary", vary)], "one");
        fixture.get("/").await;
        fixture.later(6);
        failing.control.fail(lost, ErrorKind::NotSent);
        fixture.origin.then(503, &[], "down");
        assert_eq!(fixture.get("/").await.text(), "one", "{vary} {lost:?}");
        // Whether it is purged is unknown.
        assert!(fixture.layer.purger().explain(PAGE).await.is_err());
    }
}

#[tokio::test]
async fn a_stale_page_of_this_process_that_was_validated_is_stored_once_the_store_is_back() {
    for (vary, lost) in [("x", READ_VARIANT), ("x", READ_TAGS), ("", READ_TAGS)] {
        let failing = Failing::new();
        let fixture = failing.fixture();
        let said = ("cache-control", "max-age=5");
        let fields = [said, TAGGED[1], ("vary", vary), ("etag", "\"a\"")];
        fixture.origin.then(200, &fields, "one");
        fixture.get("/").await;
        fixture.later(6);
        let control = failing.control.clone();
        control.fail(lost, ErrorKind::NotSent);
        fixture.origin.then_with(move |_| {
            control.mend();
            Box::pin(async move { Ok(response(304, &fields, full(""))) })
        });
        let validated = fixture.get("/").await;
        let status = validated.field("cache-status");
        let is_stored = status.ends_with("; stored");
        assert!(
            validated.text() == "one" && is_stored,
            "{vary} {lost:?} {status}"
        );
        for process in [&fixture, &fixture.sibling()] {
            assert!(process.get("/").await.is_hit(), "{vary} {lost:?}");
        }
    }
}

#[tokio::test]
async fn an_error_replaces_no_fresh_page_whose_tags_cannot_be_read() {
    for vary in ["", "x"] {
        let failing = Failing::new();
        let fixture = failing.fixture();
        fixture
            .origin
            .then(200, &[HOUR, TAGGED[1], ("vary", vary)], "page");
        fixture.get("/").await;
        failing.control.fail(READ_TAGS, ErrorKind::NotSent);
        let other = fixture.sibling();
        other.origin.then(400, &[HOUR, ("vary", vary)], "poison");
        assert_eq!(other.get("/").await.text(), "poison");
        failing.control.mend();
        assert_eq!(fixture.sibling().get("/").await.text(), "page", "{vary}");
    }
}

#[tokio::test]
async fn an_error_replaces_no_fresh_variant_that_this_process_has_while_the_store_fails() {
    for is_outdated in [false, true] {
        let failing = Failing::new();
        let fixture = failing.fixture();
        fixture.origin.then(200, &[HOUR, ("vary", "x")], "page");
        fixture.get_with("/", &[("x", "1")]).await;
        failing.control.fail(READ, ErrorKind::NotSent);
        let purger = fixture.layer.purger();
        fixture.origin.then_with(move |_| {
            Box::pin(async move {
                // After a purge of any tag, this process keeps nothing that was fetched before it.
                if is_outdated {
                    purger.purge_tag("films").await.unwrap();
                }
                Ok(response(400, &[HOUR], full("poison")))
            })
        });
        let error = fixture.get_with("/", &[("x", "2")]).await;
        let said = error.field("cache-status");
        let detail = if is_outdated { "outdated" } else { "status" };
        assert_eq!(error.text(), "poison");
        assert!(said.ends_with(&format!("; detail={detail}")), "{said}");
        let seen = fixture.get_with("/", &[("x", "1")]).await;
        assert_eq!((seen.text(), seen.is_hit()), ("page", true), "{detail}");
    }
}
