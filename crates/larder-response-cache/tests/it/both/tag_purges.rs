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
    assert_eq!(second.is_hit(), is_stored, "{}", first.field("cache-status"));
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
        fixture.origin.then(200, &[HOUR, ("cache-tag", tags)], "one");
        fixture.get(path).await;
        assert!(fixture.get(path).await.is_hit());
        control.operations() - before
    };
    // The first page with tags also makes the record of changes.
    took("/", "films").await;
    assert_eq!(took("/many", &many).await, took("/one", "one").await);
}
