use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::program::MAX_INT;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::counter::{Counter, Overflow, TtlFrom};
use larder_test::faulty::Trouble;
use larder_test::server::RedisServer;
use larder_worlds::{on_every_store, patient};

const MINUTE: Ttl = Ttl::from_secs(60);

fn counter(store: &Arc<dyn Store>) -> Counter {
    Counter::new(store.clone(), "test", MINUTE).unwrap()
}

/// Adds, and returns the value, the amount that was applied, and whether a bound was met.
async fn add(counter: &Counter, id: &str, by: i64) -> (i64, i64, bool) {
    let added = counter.add(id, by).await.unwrap();
    (added.value, added.applied, added.bounded)
}

on_every_store! { memory, redis, cluster;
    async fn it_counts_up_and_down_and_each_id_for_itself(world: World) {
        let counter = counter(&world.store);
        assert_eq!(counter.get("a").await.unwrap(), None);
        assert_eq!(add(&counter, "a", 5).await, (5, 5, false));
        assert_eq!(add(&counter, "a", -7).await, (-2, -7, false));
        assert_eq!(add(&counter, "b", 1).await, (1, 1, false));
        let all = counter.add_many([("a", 1), ("b", 1), ("c", 0)]).await;
        let all: Vec<_> = all.into_iter().map(|added| added.unwrap().value).collect();
        assert_eq!(all, [-1, 2, 0]);
        let all = counter.get_many(["a", "b", "c"]).await;
        let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!(all, [Some(-1), Some(2), None], "an addition of nothing makes nothing");
        assert_eq!(counter.set("a", 9).await.unwrap(), Some(-1));
        assert_eq!(counter.take("a").await.unwrap(), Some(9));
        assert_eq!(counter.take("a").await.unwrap(), None);
        let shown = counter.inspect("b").await.unwrap();
        assert_eq!(shown.fields(), [("value".to_owned(), "2".to_owned())]);
    }

    async fn a_refused_addition_touches_neither_the_value_nor_its_ttl(world: World) {
        let counter = counter(&world.store)
            .with_bounds(0..=3, Overflow::Refuse).unwrap()
            .with_ttl_from(TtlFrom::LastWrite);
        assert_eq!(add(&counter, "a", 4).await, (0, 0, true));
        assert_eq!(counter.get("a").await.unwrap(), None, "a refusal makes no counter");
        counter.add("a", 2).await.unwrap();
        world.advance(Duration::from_secs(59));
        assert_eq!(add(&counter, "a", 2).await, (2, 0, true));
        world.advance(Duration::from_secs(1));
        assert_eq!(counter.get("a").await.unwrap(), None, "a refusal renewed the TTL");
    }

    async fn a_saturating_counter_adds_what_its_bound_allows(world: World) {
        let counter = counter(&world.store).with_bounds(-1..=3, Overflow::Saturate).unwrap();
        assert_eq!(add(&counter, "a", 5).await, (3, 3, true));
        assert_eq!(add(&counter, "a", 1).await, (3, 0, true));
        assert_eq!(add(&counter, "a", -9).await, (-1, -4, true));
        assert_eq!(add(&counter, "a", 1).await, (0, 1, false));
    }

    async fn a_counter_that_is_out_of_its_bounds_may_move_towards_them(world: World) {
        let wide = counter(&world.store);
        wide.set("a", 10).await.unwrap();
        let counter = wide.with_bounds(0..=3, Overflow::Refuse).unwrap();
        assert_eq!(add(&counter, "a", 1).await, (10, 0, true));
        assert_eq!(add(&counter, "a", -2).await, (8, -2, false));
    }

    async fn a_ttl_begins_with_the_first_addition_or_with_the_last(world: World) {
        let first = counter(&world.store);
        let last = first.clone().with_ttl_from(TtlFrom::LastWrite);
        for _ in 0..3 {
            first.add("first", 1).await.unwrap();
            last.add("last", 1).await.unwrap();
            world.advance(Duration::from_secs(20));
        }
        assert_eq!(first.get("first").await.unwrap(), None, "counting kept the window open");
        assert_eq!(last.get("last").await.unwrap(), Some(3));
        world.advance(Duration::from_secs(40));
        assert_eq!(last.get("last").await.unwrap(), None);
    }

    async fn numbers_stay_exact_up_to_their_limit(world: World) {
        let counter = counter(&world.store);
        counter.set("a", MAX_INT - 1).await.unwrap();
        assert_eq!(add(&counter, "a", 2).await, (MAX_INT - 1, 0, true));
        assert_eq!(add(&counter, "a", 1).await, (MAX_INT, 1, false));
        assert_eq!(add(&counter, "a", -MAX_INT).await, (0, -MAX_INT, false));
        let error = counter.add("a", MAX_INT + 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    async fn all_that_count_at_once_are_counted(world: World) {
        let counter = counter(&world.store).with_bounds(0..=300, Overflow::Refuse).unwrap();
        let count = |_| {
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut applied = 0;
                for _ in 0..50 {
                    applied += counter.add("a", 1).await.unwrap().applied;
                }
                applied
            })
        };
        let tasks: Vec<_> = (0..8).map(count).collect();
        let mut applied = 0;
        for task in tasks {
            applied += task.await.unwrap();
        }
        assert_eq!((applied, counter.get("a").await.unwrap()), (300, Some(300)));
    }

    async fn after_lost_replies_the_value_is_between_what_is_known_and_what_may_be(world: World) {
        let (store, switch) = world.faulty();
        let counter = Counter::new(store, "test", MINUTE).unwrap();
        let (mut known, mut ambiguous) = (0, 0);
        for n in 0..60 {
            match n % 3 {
                0 => switch.set(Trouble::LoseAnswer),
                1 => switch.set(Trouble::Fail(ErrorKind::MayHaveRun)),
                _ => switch.clear(),
            }
            match counter.add("a", 1).await {
                Ok(added) => known += added.applied,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
                    ambiguous += 1;
                }
            }
        }
        switch.clear();
        let value = counter.get("a").await.unwrap().unwrap();
        assert_eq!((known, ambiguous), (20, 40));
        assert!((known..=known + ambiguous).contains(&value), "{value}");
        assert_eq!(value, 40, "an addition whose reply was lost ran once");
    }
}

#[tokio::test]
async fn on_redis_a_counter_is_the_text_that_incr_keeps() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let counter = counter(&(Arc::new(store) as Arc<dyn Store>));
    counter.add("a", 41).await.unwrap();
    let value = server.command(&["INCR", "counter:{test:a}"]).unwrap();
    assert_eq!(value.int(), Some(42));
    assert_eq!(counter.get("a").await.unwrap(), Some(42));
    // What no counter writes is a miss, and the next addition begins at 0.
    for text in ["many", "1.5", "9007199254740993"] {
        server.command(&["SET", "counter:{test:a}", text]).unwrap();
        assert_eq!(counter.get("a").await.unwrap(), None, "{text}");
        assert_eq!(counter.add("a", 1).await.unwrap().value, 1, "{text}");
    }
}

#[test]
fn a_counter_is_refused_when_it_is_built_with_what_it_cannot_do() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    for name in ["", "Seats", "a b", &"a".repeat(33)] {
        let error = Counter::new(store.clone(), name, MINUTE).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
    let bounds = [(1, 0), (0, MAX_INT + 1), (-MAX_INT - 1, 0)];
    for (low, high) in bounds {
        let counter = Counter::new(store.clone(), "test", MINUTE).unwrap();
        let error = counter.with_bounds(low..=high, Overflow::Refuse).err();
        assert_eq!(error.unwrap().kind(), ErrorKind::Invalid, "{low}..={high}");
    }
}
