//! Two releases side by side, whose values have different schemas.

use std::convert::Infallible;

use larder_cache::{Cache, Loaded, WriteError};
use larder_store::{ErrorKind, Key, Put, Ttl};
use larder_test::faulty::{Operations, Trouble};

use crate::support::{Backend, Broken, FILM, Process, World, on_both_stores, until, until_ready};
use crate::tiers::listening;

const HOUR: Ttl = Ttl::from_secs(3_600);

type Films = Cache<u32, String>;

#[derive(Clone, Copy, Debug)]
enum Change {
    Remove,
    Many,
    Expire,
    Insert,
    WriteThrough,
    WriteAround,
}

async fn change(films: &Films, change: Change) {
    let written = || async { Ok::<_, Infallible>("new".to_owned()) };
    let done: Result<(), WriteError<Infallible>> = match change {
        Change::Remove => films.remove(&7).await.map_err(WriteError::Cache),
        Change::Many => {
            let removed = films.remove_many(&[6, 7, 8]).await.into_iter();
            removed.collect::<Result<_, _>>().map_err(WriteError::Cache)
        }
        Change::Expire => films.expire(&7).await.map_err(WriteError::Cache),
        Change::Insert => {
            let inserted = films.insert(7, "new".to_owned()).await;
            inserted.map_err(WriteError::Cache)
        }
        Change::WriteThrough => films.write_through(7, written()).await,
        Change::WriteAround => films.write_around(7, written()).await.map(drop),
    };
    assert!(done.is_ok(), "{change:?}");
}

fn release(world: &World, own: u32, beside: &[u32]) -> Process {
    world.process_with(|films| {
        let films = films.with_schema(own).with_stale_if_error(HOUR);
        beside.iter().fold(films, |films, schema| {
            films.with_invalidated_schema(*schema)
        })
    })
}

on_both_stores! { Manual;
    async fn a_change_reaches_the_values_of_a_release_with_another_schema(world: World) {
        let (old, new) = (release(&world, 1, &[2]), release(&world, 2, &[1]));
        listening(&[&old, &new]).await;
        for (changer, other) in [(&old, &new), (&new, &old)] {
            for what in [
                Change::Remove,
                Change::Many,
                Change::Expire,
                Change::Insert,
                Change::WriteThrough,
                Change::WriteAround,
            ] {
                changer.load("old").await;
                other.load("old").await;
                let before = changer.switch.operations();
                change(&changer.films, what).await;
                let trips = changer.switch.operations() - before;
                assert!(trips <= 5, "{what:?} takes {trips} round trips");
                until("it is heard", || other.films.get_near(&7).is_none()).await;
                assert!(other.films.get(&7).await.is_none(), "{what:?}");
                changer.films.remove(&7).await.unwrap();
            }
        }
    }

    async fn a_change_that_fails_reaches_the_other_release_when_it_is_tried_again(world: World) {
        let (old, new) = (release(&world, 1, &[2]), release(&world, 2, &[1]));
        new.load("old").await;
        old.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        old.films.remove(&7).await.unwrap_err();
        old.switch.clear();
        let other = release(&world, 2, &[]);
        until_ready("it is tried again", || async {
            other.films.find(&7).await.is_none()
        })
        .await;
    }

    async fn without_a_schema_beside_only_tags_and_clear_reach_the_other_release(world: World) {
        let release = |schema| world.process_with(|films| films.with_schema(schema).with_clear());
        let (old, new) = (release(1), release(2));
        let load = async |release: &Process| {
            let load = || async {
                Ok::<_, Broken>(Loaded::new("old".to_owned()).with_tags(["lang"]))
            };
            release.films.find_or_load(&7, load).await.unwrap();
        };
        load(&new).await;
        old.films.remove(&7).await.unwrap();
        assert!(new.films.get(&7).await.is_some());
        old.films.remove_tag("lang").await.unwrap();
        until("it is heard", || new.films.get_near(&7).is_none()).await;
        assert!(new.films.get(&7).await.is_none());
        world.advance(std::time::Duration::from_millis(1));
        load(&new).await;
        assert!(new.films.get(&7).await.is_some());
        old.films.clear().await.unwrap();
        until("it is heard", || new.films.get_near(&7).is_none()).await;
        assert!(new.films.get(&7).await.is_none());
    }
}

#[tokio::test]
async fn a_schema_beside_is_refused_if_there_are_too_many_and_ignored_if_it_is_its_own() {
    let backend = Backend::in_process();
    let with = |schemas: std::ops::Range<u32>| {
        schemas.fold(backend.films(), |films, schema| {
            films.with_invalidated_schema(schema)
        })
    };
    let error = with(0..9).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let films = with(0..2).build().unwrap();
    let key = Key::new(FILM, ("v1", 7_u32));
    let put = Put::new(key.clone(), "of the next release", HOUR);
    assert!(backend.store.put(&put).await.unwrap().is_stored());
    films.remove(&7).await.unwrap();
    assert!(backend.store.get(&key).await.unwrap().is_none());
}
