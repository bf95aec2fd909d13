use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use larder_moka::MokaStore;
use larder_store::{ErrorKind, Shard, Sharded};
use larder_test::faulty::{Faulty, Trouble};

use super::world::{VIEWS, World, on_a_server, request, world};

/// Opens all views at once, and returns how long the slowest took.
async fn open_all(world: &World) -> Duration {
    let started = Instant::now();
    let views = VIEWS.into_iter().filter(|view| *view != "drill");
    let pages = join_all(views.map(|view| async move { (view, world.open(view).await) })).await;
    let took = started.elapsed();
    for (view, page) in pages {
        assert_eq!(page.status, StatusCode::OK, "{view}");
        page.has(&["The store does not answer"]);
        // Figures of this process go on; nothing can be done.
        page.lacks(&["name=\"token\""]);
    }
    took
}

/// A machine that is busy with other tests may be late once or twice.
async fn within_a_second(world: &World) {
    let mut took = Duration::MAX;
    for _ in 0..4 {
        took = took.min(open_all(world).await);
        if took < Duration::from_secs(1) {
            return;
        }
    }
    panic!("the views took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_server_frozen_or_dead_each_view_comes_within_a_second_and_says_so() {
    let mut world = world(on_a_server().await).await;
    // Once with everything, so that there is something to be missing.
    let token = world.token().await;
    world.server.as_ref().unwrap().stop().unwrap();
    within_a_second(&world).await;
    let pause = format!("action=pause-queue&subject=queue%3A%7Bmail%7D&token={token}");
    let refused = world
        .send(request(Method::POST, "root", "/ops/actions", &pause))
        .await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let devices = world
        .post_as("root", "/ops/sessions", &[("user", "ann")])
        .await;
    devices.has(&["did not answer"]);

    let mut server = world.server.take().unwrap();
    server.kill();
    within_a_second(&world).await;
    world.open("caches").await.has(&["96.0\u{202f}%"]);
}

/// Over shards, an evictable key of a lost server reads as absent.
#[tokio::test]
async fn with_every_shard_lost_the_page_says_that_the_store_does_not_answer() {
    let shards = ["a", "b"].map(|name| (name, Faulty::new(Arc::new(MokaStore::new()))));
    let switches = [shards[0].1.switch(), shards[1].1.switch()];
    let shards = shards.map(|(name, store)| Shard::new(name, Arc::new(store)));
    let store = Arc::new(Sharded::new(shards).unwrap());
    let world = world((store, None, None)).await;
    for switch in &switches {
        switch.set(Trouble::Fail(ErrorKind::NotSent));
    }
    open_all(&world).await;
}
