//! Responses that are stored right after a purge by tag.

use crate::fixture::{Fixture, HOUR};

const TAGGED: (&str, &str) = ("cache-tag", "films");

/// Requests `path` twice, and checks that its `Cache-Status` is right. Returns whether it was stored.
async fn is_kept(fixture: &Fixture, path: &str) -> bool {
    fixture.origin.then(200, &[HOUR, TAGGED], "new");
    let first = fixture.get(path).await;
    assert_eq!(first.text(), "new");
    let is_stored = first.field("cache-status").contains("; stored");
    let second = fixture.get(path).await;
    assert_eq!(
        second.is_hit(),
        is_stored,
        "{}",
        first.field("cache-status")
    );
    fixture.origin.drop_script();
    is_stored
}

#[tokio::test]
async fn a_page_that_is_made_after_a_purge_is_stored_at_once() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR, TAGGED], "old");
    fixture.get("/known").await;
    for is_soft in [false, true] {
        let purger = fixture.layer.purger();
        if is_soft {
            purger.expire_tag("films").await.unwrap();
        } else {
            purger.purge_tag("films").await.unwrap();
        }
        assert!(is_kept(&fixture, "/known").await);
        assert!(is_kept(&fixture, if is_soft { "/a" } else { "/b" }).await);
    }
}

#[tokio::test]
async fn a_page_that_another_process_makes_after_a_purge_is_stored_at_once() {
    let fixture = super::fixture().await;
    fixture.origin.then(200, &[HOUR, TAGGED], "old");
    fixture.get("/known").await;
    let (other, stranger) = (fixture.sibling(), fixture.sibling());
    assert!(other.get("/known").await.is_hit());
    fixture.layer.purger().purge_tag("films").await.unwrap();
    let restarted = fixture.sibling();
    assert!(is_kept(&restarted, "/known").await);
    assert!(is_kept(&other, "/other").await);
    // This process has not seen the tag before.
    assert!(is_kept(&stranger, "/cold").await);
}

#[tokio::test]
async fn many_new_tags_take_as_many_round_trips_as_one() {
    let (fixture, control) = super::gated().await;
    let many: String = (0..64).map(|number| format!("tag-{number} ")).collect();
    let took = async |path: &str, tags: &str| {
        let before = control.operations();
        fixture
            .origin
            .then(200, &[HOUR, ("cache-tag", tags)], "one");
        fixture.get(path).await;
        assert!(fixture.get(path).await.is_hit());
        control.operations() - before
    };
    // The first page with tags also makes the record of changes.
    took("/", "films").await;
    assert_eq!(took("/many", &many).await, took("/one", "one").await);
}

#[tokio::test]
async fn a_page_that_is_purged_by_tag_does_not_come_back_when_it_is_validated() {
    for tags in [TAGGED, ("cache-tag", "other")] {
        let fixture = super::fixture().await;
        let etag = ("etag", "\"a\"");
        fixture.origin.then(200, &[HOUR, etag, TAGGED], "old");
        fixture.get("/").await;
        let sibling = fixture.sibling();
        sibling.layer.purger().purge_tag("films").await.unwrap();
        // This process still has it.
        fixture.origin.then(304, &[HOUR, etag, tags], "");
        let reload = [("cache-control", "no-cache")];
        let validated = fixture.get_with("/", &reload).await;
        let said = validated.field("cache-status");
        assert!(said.ends_with("; detail=outdated"), "{said}");
        for process in [&sibling, &fixture] {
            assert_eq!(process.get("/").await.text(), "unscripted");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_expired_by_tag_is_stored_again_when_it_is_validated() {
    let fixture = super::fixture().await;
    let fields = [HOUR, ("etag", "\"a\""), TAGGED];
    fixture.origin.then(200, &fields, "one");
    fixture.get("/").await;
    let sibling = fixture.sibling();
    sibling.layer.purger().expire_tag("films").await.unwrap();
    fixture.origin.then(304, &fields, "");
    let reload = [("cache-control", "no-cache")];
    assert_eq!(fixture.get_with("/", &reload).await.text(), "one");
    assert!(sibling.get("/").await.is_hit());
}

#[tokio::test]
async fn a_page_is_kept_near_for_the_near_ttl_after_its_tags_were_read() {
    for vary in ["", "x"] {
        let (fixture, control) = super::gated().await;
        let mut held = control.hold(("put", "response:"));
        let fields = [HOUR, TAGGED, ("vary", vary)];
        fixture.origin.then(200, &fields, "old");
        let act = async {
            assert!(held.arrived().await);
            let sibling = fixture.sibling();
            sibling.layer.purger().purge_tag("films").await.unwrap();
            fixture.later(5);
            held.release();
        };
        tokio::join!(fixture.get("/"), act);
        fixture.later(5);
        assert_eq!(fixture.get("/").await.text(), "unscripted", "{vary}");
    }
}
