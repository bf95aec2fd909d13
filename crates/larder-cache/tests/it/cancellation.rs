//! Every call, dropped at every point where it waits.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use larder_cache::{Cache, LoaderLayer};
use larder_store::{ManualClock, Store};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Act, Operation, Staged, beside, far_films, far_key, load};

type Films = Cache<u32, String>;

/// A cache over a store that waits before and after each operation, where film 7 is far alone.
async fn old_film() -> (Films, Arc<Staged>) {
    let (films, store) = far_films();
    let other = beside(&ManualClock::default(), &store);
    other.insert(7, "old".to_owned()).await.unwrap();
    for operation in [Operation::Get, Operation::Put, Operation::Delete] {
        store.stage(operation, Act::YieldAround);
    }
    (films, store)
}

/// Polls `call` so many times, reads the film after each, which may bring it near, and drops the
/// call. Returns whether it had ended.
async fn dropped_after(polls: usize, films: &Films, call: impl Future) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        if polled.is_ready() {
            return true;
        }
        films.get(&7).await;
        // A near hit lets no other task run.
        tokio::task::yield_now().await;
    }
    false
}

/// What must hold however a call ended: no copy is near that differs from the far one, nothing runs
/// on for ever, and no key stays locked.
async fn assert_sound(films: &Films, store: &Arc<Staged>, polls: usize) {
    let near = films.get_near(&7);
    if near.is_some() {
        let other = beside(&ManualClock::default(), store);
        assert_eq!(near, other.get(&7).await, "dropped after {polls} polls");
    }
    while films.loads_under_way() > 0 {
        tokio::task::yield_now().await;
    }
    films.insert(7, "next".to_owned()).await.unwrap();
    assert_eq!(load(films, &7, "loaded").await, "next");
    films.remove(&7).await.unwrap();
    assert!(films.get(&7).await.is_none());
    assert!(store.model.get(&far_key(7)).await.unwrap().is_none());
}

/// Drops a call after one poll, after two, and so on up to its end.
macro_rules! drop_everywhere {
    (|$films:ident| $call:expr, |$after:ident, $polls:ident| $check:expr) => {
        for $polls in 1.. {
            let ($films, store) = old_film().await;
            let ended = dropped_after($polls, &$films, $call).await;
            {
                let $after = &$films;
                $check;
            }
            assert_sound(&$films, &store, $polls).await;
            if ended {
                assert!($polls > 2, "it never waited");
                break;
            }
        }
    };
}

#[tokio::test]
async fn a_removal_that_is_dropped_anywhere_leaves_nothing_near() {
    drop_everywhere!(|films| films.remove(&7), |after, polls| assert!(
        after.get_near(&7).is_none(),
        "dropped after {polls} polls"
    ));
}

#[tokio::test]
async fn an_insert_that_is_dropped_anywhere_leaves_nothing_older_near() {
    drop_everywhere!(
        |films| films.insert(7, "new".to_owned()),
        |after, polls| assert!(
            after.get_near(&7).is_none_or(|near| *near == "new"),
            "dropped after {polls} polls"
        )
    );
}

#[tokio::test]
async fn a_read_that_is_dropped_anywhere_changes_nothing() {
    drop_everywhere!(|films| films.get(&7), |_after, _polls| ());
    drop_everywhere!(|films| films.find(&7), |_after, _polls| ());
}

#[tokio::test]
async fn a_load_that_is_dropped_anywhere_holds_up_nobody() {
    let query = || async {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>("loaded".to_owned())
    };
    // Nothing is far, so that the loader runs.
    for polls in 1.. {
        let (films, store) = old_film().await;
        store
            .model
            .delete(&larder_store::Delete::new(far_key(7)))
            .await
            .unwrap();
        let ended = dropped_after(polls, &films, films.get_or_load(&7, query)).await;
        assert_sound(&films, &store, polls).await;
        if ended {
            break;
        }
    }
    drop_everywhere!(
        |films| async {
            // As far as the reader beside it lets it come.
            let _ = films.find_or_load(&7, query).await;
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        },
        |_after, _polls| ()
    );
}

#[tokio::test]
async fn a_call_of_a_layer_that_is_dropped_anywhere_holds_up_nobody() {
    for polls in 1.. {
        let (films, store) = old_film().await;
        store
            .model
            .delete(&larder_store::Delete::new(far_key(7)))
            .await
            .unwrap();
        let service = ServiceBuilder::new()
            .layer(LoaderLayer::new(films.clone()))
            .service(service_fn(|_: u32| async {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>("loaded".to_owned())
            }));
        let ended = dropped_after(polls, &films, service.oneshot(7)).await;
        assert_sound(&films, &store, polls).await;
        if ended {
            break;
        }
    }
}
