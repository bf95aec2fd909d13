use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::program::MAX_INT;
use larder_store::{ErrorKind, Refusal, Store, Ttl};
use larder_structures::record::{Compared, Record};
use larder_worlds::on_every_store;
use serde::{Deserialize, Serialize};

const HOUR: Ttl = Ttl::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    city: Option<String>,
    visits: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    city: Option<String>,
}

fn profiles(store: &Arc<dyn Store>) -> Record<Profile> {
    Record::new(store.clone(), "test", HOUR).unwrap()
}

fn ada() -> Profile {
    Profile {
        name: "Ada \"Lovelace\"".to_owned(),
        city: None,
        visits: 7,
    }
}

fn address(city: &str) -> Address {
    Address {
        city: Some(city.to_owned()),
    }
}

/// Fields whose JSON has more than one form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seat {
    place: Place,
    price: f32,
    tags: HashMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    row: u32,
    number: u32,
}

fn seat() -> Seat {
    Seat {
        place: Place { row: 3, number: 7 },
        price: 1.1,
        tags: (0..20).map(|n| (n.to_string(), n)).collect(),
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Price {
    amount: f64,
}

on_every_store! { memory, redis, cluster;
    async fn a_number_is_read_back_as_it_was_put(world: World) {
        let prices = Record::<Price>::new(world.store.clone(), "prices", HOUR).unwrap();
        // serde_json reads another number here, unless it is told to be exact.
        let amount = 27.684277497634646;
        prices.put("a", &Price { amount }).await.unwrap();
        let read = prices.get("a").await.unwrap().unwrap();
        assert_eq!(read, Price { amount });
        let compared = prices.compare_and_set("a", "amount", Some(&read.amount), Some(&1.0)).await;
        assert_eq!(compared.unwrap(), Compared::Done);
    }

    async fn a_field_is_compared_with_what_was_put_whatever_its_type(world: World) {
        let seats = Record::<Seat>::new(world.store.clone(), "seats", HOUR).unwrap();
        seats.put("a", &seat()).await.unwrap();
        let (place, other) = (seat().place, Place { row: 4, number: 8 });
        let compared = seats.compare_and_set("a", "place", Some(&place), Some(&other)).await;
        assert_eq!(compared.unwrap(), Compared::Done);
        let compared = seats.compare_and_set("a", "place", Some(&other), Some(&place)).await;
        assert_eq!(compared.unwrap(), Compared::Done);
        let compared = seats.compare_and_set("a", "price", Some(&1.1_f32), Some(&2.2)).await;
        assert_eq!(compared.unwrap(), Compared::Done);
        let compared = seats.compare_and_set("a", "price", Some(&2.2_f32), Some(&1.1)).await;
        assert_eq!(compared.unwrap(), Compared::Done);
        // The same entries in the order of another map.
        let tags = seat().tags;
        let compared = seats.compare_and_set("a", "tags", Some(&tags), Some(&HashMap::new())).await;
        assert_eq!(compared.unwrap(), Compared::Done);
        let read = seats.get("a").await.unwrap().unwrap();
        assert_eq!(read, Seat { tags: HashMap::new(), ..seat() });
    }

    async fn what_could_not_be_read_back_is_not_written(world: World) {
        let seats = Record::<Seat>::new(world.store.clone(), "seats", HOUR).unwrap();
        seats.put("a", &seat()).await.unwrap();
        for price in [f32::NAN, f32::INFINITY] {
            let error = seats.put("a", &Seat { price, ..seat() }).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("read back"), "{error}");
            let compared = seats.compare_and_set("a", "price", Some(&1.1_f32), Some(&price)).await;
            assert_eq!(compared.unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert_eq!(seats.get("a").await.unwrap(), Some(seat()));
    }

    async fn too_many_names_of_fields_are_refused(world: World) {
        let profiles = profiles(&world.store);
        profiles.put("a", &ada()).await.unwrap();
        let names: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
        let error = profiles.get_part::<Address>("a", &names).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let part = profiles.get_part::<Address>("a", &names[..1_000]).await.unwrap();
        assert_eq!(part, Some(Address { city: None }));
    }

    async fn a_struct_is_read_as_it_was_written(world: World) {
        let profiles = profiles(&world.store);
        assert_eq!(profiles.get("a").await.unwrap(), None);
        profiles.put("a", &ada()).await.unwrap();
        assert_eq!(profiles.get("a").await.unwrap(), Some(ada()));
        assert!(!profiles.create("a", &ada()).await.unwrap());
        assert!(profiles.create("b", &ada()).await.unwrap());
        let shown = profiles.inspect("a").await.unwrap();
        assert_eq!(shown.fields(), [("fields".to_owned(), "3".to_owned())]);
        assert!(profiles.remove("a").await.unwrap());
        assert!(!profiles.remove("a").await.unwrap());
        assert_eq!(profiles.get("a").await.unwrap(), None);
    }

    async fn two_who_change_different_fields_do_not_overwrite_each_other(world: World) {
        let profiles = profiles(&world.store);
        profiles.put("a", &ada()).await.unwrap();
        let tasks: Vec<_> = (0..4).map(|n| {
            let profiles = profiles.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    match n {
                        0 => drop(profiles.set_part("a", &address("London")).await.unwrap()),
                        _ => drop(profiles.increment("a", "visits", 1).await.unwrap()),
                    }
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let profile = profiles.get("a").await.unwrap().unwrap();
        assert_eq!((profile.visits, profile.city.as_deref()), (37, Some("London")));
        let part: Address = profiles.get_part("a", &["city"]).await.unwrap().unwrap();
        assert_eq!(part, address("London"));
    }

    async fn no_change_makes_a_part_of_a_record(world: World) {
        let profiles = profiles(&world.store);
        assert!(!profiles.set_part("a", &address("London")).await.unwrap());
        assert_eq!(profiles.increment("a", "visits", 1).await.unwrap(), None);
        let compared = profiles.compare_and_set("a", "visits", None, Some(&1)).await;
        assert_eq!(compared.unwrap(), Compared::Absent);
        assert_eq!(profiles.get_part::<Address>("a", &["city"]).await.unwrap(), None);
        assert_eq!(profiles.inspect("a").await.unwrap().fields(), []);
    }

    async fn a_field_is_changed_if_it_is_as_expected(world: World) {
        let profiles = profiles(&world.store);
        profiles.put("a", &ada()).await.unwrap();
        let compare = |expected, new| profiles.compare_and_set("a", "visits", expected, new);
        assert_eq!(compare(Some(&7), Some(&8)).await.unwrap(), Compared::Done);
        assert_eq!(compare(Some(&7), Some(&9)).await.unwrap(), Compared::Other(Some(8)));
        assert_eq!(compare(None, Some(&9)).await.unwrap(), Compared::Other(Some(8)));
        assert_eq!(compare(Some(&8), None).await.unwrap(), Compared::Done);
        assert_eq!(compare(Some(&8), Some(&9)).await.unwrap(), Compared::Other(None));
        // Without a field that it needs, the record does not fit.
        let error = profiles.get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error:?}").contains("Lovelace"), "{error:?}");
        assert_eq!(compare(None, Some(&9)).await.unwrap(), Compared::Done);
        assert_eq!(profiles.get("a").await.unwrap().unwrap().visits, 9);
    }

    async fn a_whole_record_leaves_nothing_of_the_one_before(world: World) {
        let addresses = Record::<Address>::new(world.store.clone(), "test", HOUR).unwrap();
        profiles(&world.store).put("a", &ada()).await.unwrap();
        addresses.put("a", &address("London")).await.unwrap();
        let shown = addresses.inspect("a").await.unwrap();
        assert_eq!(shown.fields(), [("fields".to_owned(), "1".to_owned())]);
    }

    async fn what_there_is_no_room_for_is_refused(world: World) {
        let profiles = profiles(&world.store).with_max_fields(3);
        profiles.put("a", &ada()).await.unwrap();
        let full = ErrorKind::Refused(Refusal::Full);
        assert_eq!(profiles.increment("a", "more", 1).await.unwrap_err().kind(), full);
        let compared = profiles.compare_and_set("a", "more", None, Some(&1)).await;
        assert_eq!(compared.unwrap_err().kind(), full);
        let small = profiles.clone().with_max_fields(2);
        assert_eq!(small.put("b", &ada()).await.unwrap_err().kind(), full);
        assert_eq!(profiles.get("a").await.unwrap(), Some(ada()));
    }

    async fn a_maximum_of_no_fields_counts_as_one(world: World) {
        let addresses = Record::<Address>::new(world.store.clone(), "least", HOUR).unwrap();
        let addresses = addresses.with_max_fields(0);
        addresses.put("a", &address("Berlin")).await.unwrap();
        assert_eq!(addresses.get("a").await.unwrap(), Some(address("Berlin")));
    }

    async fn a_number_stays_exact_and_a_text_is_not_one(world: World) {
        let profiles = profiles(&world.store);
        profiles.put("a", &ada()).await.unwrap();
        for (field, by) in [("visits", MAX_INT), ("name", 1), ("visits", MAX_INT + 1)] {
            let error = profiles.increment("a", field, by).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{field}");
        }
        assert_eq!(profiles.get("a").await.unwrap(), Some(ada()));
    }

    async fn a_record_ends_after_its_last_change(world: World) {
        let profiles = profiles(&world.store);
        profiles.put("a", &ada()).await.unwrap();
        world.advance(Duration::from_secs(1_800));
        profiles.increment("a", "visits", 1).await.unwrap();
        world.advance(Duration::from_secs(3_599));
        assert!(profiles.get("a").await.unwrap().is_some());
        world.advance(Duration::from_secs(1));
        assert!(profiles.get("a").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_has_no_named_fields_is_refused() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let numbers = Record::<Vec<u32>>::new(store.clone(), "test", HOUR).unwrap();
    let error = numbers.put("a", &vec![1]).await.unwrap_err();
    assert!(error.to_string().contains("named fields"), "{error}");
    let profiles = profiles(&store);
    let long = "x".repeat(64 * 1024);
    let error = profiles.set_part("a", &address(&long)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(profiles.increment("a", "", 1).await.is_err());
    assert!(profiles.get_part::<Address>("a", [""; 0]).await.is_err());
}
