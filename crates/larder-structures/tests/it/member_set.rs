use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_store::{ErrorKind, Refusal, Store, Ttl};
use larder_structures::member_set::{MAX_PAGE, MemberSet};
use larder_test::server::RedisServer;
use larder_worlds::{on_every_store, patient};

const HOUR: Ttl = Ttl::from_secs(3600);

fn set(store: &Arc<dyn Store>) -> MemberSet {
    MemberSet::new(store.clone(), "test", HOUR).unwrap()
}

on_every_store! { memory, redis, cluster;
    async fn members_are_added_found_and_removed(world: World) {
        let set = set(&world.store);
        assert_eq!(set.add("a", &["bob", "ada", "bob"]).await.unwrap(), 2);
        assert_eq!(set.add("a", &["ada", "cy"]).await.unwrap(), 1);
        assert_eq!(set.add("a", [""; 0]).await.unwrap(), 0);
        assert!(set.contains("a", "ada").await.unwrap());
        let found = set.contains_many("a", &["cy", "dee", "bob"]).await.unwrap();
        assert_eq!(found, [true, false, true]);
        assert_eq!(set.page("a", None, 2).await.unwrap(), ["ada", "bob"]);
        assert_eq!(set.page("a", Some("bob"), 2).await.unwrap(), ["cy"]);
        assert_eq!(set.page("a", Some("b"), 9).await.unwrap(), ["bob", "cy"]);
        assert_eq!(set.remove("a", &["ada", "dee"]).await.unwrap(), 1);
        assert_eq!(set.remove("a", [""; 0]).await.unwrap(), 0);
        assert_eq!(set.len("a").await.unwrap(), 2);
        let shown = set.inspect("a").await.unwrap();
        assert_eq!(shown.fields(), [("members".to_owned(), "2".to_owned())]);
        assert!(!set.contains("b", "ada").await.unwrap());
    }

    async fn sets_are_joined_wherever_they_are(world: World) {
        let set = set(&world.store);
        set.add(1, &["a", "b", "c", "d"]).await.unwrap();
        set.add(2, &["b", "d", "e"]).await.unwrap();
        set.add(3, &["d", "f"]).await.unwrap();
        assert_eq!(set.union([1, 2, 3, 4], 9).await.unwrap(), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(set.union([3, 2], 2).await.unwrap(), ["b", "d"]);
        assert_eq!(set.intersection([1, 2], 9).await.unwrap(), ["b", "d"]);
        assert_eq!(set.intersection([1, 2], 1).await.unwrap(), ["b"]);
        assert_eq!(set.intersection([1, 2, 3], 9).await.unwrap(), ["d"]);
        assert!(set.intersection([1, 4], 9).await.unwrap().is_empty());
        assert_eq!(set.difference([1, 2, 3], 9).await.unwrap(), ["a", "c"]);
        assert_eq!(set.difference([1], 2).await.unwrap(), ["a", "b"]);
        assert!(set.difference(Vec::<u32>::new(), 2).await.unwrap().is_empty());
    }

    async fn a_large_set_is_joined_page_by_page(world: World) {
        let set = set(&world.store);
        let names: Vec<_> = (0..2_500).map(|n| format!("{n:05}")).collect();
        for some in names.chunks(1_000) {
            set.add(1, some).await.unwrap();
        }
        set.add(2, &["00007", "01234", "02499", "99999"]).await.unwrap();
        let both = set.intersection([1, 2], 9).await.unwrap();
        assert_eq!(both, ["00007", "01234", "02499"]);
        let rest = set.difference([1, 2], MAX_PAGE).await.unwrap();
        assert_eq!((rest.len(), &*rest[999]), (1_000, "01000"));
    }

    async fn chance_is_what_the_test_says(world: World) {
        let next = AtomicU32::new(0);
        let set = set(&world.store).with_random(move || next.fetch_add(1, Ordering::Relaxed));
        assert!(set.random("a", 3).await.unwrap().is_empty());
        set.add("a", &["a", "b", "c"]).await.unwrap();
        assert_eq!(set.random("a", 4).await.unwrap(), ["a", "b", "c", "a"]);
        let mut popped = set.pop("a", 2).await.unwrap();
        assert_eq!(set.len("a").await.unwrap(), 1);
        popped.extend(set.pop("a", 5).await.unwrap());
        popped.sort();
        assert_eq!(popped, ["a", "b", "c"]);
        assert!(set.pop("a", 1).await.unwrap().is_empty());
    }

    async fn a_full_set_takes_all_or_none(world: World) {
        let set = set(&world.store).with_max_members(3);
        set.add("a", &["a", "b"]).await.unwrap();
        let error = set.add("a", &["b", "c", "d"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        assert_eq!(set.len("a").await.unwrap(), 2);
        assert_eq!(set.add("a", &["a", "b", "c"]).await.unwrap(), 1);
        assert_eq!(set.add("a", &["a", "b", "c"]).await.unwrap(), 0, "what is there needs no room");
    }

    async fn a_maximum_of_none_counts_as_one(world: World) {
        let set = set(&world.store).with_max_members(0);
        assert_eq!(set.add("a", ["a"]).await.unwrap(), 1);
        let error = set.add("a", ["b"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
    }

    async fn a_set_ends_after_its_last_addition(world: World) {
        let set = set(&world.store);
        set.add("a", &["a", "b"]).await.unwrap();
        world.advance(Duration::from_secs(1_800));
        set.add("a", &["a"]).await.unwrap();
        set.remove("a", &["b"]).await.unwrap();
        world.advance(Duration::from_secs(3_599));
        assert_eq!(set.len("a").await.unwrap(), 1);
        world.advance(Duration::from_secs(1));
        assert_eq!(set.len("a").await.unwrap(), 0);
    }

    async fn what_is_out_of_bounds_is_refused(world: World) {
        let set = set(&world.store);
        let long = "m".repeat(257);
        assert_eq!(set.add("a", &[&long]).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(set.add("a", &["x"; 1_001]).await.unwrap_err().kind(), ErrorKind::Invalid);
        let error = set.page("a", None, MAX_PAGE + 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(set.pop("a", MAX_PAGE + 1).await.is_err());
        assert!(set.union(["a"], MAX_PAGE + 1).await.is_err());
    }
}

#[tokio::test]
async fn a_member_of_another_program_does_not_hide_those_that_are_popped_with_it() {
    let server = RedisServer::start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    let set = set(&(Arc::new(store) as Arc<dyn Store>));
    set.add("a", &["ada", "bob"]).await.unwrap();
    let script = "return redis.call('ZADD', KEYS[1], 0, '\\255')";
    server
        .command(&["EVAL", script, "1", "set:{test:a}"])
        .unwrap();
    let mut popped = set.pop("a", 3).await.unwrap();
    popped.sort();
    assert_eq!(popped, ["ada", "bob"]);
    assert_eq!(set.len("a").await.unwrap(), 0);
}
