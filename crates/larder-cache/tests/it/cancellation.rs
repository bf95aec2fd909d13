//! Drops every call at every point where it waits.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use larder_cache::{Cache, LoaderLayer};
use larder_store::{Delete, ManualClock, Store};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Act, Operation, Staged, beside, far_films, far_key, load};

type Films = Cache<u32, String>;

/// Builds a cache over a store that waits before and after each operation. Film 7 is only far.
async fn old_film() -> (Films, Arc<Staged>) {
    let (films, store) = far_films();
    let other = beside(&ManualClock::default(), &store);
    other.insert(7, "old".to_owned()).await.unwrap();
    for operation in [Operation::Get, Operation::Put, Operation::Delete] {
        store.stage(operation, Act::YieldAround);
    }
    (films, store)
}

/// Builds the same without the film, so that the loader runs.
async fn no_film() -> (Films, Arc<Staged>) {
    let (films, store) = old_film().await;
    let delete = Delete::new(far_key(7));
    let _ = store.model.delete(&delete).await.unwrap();
    (films, store)
}

/// A loader that is pending once.
async fn query() -> Result<String, Infallible> {
    tokio::task::yield_now().await;
    Ok("loaded".to_owned())
}

/// Polls `call` up to `polls` times, then drops it. Returns whether it had ended.
///
/// After each poll it reads the film, which may make a near copy.
async fn dropped_after(polls: usize, films: &Films, call: impl Future) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if polled.is_ready() {
            return true;
        }
        films.get(&7).await;
        // A near hit does not yield to other tasks.
        tokio::task::yield_now().await;
    }
    false
}

/// Asserts what must hold at whatever point a call was dropped: no near copy differs from the far value, no
/// load runs for ever, and no key stays locked.
async fn assert_sound(films: &Films, store: &Arc<Staged>, polls: usize) {
    let near = films.get_near(&7);
    if near.is_some() {
        let other = beside(&ManualClock::default(), store);
        assert_eq!(near, other.get(&7).await, "dropped after {polls} polls");
    }
    while films.loads_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    films.insert(7, "next".to_owned()).await.unwrap();
    assert_eq!(load(films, &7, "loaded").await, "next");
    films.remove(&7).await.unwrap();
    assert!(films.get(&7).await.is_none());
    assert!(store.model.get(&far_key(7)).await.unwrap().is_none());
}

/// Drops a call after one poll, after two, and so on up to its end. A near value must then be one
/// of those `allowed`.
macro_rules! drop_everywhere {
    ($made:ident, |$films:ident| $call:expr, $allowed:expr) => {
        for polls in 1.. {
            let ($films, store) = $made().await;
            let ended = dropped_after(polls, &$films, $call).await;
            let near = $films.get_near(&7);
            let near = near.as_deref().map(String::as_str);
            assert!(
                $allowed.contains(&near),
                "{near:?} after {polls} polls of {}",
                stringify!($call)
            );
            assert_sound(&$films, &store, polls).await;
            if ended {
                assert!(polls > 1, "it never waited");
                break;
            }
        }
    };
}

#[tokio::test]
async fn a_removal_that_is_dropped_anywhere_leaves_nothing_near() {
    drop_everywhere!(old_film, |films| films.remove(&7), [None]);
}

#[tokio::test]
async fn an_insert_that_is_dropped_anywhere_leaves_nothing_older_near() {
    drop_everywhere!(
        old_film,
        |films| films.insert(7, "new".to_owned()),
        [None, Some("new")]
    );
}

#[tokio::test]
async fn a_read_that_is_dropped_anywhere_changes_nothing() {
    let allowed = [None, Some("old")];
    drop_everywhere!(old_film, |films| films.get(&7), allowed);
    drop_everywhere!(old_film, |films| films.find(&7), allowed);
}

#[tokio::test]
async fn a_load_that_is_dropped_anywhere_holds_up_nobody() {
    let (old, loaded) = ([None, Some("old")], [None, Some("loaded")]);
    drop_everywhere!(old_film, |films| films.get_or_load(&7, query), old);
    drop_everywhere!(old_film, |films| films.find_or_load(&7, query), old);
    drop_everywhere!(no_film, |films| films.get_or_load(&7, query), loaded);
    drop_everywhere!(no_film, |films| films.find_or_load(&7, query), loaded);
}

#[tokio::test]
async fn a_call_of_a_layer_that_is_dropped_anywhere_holds_up_nobody() {
    let layered = |films: &Films| {
        ServiceBuilder::new()
            .layer(LoaderLayer::new(films.clone()))
            .service(service_fn(|_: u32| query()))
    };
    let (old, loaded) = ([None, Some("old")], [None, Some("loaded")]);
    drop_everywhere!(old_film, |films| layered(&films).oneshot(7), old);
    drop_everywhere!(no_film, |films| layered(&films).oneshot(7), loaded);
}
