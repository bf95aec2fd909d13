use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::unique_count::UniqueCount;
use larder_test::server::RedisServer;
use larder_worlds::{on_every_store, patient};

const DAY: Ttl = Ttl::from_secs(86_400);

fn visitors(store: &Arc<dyn Store>) -> UniqueCount {
    UniqueCount::new(store.clone(), "test", DAY).unwrap()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

on_every_store! { memory, redis, cluster;
    async fn an_element_counts_once(world: World) {
        let visitors = visitors(&world.store);
        assert_eq!(visitors.count("a").await.unwrap(), 0);
        assert!(visitors.add("a", ["ada", "bob"]).await.unwrap());
        assert!(!visitors.add("a", ["bob", "ada"]).await.unwrap());
        assert!(visitors.add("a", ["cy"]).await.unwrap());
        assert_eq!(visitors.count("a").await.unwrap(), 3);
        assert!(!visitors.add("b", Vec::<String>::new()).await.unwrap());
        assert_eq!(visitors.inspect("b").await.unwrap().fields(), []);
        assert!(visitors.clear("a").await.unwrap());
        assert!(!visitors.clear("a").await.unwrap());
        assert_eq!(visitors.count("a").await.unwrap(), 0);
    }

    async fn a_union_counts_each_element_once_wherever_the_counts_are(world: World) {
        let visitors = visitors(&world.store);
        for (day, range) in [(1, 0..600), (2, 300..900), (3, 890..900)] {
            visitors.add(day, numbers(range)).await.unwrap();
        }
        visitors.add(9, numbers(0..900)).await.unwrap();
        let all = visitors.count(9).await.unwrap();
        assert_eq!(visitors.count_union([1, 2, 3, 4]).await.unwrap(), all);
        visitors.merge("month", [1, 2, 3]).await.unwrap();
        visitors.merge("month", [1, 4]).await.unwrap();
        assert_eq!(visitors.count("month").await.unwrap(), all);
        assert!(!visitors.add("month", ["7"]).await.unwrap());
    }

    async fn a_count_ends_after_its_last_addition(world: World) {
        let visitors = visitors(&world.store);
        visitors.add("a", ["ada"]).await.unwrap();
        world.advance(Duration::from_secs(80_000));
        visitors.add("a", ["ada"]).await.unwrap();
        world.advance(Duration::from_secs(80_000));
        assert_eq!(visitors.count("a").await.unwrap(), 1);
        world.advance(Duration::from_secs(6_400));
        assert_eq!(visitors.count("a").await.unwrap(), 0);
    }

    async fn what_is_out_of_bounds_is_refused(world: World) {
        let visitors = visitors(&world.store);
        let (long, many) = ("x".repeat(1_025), numbers(0..1_001));
        for wrong in [vec![String::new()], vec![long], many] {
            let error = visitors.add("a", wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(visitors.count("a").await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_process_it_gives_the_very_numbers_of_redis() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let redis = visitors(&(Arc::new(store) as Arc<dyn Store>));
    let memory = visitors(&(Arc::new(MokaStore::new()) as Arc<dyn Store>));
    let mut rng = fastrand::Rng::with_seed(7);
    for id in 0..4_u32 {
        let mut sum = 0;
        while sum < 30_000 {
            let many = [1, 7, 100, 1_000][rng.usize(..4)];
            // Of all lengths, so that each tail of the hash is met.
            let element = |_| -> Vec<u8> {
                let length = rng.usize(4..40);
                (0..length).map(|_| rng.u8(..)).collect()
            };
            let elements: Vec<_> = (0..many).map(element).collect();
            let changed = memory.add(id, &elements).await.unwrap();
            assert_eq!(redis.add(id, &elements).await.unwrap(), changed);
            let count = memory.count(id).await.unwrap();
            assert_eq!(redis.count(id).await.unwrap(), count);
            sum += many;
        }
    }
    let union = memory.count_union(0..4_u32).await.unwrap();
    assert_eq!(redis.count_union(0..4_u32).await.unwrap(), union);
    // What Redis itself says of the union, and of one that was merged by larder.
    for visitors in [&memory, &redis] {
        visitors.merge("all", 0..4_u32).await.unwrap();
        assert_eq!(visitors.count("all").await.unwrap(), union);
    }
    let direct = ["PFCOUNT", "unique:{test:0}", "unique:{test:1}"];
    let direct = server.command(&direct).unwrap().int().unwrap();
    assert_eq!(memory.count_union([0, 1]).await.unwrap(), direct as u64);
    // No sketch, the beginning of one, and one without registers, whose count is to be computed.
    let key = "unique:{test:other}";
    let empty = format!("HYLL\u{1}{}", "\0".repeat(11));
    for garbage in ["no sketch", "HYLLx", &empty] {
        server.command(&["SET", key, garbage]).unwrap();
        if garbage == empty {
            server.command(&["SETBIT", key, "120", "1"]).unwrap();
        }
        // A merge that the server refuses leaves nothing behind.
        redis.merge("other", 0..4_u32).await.unwrap_err();
        // It counts as none, alone and in a union.
        assert_eq!(redis.count("other").await.unwrap(), 0, "{garbage:?}");
        assert_eq!(redis.count_union(["other"]).await.unwrap(), 0);
    }
    let left = server.command(&["KEYS", "unique:*merged"]).unwrap();
    assert!(left.array().unwrap().is_empty(), "{left:?}");
}
