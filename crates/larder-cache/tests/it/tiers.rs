//! Near tiers of several processes, and a far store or a bus that is down.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use larder_cache::{Source, Tier};
use larder_store::bus::{
    Bus, Channel, DEFAULT_BUFFER, Mailbox, SubscribeRequest, Subscription, mailbox,
};
use larder_store::{ErrorKind, ManualClock, Ttl};
use larder_test::faulty::{Operations, Trouble};
use parking_lot::Mutex;

use crate::support::{
    Act, Gate, Operation, Staged, beside, counts, far_films, films, on_both_stores, until,
    until_ready,
};

const HOUR: Ttl = Ttl::from_secs(3_600);

on_both_stores! { Manual;
    /// Another process may invalidate a value as soon as it has been read.
    async fn the_near_ttl_counts_from_the_begin_of_the_far_read(world: World) {
        let near_ttl = Duration::from_secs(10);
        let one = world.process_with(|builder| builder.without_bus().with_near_ttl(near_ttl));
        world.quiet_process().load("old").await;
        let before = one.switch.operations();
        one.switch.set_on(Operations::Reads, Trouble::Delay(Duration::from_millis(200)));
        let reader = tokio::spawn({
            let one = one.clone();
            async move { one.load("none").await.source }
        });
        until("it reads", || one.switch.operations() > before).await;
        world.advance(Duration::from_secs(6));
        assert_eq!(reader.await.unwrap(), Source::Far);
        assert!(one.films.get_near(&7).is_some());
        world.advance(Duration::from_secs(4));
        assert!(one.films.get_near(&7).is_none());
    }

    async fn a_removal_drops_the_near_copies_of_other_processes(world: World) {
        let (one, two) = (world.process(), world.process());
        // Both are subscribed once a message has reached them.
        listening(&[&one, &two]).await;
        one.load("old").await;
        assert_eq!(two.load("none").await.source, Source::Far);
        one.films.remove(&7).await.unwrap();
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        assert_eq!(two.load("new").await.source, Source::Loaded);
        assert_eq!(one.load("none").await.as_str(), "new");
    }

    async fn an_insert_drops_the_near_copies_of_other_processes(world: World) {
        let (one, two) = (world.process(), world.process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.load("none").await;
        one.films.insert(7, "new".to_owned()).await.unwrap();
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        assert_eq!(one.films.get_near(&7).unwrap().as_str(), "new");
        assert_eq!(two.load("none").await.as_str(), "new");
    }

    async fn an_expiry_leaves_other_processes_a_copy_for_loads_that_fail(world: World) {
        let process = || world.process_with(|films| films.with_stale_if_error(HOUR));
        let (one, two) = (process(), process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.load("none").await;
        one.films.expire(&7).await.unwrap();
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        assert_eq!(two.fail().await.unwrap().source, Source::Stale);
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        assert_eq!(world.process().load("new").await.source, Source::Loaded);
    }

    async fn many_keys_are_removed_together(world: World) {
        let (one, two) = (world.process(), world.process());
        listening(&[&one, &two]).await;
        let keys: Vec<u32> = (0..50).collect();
        for key in &keys {
            one.films.insert(*key, key.to_string()).await.unwrap();
            two.films.get(key).await.unwrap();
        }
        let before = one.switch.operations();
        let removed = one.films.remove_many(&keys).await;
        assert!(removed.iter().all(Result::is_ok) && removed.len() == 50);
        assert_eq!(one.switch.operations() - before, 2, "one to remove, one to tell");
        until("the other hears of it", || {
            keys.iter().all(|key| two.films.get_near(key).is_none())
        })
        .await;
        for key in &keys {
            assert!(one.films.get(key).await.is_none());
        }
    }

    async fn a_key_that_is_given_twice_is_changed_once(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(HOUR));
        for film in [7, 8] {
            one.films.insert(film, "old".to_owned()).await.unwrap();
        }
        let expired = one.films.expire_many(&[7, 8, 7]).await;
        assert!(expired.iter().all(Result::is_ok) && expired.len() == 3);
        assert!(one.films.get(&7).await.is_none());
        assert_eq!(one.fail().await.unwrap().source, Source::Stale);
        assert!(world.far().await.is_some());
        let removed = one.films.remove_many(&[7, 7]).await;
        assert!(removed.iter().all(Result::is_ok) && removed.len() == 2);
        assert!(one.fail().await.is_err());
        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
        let failed = one.films.expire_many(&[8, 8]).await;
        let kinds = failed.into_iter().map(|one| one.unwrap_err().kind());
        assert_eq!(kinds.collect::<Vec<_>>(), [ErrorKind::NotSent; 2]);
    }

    async fn a_far_read_that_a_message_overtakes_is_not_kept_near(world: World) {
        let (one, two) = (world.process(), world.process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.switch.set_on(Operations::Reads, Trouble::Delay(Duration::from_millis(0)));
        for _ in 0..20 {
            let reader = tokio::spawn({
                let two = two.clone();
                async move { two.films.get(&7).await }
            });
            one.films.remove(&7).await.unwrap();
            reader.await.unwrap();
            until("the other hears of it", || two.films.get_near(&7).is_none()).await;
            one.films.insert(7, "old".to_owned()).await.unwrap();
            until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        }
    }

    async fn a_removal_that_fails_quarantines_its_key_and_is_replayed(world: World) {
        let (one, two) = (world.process(), world.process());
        one.load("old").await;
        one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        one.films.remove(&7).await.unwrap_err();
        assert_eq!(one.films.stats().invalidations_pending, 1);
        assert!(one.films.explain(&7).await.is_quarantined);
        // The old value is still far, but this process does not read it.
        assert!(world.far().await.is_some());
        assert!(one.films.get(&7).await.is_none());
        assert_eq!(one.load("new").await.source, Source::Loaded);
        assert_eq!(two.load("none").await.as_str(), "old", "no promise can be kept here");
        one.switch.clear();
        until("it is replayed", || one.films.stats().invalidations_pending == 0).await;
        until_ready("the far value is gone", || async { world.far().await.is_none() }).await;
        assert!(!one.films.explain(&7).await.is_quarantined);
    }

    async fn an_insert_settles_a_removal_that_failed(world: World) {
        let one = world.process();
        one.load("old").await;
        one.switch.set_on(Operations::Leases, Trouble::Fail(ErrorKind::NotSent));
        one.films.remove(&7).await.unwrap_err();
        one.switch.clear();
        one.films.insert(7, "new".to_owned()).await.unwrap();
        assert_eq!(one.films.stats().invalidations_pending, 0);
        assert_eq!(world.process().load("none").await.as_str(), "new");
    }

    async fn a_removal_that_other_processes_are_not_told_says_so_and_is_replayed(world: World) {
        let (one, two) = (world.process(), world.process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.load("none").await;
        one.switch.set_on(Operations::Bus, Trouble::Fail(ErrorKind::NotSent));
        let untold = one.films.remove(&7).await.unwrap_err();
        assert!(untold.to_string().contains("not notified"), "{untold}");
        assert!(world.far().await.is_none());
        assert!(two.films.get_near(&7).is_some());
        one.switch.clear();
        until("the other is told", || two.films.get_near(&7).is_none()).await;
    }

    async fn a_user_who_may_not_publish_removes_all_the_same(world: World) {
        let one = world.process();
        one.load("old").await;
        let denied = ErrorKind::Refused(larder_store::Refusal::Denied);
        one.switch.set_on(Operations::Bus, Trouble::Fail(denied));
        one.films.remove(&7).await.unwrap();
        assert_eq!(one.films.stats().invalidations_pending, 0);
        assert!(world.far().await.is_none());
    }

    async fn a_far_store_that_keeps_failing_is_left_alone_for_a_while(world: World) {
        let one = world.process_with(|films| films.without_bus());
        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
        for film in 0..5 {
            assert!(one.films.get(&film).await.is_none());
        }
        let before = one.switch.operations();
        assert!(one.films.get(&7).await.is_none());
        assert_eq!(one.load("Metropolis").await.source, Source::Loaded);
        assert_eq!(one.switch.operations(), before, "the breaker is open");
        one.switch.clear();
        world.advance(Duration::from_secs(1));
        assert!(one.films.get(&8).await.is_none());
        assert_eq!(one.switch.operations(), before + 1);
        one.films.insert(9, "Sunrise".to_owned()).await.unwrap();
        assert!(world.process().films.get(&9).await.is_some());
    }

    async fn a_far_store_that_fails_never_touches_a_near_hit(world: World) {
        let one = world.process();
        one.load("Metropolis").await;
        one.switch.set(Trouble::Hang);
        for _ in 0..10 {
            assert_eq!(one.load("none").await.source, Source::Near);
        }
    }

    async fn a_near_copy_is_only_replaced_by_a_fresher_one(world: World) {
        let (one, two) = (world.process(), world.process());
        one.load("older").await;
        let older = world.store.get(&crate::support::far_key(7)).await.unwrap().unwrap();
        world.advance(Duration::from_secs(1));
        two.films.insert(7, "newer".to_owned()).await.unwrap();
        // As from a replica that is behind.
        let put = larder_store::Put::new(crate::support::far_key(7), older.value, HOUR);
        let _ = world.store.put(&put).await.unwrap();
        let options = larder_cache::ReadOptions::new().skip_near();
        assert_eq!(two.films.find_with(&7, options).await.unwrap().as_str(), "older");
        let load = || async { Ok::<_, Infallible>(String::new()) };
        assert_eq!(two.films.find_or_load(&7, load).await.unwrap().as_str(), "newer");
    }

    async fn a_check_of_near_copies_counts_those_that_the_far_store_has_replaced(world: World) {
        let set = |films: larder_cache::CacheBuilder<u32, String>| films.without_bus();
        let (one, two) = (world.process_with(set), world.process_with(set));
        for film in 0..10 {
            one.films.insert(film, film.to_string()).await.unwrap();
            two.films.get(&film).await.unwrap();
        }
        let checked = two.films.check_near(100).await;
        assert_eq!((checked.compared, checked.inconsistent), (10, 0));
        one.films.remove(&1).await.unwrap();
        one.films.insert(2, "new".to_owned()).await.unwrap();
        let checked = two.films.check_near(100).await;
        assert_eq!((checked.compared, checked.inconsistent), (10, 2));
        assert_eq!(two.films.check_near(3).await.compared, 3);
    }

    async fn an_explanation_says_where_a_value_is_and_why_a_read_would_miss_it(world: World) {
        let one = world.process_with(|films| films.with_stale_if_error(HOUR));
        let nothing = one.films.explain(&7).await;
        assert!(matches!((&nothing.near, &nothing.far), (Tier::Absent, Tier::Absent)));
        one.load("Metropolis").await;
        world.advance(Duration::from_secs(20));
        let there = one.films.explain(&7).await;
        let (Tier::Entry(near), Tier::Entry(far)) = (&there.near, &there.far) else {
            panic!("{there}");
        };
        assert_eq!(near.age, Duration::from_secs(20));
        assert_eq!((near.served_for, near.fresh_for), (Duration::from_secs(10), Duration::from_secs(40)));
        assert_eq!(far.stale_for, Duration::from_secs(3_600));
        world.advance(Duration::from_secs(60));
        let ended = one.films.explain(&7).await.to_string();
        assert!(ended.contains("no longer fresh"), "{ended}");
        one.switch.set(Trouble::Fail(ErrorKind::NotSent));
        let failed = one.films.explain(&7).await.to_string();
        assert!(failed.contains("far: a miss, get: not sent"), "{failed}");
        assert!(!format!("{ended}{failed}").contains("Metropolis"));
    }
}

/// Waits until each process gets the messages of the others.
pub(crate) async fn listening(processes: &[&crate::support::Process]) {
    const PROBE: u32 = 4_000_000;
    for process in processes {
        process.films.get(&PROBE).await;
        let others = processes
            .iter()
            .filter(|other| !std::ptr::eq(**other, *process));
        for other in others {
            until_ready("it listens", || async {
                let load = || async { Ok::<_, Infallible>("probe".to_owned()) };
                process.films.get_or_load(&PROBE, load).await.unwrap();
                other.films.remove(&PROBE).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
                process.films.get_near(&PROBE).is_none()
            })
            .await;
        }
    }
}

#[tokio::test]
async fn hits_and_loads_are_counted_in_process() {
    let counts = counts();
    let _recording = counts.record();
    let (films, _) = far_films();
    crate::support::load(&films, &7, "Metropolis").await;
    for _ in 0..3 {
        films.get(&7).await.unwrap();
    }
    let stats = films.stats();
    assert_eq!((stats.near_hits, stats.misses, stats.loads), (3, 1, 1));
    assert_eq!(stats.hit_ratio(), Some(0.75));
    assert_eq!((stats.near_entries, stats.loads_in_flight), (1, 0));
    let near: Vec<_> = films.iter_near().collect();
    assert_eq!(near.len(), 1);
    assert_eq!((near[0].0, near[0].1.as_str()), (7, "Metropolis"));
}

#[tokio::test]
async fn a_read_that_a_cached_not_found_answers_is_counted_once_as_that() {
    let counts = counts();
    let _recording = counts.record();
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let build = || {
        let builder = films(&clock).with_negative_ttl(Ttl::from_secs(10));
        builder.with_far(store.clone()).build().unwrap()
    };
    let gone = || async { Ok::<_, Infallible>(None::<String>) };
    let loaded = build().find_or_load(&7, gone).await;
    assert!(loaded.unwrap_err().is_not_found());
    let films = build();
    // The first read is far, the second near, and the third near through a layer.
    assert!(films.find(&7).await.is_none());
    assert_eq!(counts.count("larder_cache_not_found_total"), 1);
    assert!(films.find(&7).await.is_none());
    assert_eq!(counts.count("larder_cache_not_found_total"), 2);
    let none = tower::service_fn(|_: u32| async { Ok::<_, Infallible>(String::new()) });
    let service = tower::Layer::layer(&larder_cache::LoaderLayer::new(films), none);
    let missing = tower::ServiceExt::oneshot(service, 7_u32).await;
    assert!(missing.unwrap_err().is_not_found());
    assert_eq!(counts.count("larder_cache_not_found_total"), 3);
}

#[tokio::test]
async fn a_read_that_a_stale_value_answers_is_no_miss() {
    let clock = ManualClock::default();
    let builder = films(&clock).with_stale_if_error(HOUR);
    let films = builder.build().unwrap();
    films.insert(7, "old".to_owned()).await.unwrap();
    clock.advance(Duration::from_secs(60));
    let options = larder_cache::ReadOptions::new().allow_stale();
    assert!(films.find_with(&7, options).await.is_some());
    let stats = films.stats();
    assert_eq!((stats.stale, stats.misses), (1, 0));
}

/// A bus with one subscription, whose messages the test sends.
#[derive(Default)]
pub(crate) struct ScriptedBus(pub(crate) Mutex<Option<Mailbox>>);

#[async_trait]
impl Bus for ScriptedBus {
    async fn publish(&self, _: &Channel, _: Bytes) -> larder_store::Result<()> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequest) -> larder_store::Result<Subscription> {
        let (mailbox, subscription) = mailbox(DEFAULT_BUFFER);
        *self.0.lock() = Some(mailbox);
        Ok(subscription)
    }
}

#[tokio::test]
async fn after_a_gap_or_a_subscription_that_ended_every_near_copy_is_read_again() {
    let clock = ManualClock::default();
    let bus = Arc::new(ScriptedBus::default());
    let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
    let one = beside(&clock, &store);
    let two = films(&clock).with_far(store.clone()).without_bus();
    let two = two.build().unwrap();
    until("it listens", || bus.0.lock().is_some()).await;
    for ends in [false, true] {
        crate::support::load(&one, &7, "old").await;
        two.insert(7, "new".to_owned()).await.unwrap();
        assert_eq!(one.find(&7).await.unwrap().source, Source::Near);
        let mailbox = bus.0.lock().take().unwrap();
        if ends {
            drop(mailbox);
        } else {
            mailbox.leave_gap();
            *bus.0.lock() = Some(mailbox);
        }
        until("it is dropped", || one.get_near(&7).is_none()).await;
        assert_eq!(*one.get(&7).await.unwrap(), "new");
        one.remove(&7).await.unwrap();
    }
}

#[tokio::test]
async fn a_far_read_that_a_gap_overtakes_is_not_kept_near() {
    for through_a_load in [false, true] {
        let clock = ManualClock::default();
        let bus = Arc::new(ScriptedBus::default());
        let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
        let two = films(&clock).with_far(store.clone()).without_bus();
        let two = two.build().unwrap();
        two.insert(7, "old".to_owned()).await.unwrap();
        let counts = counts();
        let recording = counts.record();
        let one = beside(&clock, &store);
        drop(recording);
        until("it listens", || bus.0.lock().is_some()).await;
        let gate = Gate::closed();
        store.stage(Operation::Get, Act::HoldAfter(gate.clone()));
        let reader = tokio::spawn({
            let one = one.clone();
            async move {
                match through_a_load {
                    true => crate::support::load(&one, &7, "none").await,
                    false => (*one.get(&7).await.unwrap()).clone(),
                }
            }
        });
        gate.arrived().await;
        bus.0.lock().as_ref().unwrap().leave_gap();
        until("it hears of the gap", || {
            counts.count("larder_cache_gaps_total") == 1
        })
        .await;
        gate.open();
        assert_eq!(reader.await.unwrap(), "old");
        assert!(one.get_near(&7).is_none());
    }
}

#[tokio::test]
async fn a_cache_that_is_dropped_stops_listening() {
    let clock = ManualClock::default();
    let bus = Arc::new(ScriptedBus::default());
    let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
    let cache = beside(&clock, &store);
    until("it listens", || bus.0.lock().is_some()).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    assert_eq!(tasks(), 1);
    drop(cache);
    until("its task ends", || tasks() == 0).await;
}
