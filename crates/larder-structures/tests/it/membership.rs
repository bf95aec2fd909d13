use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::membership::Membership;
use larder_worlds::on_every_store;

const HOUR: Ttl = Ttl::from_secs(3600);

fn filter(store: &Arc<dyn Store>) -> Membership {
    Membership::new(store.clone(), "test", 1_000, 0.01, HOUR).unwrap()
}

on_every_store! { memory, redis, cluster;
    async fn what_was_added_is_found(world: World) {
        let filter = filter(&world.store);
        assert!(!filter.contains("a", "ada").await.unwrap());
        assert!(filter.add("a", "ada").await.unwrap());
        assert!(!filter.add("a", "ada").await.unwrap());
        assert_eq!(filter.add_many("a", ["ada", "bob"]).await.unwrap(), [false, true]);
        let found = filter.contains_many("a", ["bob", "cy", "ada"]).await.unwrap();
        assert_eq!(found, [true, false, true]);
        assert!(filter.add_many("a", Vec::<String>::new()).await.unwrap().is_empty());
        assert!(!filter.contains("b", "ada").await.unwrap());
        assert!(filter.clear("a").await.unwrap());
        assert!(!filter.clear("a").await.unwrap());
        assert!(!filter.contains("a", "ada").await.unwrap());
    }

    async fn how_full_a_filter_is_can_be_seen(world: World) {
        let filter = filter(&world.store);
        let fill = filter.fill("a").await.unwrap();
        assert_eq!((fill.members, fill.capacity, fill.error), (0, 1_000, 0.0));
        for from in [0, 500] {
            let some = (from..from + 500).map(|n: u32| n.to_string());
            filter.add_many("a", some).await.unwrap();
        }
        let fill = filter.fill("a").await.unwrap();
        assert!((950..1_050).contains(&fill.members), "{fill:?}");
        assert!((0.007..0.013).contains(&fill.error), "{fill:?}");
        let shown = filter.inspect("a").await.unwrap();
        assert!(shown.fields()[0].1.starts_with("larder bloom 1 m="), "{shown:?}");
    }

    async fn a_filter_of_another_shape_is_an_error_and_stays_as_it_is(world: World) {
        filter(&world.store).add("a", "ada").await.unwrap();
        let other = Membership::new(world.store.clone(), "test", 2_000, 0.01, HOUR).unwrap();
        for error in [
            other.add("a", "ada").await.unwrap_err(),
            other.contains("a", "ada").await.unwrap_err(),
            other.fill("a").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("another name"), "{error}");
        }
        assert!(filter(&world.store).contains("a", "ada").await.unwrap());
    }

    async fn a_filter_ends_after_its_last_addition(world: World) {
        let filter = filter(&world.store);
        filter.add("a", "ada").await.unwrap();
        world.advance(Duration::from_secs(1_800));
        filter.add("a", "ada").await.unwrap();
        world.advance(Duration::from_secs(3_599));
        assert!(filter.contains("a", "ada").await.unwrap());
        world.advance(Duration::from_secs(1));
        assert!(!filter.contains("a", "ada").await.unwrap());
    }
}

#[tokio::test]
async fn at_capacity_none_is_missed_and_false_positives_are_as_declared() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let filter = Membership::new(store, "test", 20_000, 0.01, HOUR).unwrap();
    let names = |range: std::ops::Range<u32>| range.map(|n| format!("visitor-{n}"));
    for from in (0..20_000).step_by(500) {
        filter.add_many("a", names(from..from + 500)).await.unwrap();
    }
    let mut wrong = 0;
    for from in (0..220_000).step_by(500) {
        let found = filter
            .contains_many("a", names(from..from + 500))
            .await
            .unwrap();
        match from < 20_000 {
            true => assert!(
                found.iter().all(|found| *found),
                "one of {from}.. was missed"
            ),
            false => wrong += found.iter().filter(|found| **found).count(),
        }
    }
    assert!(wrong <= 2_200, "{wrong} of 200,000, and 2,000 are declared");
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    for (capacity, error) in [(0, 0.01), (10, 0.0), (10, 1.0), (20_000_000, 0.01)] {
        let built = Membership::new(store.clone(), "test", capacity, error, HOUR);
        assert_eq!(
            built.err().unwrap().kind(),
            ErrorKind::Invalid,
            "{capacity} {error}"
        );
    }
    let filter = filter(&store);
    for wrong in [
        vec![String::new()],
        vec!["x".repeat(1_025)],
        vec!["x".to_owned(); 501],
    ] {
        let error = filter.add_many("a", &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(filter.contains_many("a", &wrong).await.is_err());
    }
}
