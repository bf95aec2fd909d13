use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::program::MAX_INT;
use larder_store::{Clock, ErrorKind, Store};
use larder_structures::buckets::{Buckets, Level};
use larder_test::server::RedisServer;
use larder_worlds::{on_every_store, patient};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn buckets(store: &Arc<dyn Store>) -> Buckets {
    Buckets::new(store.clone(), "test", &[Level::minutes(3), Level::hours(2)]).unwrap()
}

async fn counts(buckets: &Buckets, step: Duration, many: u32) -> Vec<u64> {
    let series = buckets.series("a", step, many).await.unwrap();
    series.iter().map(|bucket| bucket.count).collect()
}

on_every_store! { memory, redis, cluster;
    async fn a_level_that_keeps_fewer_buckets_than_before_removes_the_others(world: World) {
        let level = |keep| {
            // The second level has room for all that the first one kept.
            let levels = [Level::minutes(keep), Level::days(1_000)];
            Buckets::new(world.store.clone(), "test", &levels).unwrap()
        };
        let many = level(40);
        for _ in 0..40 {
            many.add("a", 1).await.unwrap();
            world.advance(MINUTE);
        }
        let few = level(3);
        few.add("a", 1).await.unwrap();
        let shown = few.inspect("a").await.unwrap();
        let days = few.series("a", HOUR * 24, 2).await.unwrap();
        let days = days.iter().filter(|day| day.count > 0).count();
        let buckets = ("buckets".to_owned(), (3 + days).to_string());
        assert!(shown.fields().contains(&buckets), "{shown:?}");
        assert_eq!(counts(&few, MINUTE, 3).await, [1, 1, 1]);
    }

    async fn a_span_that_no_level_covers_is_summed_as_far_back_as_any_level_goes(world: World) {
        let levels = [Level::minutes(600), Level::hours(2)];
        let buckets = Buckets::new(world.store.clone(), "test", &levels).unwrap();
        buckets.add("a", 1).await.unwrap();
        world.advance(HOUR * 5);
        buckets.add("a", 1).await.unwrap();
        assert_eq!(buckets.sum("a", HOUR * 99).await.unwrap(), 2);
    }

    async fn a_count_is_in_the_bucket_of_its_time_in_each_level(world: World) {
        let buckets = buckets(&world.store);
        assert_eq!(counts(&buckets, MINUTE, 3).await, [0, 0, 0]);
        buckets.add("a", 2).await.unwrap();
        buckets.add("a", 1).await.unwrap();
        world.advance(MINUTE);
        buckets.add("a", 5).await.unwrap();
        assert_eq!(counts(&buckets, MINUTE, 3).await, [0, 3, 5]);
        assert_eq!(counts(&buckets, HOUR, 2).await, [0, 8]);
        world.advance(MINUTE);
        assert_eq!(counts(&buckets, MINUTE, 2).await, [5, 0]);
        let series = buckets.series("a", MINUTE, 1).await.unwrap();
        let now = world.clock.now().as_micros();
        assert_eq!(series[0].start.as_micros(), now - now % 60_000_000);
    }

    async fn a_sum_is_taken_from_the_shortest_level_that_covers_the_span(world: World) {
        let buckets = buckets(&world.store);
        for _ in 0..5 {
            buckets.add("a", 1).await.unwrap();
            world.advance(MINUTE);
        }
        buckets.add("a", 1).await.unwrap();
        assert_eq!(buckets.sum("a", Duration::ZERO).await.unwrap(), 1);
        assert_eq!(buckets.sum("a", MINUTE).await.unwrap(), 1);
        assert_eq!(buckets.sum("a", Duration::from_secs(61)).await.unwrap(), 2);
        assert_eq!(buckets.sum("a", 3 * MINUTE).await.unwrap(), 3);
        assert_eq!(buckets.sum("a", 4 * MINUTE).await.unwrap(), 6, "of the hour");
        assert_eq!(buckets.sum("a", 99 * HOUR).await.unwrap(), 6);
        assert_eq!(buckets.sum("b", HOUR).await.unwrap(), 0);
    }

    async fn old_buckets_are_removed_when_a_new_one_begins(world: World) {
        let buckets = buckets(&world.store);
        for _ in 0..10 {
            buckets.add("a", 1).await.unwrap();
            world.advance(MINUTE);
        }
        let shown = buckets.inspect("a").await.unwrap();
        let shown: Vec<_> = shown.fields().iter().map(|field| &*field.1).collect();
        assert_eq!(shown, ["2", "4"], "three of a minute, and one of an hour");
        world.advance(3 * HOUR);
        assert_eq!(buckets.inspect("a").await.unwrap().fields(), []);
    }

    async fn a_bucket_past_its_limit_changes_no_level(world: World) {
        let buckets = buckets(&world.store);
        buckets.add("a", MAX_INT as u64 - 1).await.unwrap();
        world.advance(MINUTE);
        // The new minute has room, the hour has not.
        for by in [2, MAX_INT as u64 + 1, u64::MAX] {
            let error = buckets.add("a", by).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(counts(&buckets, MINUTE, 1).await, [0]);
        buckets.add("a", 1).await.unwrap();
        assert_eq!(counts(&buckets, HOUR, 1).await, [MAX_INT as u64]);
    }
}

#[tokio::test]
async fn levels_that_cannot_be_are_refused() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let (half, short) = (Duration::from_millis(1_500), Level::minutes(1));
    for wrong in [
        &[][..],
        &[short; 2],
        &[Level::hours(1), short],
        &[Level::new(half, 1)],
        &[Level::new(Duration::ZERO, 1)],
        &[Level::minutes(0)],
        &[Level::minutes(1_001)],
    ] {
        let error = Buckets::new(store.clone(), "test", wrong).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong:?}");
    }
    let buckets = buckets(&store);
    for (step, many) in [(MINUTE, 0), (MINUTE, 4), (2 * MINUTE, 1)] {
        let error = buckets.series("a", step, many).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_level_that_does_not_say_how_many_buckets_it_has_loses_the_old_ones() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let buckets = buckets(&(Arc::new(store) as Arc<dyn Store>));
    let (key, minutes) = ("buckets:{test:a}", "60000000");
    for said in ["29000000", "29000000 x", "99999999999999999999 3", "x"] {
        server.command(&["DEL", key]).unwrap();
        let old = [minutes, said, "60000000:28999000", "7"];
        let set = ["HSET", key].into_iter().chain(old).collect::<Vec<_>>();
        server.command(&set).unwrap();
        buckets.add("a", 1).await.unwrap();
        let shown = buckets.inspect("a").await.unwrap();
        let shown: Vec<_> = shown.fields().iter().map(|field| &*field.1).collect();
        assert_eq!(shown, ["2", "2"], "a minute and an hour: {said}");
    }
}
