//! Tags, in process and on Redis, between the caches of several processes.

use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, Loaded, Source};
use larder_layer::tags::Tag;
use larder_store::{ErrorKind, Kind, Refusal, Ttl};
use larder_test::faulty::{Operations, Switch, Trouble};

use crate::support::{
    Backend, Broken, FILM, Gate, MINUTE, load, near_films, on_both, over, until, until_ready,
};

type Films = Cache<u32, String>;

async fn load_tagged(films: &Films, film: u32, value: &'static str, tags: &'static [&'static str]) {
    let loaded = films.find_or_load(&film, || async move {
        Ok::<_, Broken>(Loaded::new(value.to_owned()).with_tags(tags))
    });
    assert_eq!(loaded.await.unwrap().as_str(), value);
}

on_both! {
    async fn removing_a_tag_removes_every_value_with_it_by_one_write(backend: Backend) {
        const SHOWING: Kind = Kind::evictable("showing");
        let (builder, switch) = backend.faulty_films();
        let films = builder.with_max_near_entries(100).build().unwrap();
        let showings = over(SHOWING, backend.store.clone()).build().unwrap();
        for film in 0..1_000 {
            load_tagged(&films, film, "tagged", &["lang", "}{*\r\n"]).await;
        }
        load_tagged(&films, 1_000, "other", &["murnau"]).await;
        load_tagged(&films, 1_001, "plain", &[]).await;
        load_tagged(&showings, 1, "tagged", &["lang"]).await;
        let before = switch.operations();
        films.remove_tag("lang").await.unwrap();
        // The change, and the message to other processes.
        assert_eq!(switch.operations() - before, 2);
        let other = backend.films().build().unwrap();
        for film in 0..1_000 {
            assert!(films.get(&film).await.is_none() && other.get(&film).await.is_none());
        }
        assert_eq!(*films.get(&1_000).await.unwrap(), "other");
        assert_eq!(*other.get(&1_001).await.unwrap(), "plain");
        let showings = over(SHOWING, backend.store.clone()).build().unwrap();
        assert!(
            showings.get(&1).await.is_none(),
            "another cache has the tag too"
        );
    }

    async fn a_far_hit_is_one_trip_if_its_tags_are_known_and_two_if_not(backend: Backend) {
        load_tagged(&backend.films().build().unwrap(), 1, "one", &["a", "b"]).await;
        load_tagged(&backend.films().build().unwrap(), 2, "two", &["b", "a"]).await;
        let (builder, switch) = backend.faulty_films();
        let films = builder.without_bus().build().unwrap();
        for (film, trips) in [(1, 2), (2, 1)] {
            let before = switch.operations();
            assert_eq!(films.find(&film).await.unwrap().source, Source::Far);
            assert_eq!(switch.operations() - before, trips, "film {film}");
        }
        let (builder, switch) = backend.faulty_films();
        let far_only = builder.without_near().build().unwrap();
        for film in [1, 2] {
            let before = switch.operations();
            assert!(far_only.get(&film).await.is_some());
            assert_eq!(switch.operations() - before, 2, "nothing is remembered");
        }
    }

    async fn a_load_is_not_stored_if_one_of_its_tags_changed_since_it_began(backend: Backend) {
        let (one, two) = (
            backend.films().build().unwrap(),
            backend.films().build().unwrap(),
        );
        for changes_here in [true, false] {
            let gate = Gate::closed();
            let old = held_up(&one, &gate);
            gate.arrived().await;
            let by = if changes_here { &one } else { &two };
            by.remove_tag("lang").await.unwrap();
            gate.open();
            assert_eq!(
                old.await.unwrap(),
                "old",
                "its caller came before the change"
            );
            assert!(two.get(&7).await.is_none());
            assert_eq!(load(&one, &7, "new").await, "new");
            one.remove(&7).await.unwrap();
        }
    }

    async fn a_caller_after_a_change_of_a_tag_gets_no_older_load(backend: Backend) {
        let (one, two) = (
            backend.films().build().unwrap(),
            backend.films().build().unwrap(),
        );
        let gate = Gate::closed();
        let old = held_up(&one, &gate);
        gate.arrived().await;
        two.remove_tag("lang").await.unwrap();
        let later = tokio::spawn({
            let one = one.clone();
            async move { load(&one, &7, "new").await }
        });
        tokio::task::yield_now().await;
        gate.open();
        assert_eq!(old.await.unwrap(), "old");
        assert_eq!(later.await.unwrap(), "new");
    }

    async fn a_caller_after_a_change_of_a_tag_gets_no_older_load_that_is_not_kept(backend: Backend) {
        let (one, gate) = (backend.films().build().unwrap(), Gate::closed());
        for is_found in [true, false] {
            let (films, held_up) = (one.clone(), gate.clone());
            let old = tokio::spawn(async move {
                let load = || async move {
                    held_up.pass().await;
                    Ok::<_, Broken>(match is_found {
                        true => Loaded::new("old".to_owned()).with_tags(["lang"]).uncached(),
                        false => Loaded::not_found().with_tags(["lang"]),
                    })
                };
                films.find_or_load(&7, load).await.is_ok()
            });
            gate.arrived().await;
            one.remove_tag("lang").await.unwrap();
            let films = one.clone();
            let later = tokio::spawn(async move {
                let load = || async { Ok::<_, Broken>("new".to_owned()) };
                films
                    .get_or_load(&7, load)
                    .await
                    .map(|found| found.to_string())
            });
            tokio::task::yield_now().await;
            gate.open();
            assert_eq!(old.await.unwrap(), is_found);
            assert_eq!(later.await.unwrap().unwrap(), "new");
            one.remove(&7).await.unwrap();
        }
    }

    async fn an_expired_tag_leaves_values_for_a_load_that_fails_and_a_removed_one_does_not(backend: Backend) {
        let build = || backend.films().with_stale_if_error(MINUTE).build().unwrap();
        let fails = || async { Err::<Loaded<String>, _>(Broken("away")) };
        let films = build();
        for film in [1, 2, 3] {
            load_tagged(&films, film, "old", &["lang"]).await;
        }
        films.expire_tag("lang").await.unwrap();
        // The first cache has near copies, the other reads far.
        for (films, film) in [(&films, 1), (&build(), 2)] {
            assert!(films.get(&film).await.is_none(), "it is not fresh");
            let found = films.find_or_load(&film, fails).await.unwrap();
            assert_eq!((found.as_str(), found.source), ("old", Source::Stale));
        }
        films.remove_tag("lang").await.unwrap();
        for (films, film) in [(&films, 1), (&build(), 2), (&build(), 3)] {
            assert!(films.find_or_load(&film, fails).await.is_err());
        }
    }

    async fn clearing_a_cache_removes_its_values_and_no_others(backend: Backend) {
        const SHOWING: Kind = Kind::evictable("showing");
        let build = || backend.films().with_clear().build().unwrap();
        let films = build();
        let showings = over(SHOWING, backend.store.clone())
            .with_clear()
            .build()
            .unwrap();
        for film in 0..10 {
            load(&films, &film, "film").await;
            load(&showings, &film, "showing").await;
        }
        films.insert(10, "inserted".to_owned()).await.unwrap();
        films.clear().await.unwrap();
        let other = build();
        for film in 0..=10 {
            assert!(films.get(&film).await.is_none() && other.get(&film).await.is_none());
        }
        assert_eq!(*showings.get(&1).await.unwrap(), "showing");
        let error = backend.films().build().unwrap().clear().await.unwrap_err();
        assert!(error.to_string().contains("with_clear"), "{error}");
    }

    async fn other_processes_drop_their_near_copies_of_a_tag(backend: Backend) {
        let (one, two) = (
            backend.films().build().unwrap(),
            backend.films().build().unwrap(),
        );
        load_tagged(&one, 1, "old", &["lang"]).await;
        load_tagged(&one, 2, "old", &["murnau"]).await;
        for film in [1, 2] {
            two.get(&film).await.unwrap();
        }
        // Once it gets a message about a removal, it is subscribed.
        one.insert(3, "a marker".to_owned()).await.unwrap();
        two.get(&3).await.unwrap();
        until_ready("it listens", || async {
            one.remove(&3).await.unwrap();
            two.get_near(&3).is_none()
        })
        .await;
        one.remove_tag("lang").await.unwrap();
        until("the near copy is gone", || two.get_near(&1).is_none()).await;
        assert!(two.get(&1).await.is_none());
        assert!(two.get_near(&2).is_some());
    }

    async fn a_change_of_a_tag_that_fails_is_final_here_and_tried_again(backend: Backend) {
        let (builder, switch) = backend.faulty_films();
        let films = builder.build().unwrap();
        let other = backend.films().without_near().build().unwrap();
        load_tagged(&films, 1, "old", &["lang"]).await;
        load_tagged(&films, 2, "other", &["murnau"]).await;
        switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
        films.remove_tag("lang").await.unwrap_err();
        switch.clear();
        // If the far store still has the value, this process does not use it.
        if other.get(&1).await.is_some() {
            assert!(films.get(&1).await.is_none());
        }
        assert!(films.get(&2).await.is_some());
        until_ready("it is removed after all", || async {
            other.get(&1).await.is_none()
        })
        .await;
        load_tagged(&films, 1, "new", &["lang"]).await;
    }

    async fn a_user_who_may_not_publish_changes_tags_all_the_same(backend: Backend) {
        let (builder, switch) = backend.faulty_films();
        let films = builder.build().unwrap();
        load_tagged(&films, 1, "old", &["lang"]).await;
        let denied = ErrorKind::Refused(Refusal::Denied);
        switch.set_on(Operations::Bus, Trouble::Fail(denied));
        films.remove_tag("lang").await.unwrap();
        assert_eq!(films.stats().invalidations_pending, 0);
        assert!(films.get(&1).await.is_none());
    }

    async fn a_removal_of_a_tag_that_failed_is_not_forgotten_when_an_expiry_succeeds(backend: Backend) {
        let (one, other, switch) = stale_ones(&backend);
        load_tagged(&one, 1, "old", &["lang"]).await;
        switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
        one.remove_tag("lang").await.unwrap_err();
        switch.clear();
        one.expire_tag("lang").await.unwrap();
        until_removed(&other).await;
    }

    async fn a_value_that_was_not_modified_keeps_its_tags(backend: Backend) {
        let films = backend.films().build().unwrap();
        load_tagged(&films, 1, "same", &["lang"]).await;
        films
            .refresh_or_load(&1, |context| async move {
                let previous = context.previous().ok_or(Broken("nothing"))?;
                Ok::<_, Broken>(previous.not_modified())
            })
            .await
            .unwrap();
        films.remove_tag("lang").await.unwrap();
        assert!(films.get(&1).await.is_none());
    }

    /// The near copy, which has the tags, is removed before the load ends.
    async fn a_value_that_was_not_modified_is_not_stored_if_a_tag_of_it_changed_since(backend: Backend) {
        let soon = |films: CacheBuilder<u32, String>| films.with_refresh_after(Ttl::from_millis(1));
        let near_only = Cache::builder(FILM, MINUTE);
        for films in [backend.films(), near_only] {
            let (films, gate) = (soon(films).build().unwrap(), Gate::closed());
            load_tagged(&films, 1, "old", &["lang"]).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let held_up = gate.clone();
            let refreshing = films.refresh_or_load(&1, |context| async move {
                let previous = context.previous().ok_or(Broken("nothing"))?;
                held_up.pass().await;
                Ok::<_, Broken>(previous.not_modified())
            });
            assert_eq!(refreshing.await.unwrap().source, Source::Near);
            gate.arrived().await;
            films.remove_tag("lang").await.unwrap();
            gate.open();
            until("the refresh has ended", || films.loads_in_flight() == 0).await;
            assert!(films.get(&1).await.is_none());
            assert!(backend.films().build().unwrap().get(&1).await.is_none());
        }
    }

    async fn a_value_with_too_many_tags_is_given_and_not_cached(backend: Backend) {
        let films = backend.films().build().unwrap();
        let tags = |number: u32| (0..number).map(|n| format!("tag {n}"));
        for (film, number) in [(1, 16), (2, 17)] {
            let load = || async move {
                Ok::<_, Broken>(Loaded::new("value".to_owned()).with_tags(tags(number)))
            };
            assert_eq!(
                *films.find_or_load(&film, load).await.unwrap().value,
                "value"
            );
            assert_eq!(films.get(&film).await.is_some(), number == 16);
        }
        let error = films
            .insert_with_tags(3, "value".to_owned(), tags(17))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    async fn inserted_values_carry_tags(backend: Backend) {
        let films = backend.films().build().unwrap();
        films
            .insert_with_tags(1, "one".to_owned(), ["lang"])
            .await
            .unwrap();
        assert!(films.get_near(&1).is_some());
        let other = backend.films().build().unwrap();
        assert_eq!(*other.get(&1).await.unwrap(), "one");
        other.remove_tag("lang").await.unwrap();
        let far_only = backend.films().without_near().build().unwrap();
        assert!(far_only.get(&1).await.is_none());
    }
}

/// Begins a load that waits at the gate. The task returns its value.
fn held_up(films: &Films, gate: &Gate) -> tokio::task::JoinHandle<String> {
    let (films, gate) = (films.clone(), gate.clone());
    tokio::spawn(async move {
        let load = || async move {
            gate.pass().await;
            Ok::<_, Broken>(Loaded::new("old".to_owned()).with_tags(["lang"]))
        };
        films
            .find_or_load(&7, load)
            .await
            .unwrap()
            .value
            .to_string()
    })
}

/// Begins two processes that serve stale values if a load fails, with a switch for faults of the first one's
/// store.
fn stale_ones(backend: &Backend) -> (Films, Films, Switch) {
    let (builder, switch) = backend.faulty_films();
    let one = builder.with_stale_if_error(MINUTE).build().unwrap();
    let other = backend.films().with_stale_if_error(MINUTE).without_near();
    (one, other.build().unwrap(), switch)
}

/// Waits until a failing load of film 1 has no stale value to serve.
async fn until_removed(films: &Films) {
    let load = || async { Err::<String, _>(Broken("away")) };
    until_ready("the value is removed", || async move {
        films.find_or_load(&1, load).await.is_err()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_of_a_tag_that_fails_while_an_older_change_is_tried_again_is_not_forgotten() {
    let backend = Backend::in_process();
    let (one, other, switch) = stale_ones(&backend);
    load_tagged(&one, 1, "old", &["lang"]).await;
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    one.expire_tag("lang").await.unwrap_err();
    switch.set(Trouble::Delay(Duration::from_millis(500)));
    let before = switch.operations();
    until("it is tried again", || switch.operations() != before).await;
    // The retry of the expiry is in progress.
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    one.remove_tag("lang").await.unwrap_err();
    switch.clear();
    until_removed(&other).await;
}

#[test]
fn a_change_of_a_tag_is_tried_again_in_another_runtime_if_its_own_has_ended() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let backend = Backend::in_process();
    let (one, other, switch) = stale_ones(&backend);
    let first = runtime();
    first.block_on(async {
        load_tagged(&one, 1, "old", &["lang"]).await;
        switch.set(Trouble::Fail(ErrorKind::NotSent));
        one.remove_tag("lang").await.unwrap_err();
    });
    drop(first);
    switch.clear();
    runtime().block_on(async {
        assert!(one.get(&1).await.is_none());
        until_removed(&other).await;
        until("it is told", || one.stats().invalidations_pending == 0).await;
    });
}

#[tokio::test]
async fn a_record_of_a_tag_that_nobody_writes_keeps_nobody_from_changing_it() {
    let backend = Backend::on_redis().await;
    let (server, key) = (backend.server.as_ref().unwrap(), Tag::new("lang").key());
    for noise in ["99999999999999999999 1", "1 99999999999999999999"] {
        let films = backend.films().build().unwrap();
        let set = || server.command(&["SET", key.as_str(), &format!("0123456789abcdef{noise}")]);
        set().unwrap();
        load_tagged(&films, 1, "old", &["lang"]).await;
        let other = backend.films().build().unwrap();
        assert!(other.get(&1).await.is_some(), "it is stored: {noise}");
        set().unwrap();
        films.remove_tag("lang").await.unwrap();
        assert!(films.get(&1).await.is_none(), "{noise}");
    }
}

#[tokio::test]
async fn a_tag_without_a_record_makes_its_values_misses_until_the_next_load() {
    let backend = Backend::on_redis().await;
    let films = backend.films().build().unwrap();
    load_tagged(&films, 1, "old", &["lang"]).await;
    let server = backend.server.as_ref().unwrap();
    server
        .command(&["DEL", Tag::new("lang").key().as_str()])
        .unwrap();
    let (builder, switch) = backend.faulty_films();
    let other = builder.build().unwrap();
    assert!(other.get(&1).await.is_none());
    let before = switch.operations();
    load_tagged(&other, 1, "new", &["lang"]).await;
    // It reads the value and its tag, claims, makes the tag, commits, and publishes nothing.
    assert_eq!(switch.operations() - before, 5);
    assert_eq!(
        *backend.films().build().unwrap().get(&1).await.unwrap(),
        "new"
    );
}

#[tokio::test]
async fn a_near_cache_alone_removes_by_tag_and_clears() {
    let films = near_films();
    load_tagged(&films, 1, "one", &["lang"]).await;
    load_tagged(&films, 2, "two", &["murnau"]).await;
    films.remove_tag("lang").await.unwrap();
    assert!(films.get(&1).await.is_none() && films.get(&2).await.is_some());
    let gate = Gate::closed();
    let old = held_up(&films, &gate);
    gate.arrived().await;
    films.remove_tag("lang").await.unwrap();
    gate.open();
    assert_eq!(old.await.unwrap(), "old");
    assert!(films.get(&7).await.is_none());
    films.clear().await.unwrap();
    assert!(films.get(&2).await.is_none());
}
