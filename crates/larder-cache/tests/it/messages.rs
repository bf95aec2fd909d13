//! Messages about invalidations that arrive during reads, loads and writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use larder_cache::{Cache, LoadError, Source};
use larder_layer::envelope::key_hash;
use larder_store::bus::{Bus, Channel, Message, SubscribeRequest, Subscription, Topic};
use larder_store::{ErrorKind, ManualClock, Ttl};
use larder_test::faulty::{Operations, Trouble};

use crate::support::{
    Act, Broken, Gate, Operation, Staged, counts, far_key, films, load, on_both_stores, until,
    until_ready,
};
use crate::tiers::{ScriptedBus, listening};

const TEN: Ttl = Ttl::from_secs(10);
const HOUR: Ttl = Ttl::from_secs(3_600);

/// A cache that gets messages from the test, and one that neither gets nor sends messages.
struct Scripted {
    one: Cache<u32, String>,
    other: Cache<u32, String>,
    store: Arc<Staged>,
    bus: Arc<ScriptedBus>,
}

impl Scripted {
    /// Puts the values of films 7 and 8 far, and that of film 8 near.
    async fn new() -> Self {
        let clock = ManualClock::default();
        let bus = Arc::new(ScriptedBus::default());
        let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
        let builder = || {
            let patient = films(&clock).with_store_timeout(Duration::from_secs(20));
            patient.with_stale_if_error(HOUR).with_far(store.clone())
        };
        let one = builder().build().unwrap();
        let other = builder().without_bus().build().unwrap();
        until("it listens", || bus.0.lock().is_some()).await;
        for (film, title) in [(7, "old"), (8, "probe")] {
            other.insert(film, title.to_owned()).await.unwrap();
        }
        load(&one, &8, "none").await;
        Self {
            one,
            other,
            store,
            bus,
        }
    }

    /// Sends the cache a message of another process that changed some films.
    fn tell(&self, change: u8, films: &[u32]) {
        let mut payload = vec![change; 9];
        for film in films {
            payload.extend_from_slice(&key_hash(&far_key(*film)).to_le_bytes());
        }
        let message = Message {
            channel: Channel::new(Topic::broadcast("cache-invalidated"), "film"),
            payload: Bytes::from(payload),
        };
        self.bus.0.lock().as_ref().unwrap().deliver(message);
    }

    /// Waits until the cache has handled a message that names film 8 too.
    async fn heard(&self) {
        until("it is heard", || self.one.get_near(&8).is_none()).await;
    }
}

/// A bus whose subscribe calls wait at a gate.
struct GatedBus {
    gate: Gate,
    bus: ScriptedBus,
}

#[async_trait]
impl Bus for GatedBus {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> larder_store::Result<()> {
        self.bus.publish(channel, payload).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> larder_store::Result<Subscription> {
        self.gate.pass().await;
        self.bus.subscribe(request).await
    }
}

/// A bus that counts the messages that are published.
#[derive(Default)]
struct CountingBus {
    bus: ScriptedBus,
    published: AtomicUsize,
}

#[async_trait]
impl Bus for CountingBus {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> larder_store::Result<()> {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.bus.publish(channel, payload).await
    }

    async fn subscribe(&self, request: SubscribeRequest) -> larder_store::Result<Subscription> {
        self.bus.subscribe(request).await
    }
}

#[tokio::test]
async fn a_refresh_that_finds_again_that_there_is_no_value_tells_no_process() {
    let clock = ManualClock::default();
    let bus = Arc::new(CountingBus::default());
    let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
    let films = films(&clock)
        .with_negative_ttl(HOUR)
        .with_refresh_after(TEN);
    let films = films.with_far(store).build().unwrap();
    until("it listens", || bus.bus.0.lock().is_some()).await;
    static LOADS: AtomicUsize = AtomicUsize::new(0);
    for expected in 1..=2 {
        let loads = &LOADS;
        let gone = || async {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Broken>(None::<String>)
        };
        assert!(
            films
                .find_or_load(&7, gone)
                .await
                .unwrap_err()
                .is_not_found()
        );
        until("the load has ended", || films.loads_in_flight() == 0).await;
        assert_eq!(loads.load(Ordering::Relaxed), expected);
        clock.advance(Duration::from_secs(20));
    }
    assert_eq!(bus.published.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nothing_is_read_far_before_the_first_subscription_is_made() {
    for loads in [false, true] {
        let (clock, gate) = (ManualClock::default(), Gate::closed());
        let bus = ScriptedBus::default();
        let bus = Arc::new(GatedBus { gate, bus });
        let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
        let patient = films(&clock).with_store_timeout(Duration::from_secs(20));
        let one = patient.with_far(store.clone()).build().unwrap();
        let reader = tokio::spawn({
            let one = one.clone();
            async move {
                match loads {
                    true => drop(load(&one, &7, "loaded").await),
                    false => drop(one.get(&7).await),
                }
            }
        });
        bus.gate.arrived().await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.count(Operation::Get), 0);
        bus.gate.open();
        reader.await.unwrap();
        assert_eq!(store.count(Operation::Get), 1);
        assert_eq!(one.get_near(&7).is_some(), loads, "it stays near");
    }
}

#[tokio::test]
async fn what_is_near_when_a_late_first_subscription_is_made_is_read_again() {
    let (clock, gate) = (ManualClock::default(), Gate::closed());
    let bus = ScriptedBus::default();
    let bus = Arc::new(GatedBus { gate, bus });
    let store = Arc::new(Staged::new(&clock).with_bus(bus.clone()));
    let hasty = films(&clock).with_store_timeout(Duration::from_millis(50));
    let one = hasty.with_far(store.clone()).build().unwrap();
    assert_eq!(load(&one, &7, "old").await, "old");
    let other = films(&clock).with_far(store.clone()).without_bus();
    other
        .build()
        .unwrap()
        .insert(7, "new".to_owned())
        .await
        .unwrap();
    assert_eq!(one.get(&7).await.unwrap().as_str(), "old");
    bus.gate.open();
    until("it is dropped", || one.get_near(&7).is_none()).await;
    assert_eq!(one.get(&7).await.unwrap().as_str(), "new");
}

#[tokio::test]
async fn a_load_that_read_before_a_gap_is_not_kept_near() {
    let scripted = Scripted::new().await;
    let (gets, one) = (Gate::closed(), scripted.one.clone());
    scripted
        .store
        .stage(Operation::Get, Act::HoldAfter(gets.clone()));
    let reader = tokio::spawn(async move { load(&one, &7, "none").await });
    gets.arrived().await;
    scripted.other.insert(7, "new".to_owned()).await.unwrap();
    scripted.bus.0.lock().as_ref().unwrap().leave_gap();
    scripted.heard().await;
    gets.open();
    assert_eq!(reader.await.unwrap(), "old");
    assert!(scripted.one.get_near(&7).is_none());
}

/// After an expiry in another process, a read gets the expired value, even if the message arrives during the
/// read.
#[tokio::test]
async fn a_stale_value_whose_expiry_is_heard_while_it_is_read_is_served_if_the_load_fails() {
    let counts = counts();
    let _recording = counts.record();
    let scripted = Scripted::new().await;
    scripted.other.expire(&7).await.unwrap();
    let (gets, one) = (Gate::closed(), scripted.one.clone());
    scripted
        .store
        .stage(Operation::Get, Act::HoldAfter(gets.clone()));
    let reader = tokio::spawn(async move {
        let fail = || async { Err::<String, _>(Broken("the database is away")) };
        one.find_or_load(&7, fail).await.unwrap()
    });
    gets.arrived().await;
    scripted.tell(2, &[7]);
    until("it is heard", || {
        counts.count("larder_cache_messages_total") == 1
    })
    .await;
    gets.open();
    assert_eq!(reader.await.unwrap().source, Source::Stale);
}

#[tokio::test]
async fn an_insert_that_a_message_overtakes_leaves_no_older_copy_near() {
    let scripted = Scripted::new().await;
    let (puts, one) = (Gate::closed(), scripted.one.clone());
    scripted
        .store
        .stage(Operation::Put, Act::HoldBefore(puts.clone()));
    let insert = tokio::spawn(async move { one.insert(7, "new".to_owned()).await });
    puts.arrived().await;
    scripted.tell(1, &[7, 8]);
    scripted.heard().await;
    // This read begins after the message, and before the write.
    assert_eq!(scripted.one.get(&7).await.unwrap().as_str(), "old");
    puts.open();
    insert.await.unwrap().unwrap();
    let near = scripted.one.get_near(&7);
    assert!(near.is_none_or(|title| *title == "new"));
    assert_eq!(scripted.one.get(&7).await.unwrap().as_str(), "new");
}

on_both_stores! { Manual;
    async fn a_copy_that_is_served_stale_is_dropped_by_a_message_too(world: World) {
        let process = || world.process_with(|films| films.with_stale_if_error(HOUR));
        let (one, two) = (process(), process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        world.advance(Duration::from_secs(61));
        // The second one is served during the pause, without a look at the far store.
        for _ in 0..2 {
            assert_eq!(two.fail().await.unwrap().source, Source::Stale);
        }
        assert_eq!(two.loads(), 1);
        one.films.remove(&7).await.unwrap();
        until_ready("the other hears of it", || async { two.fail().await.is_err() }).await;
    }

    async fn a_value_loaded_without_the_far_store_is_dropped_by_a_message_too(world: World) {
        let (one, two) = (world.process(), world.process());
        listening(&[&one, &two]).await;
        for on in [Operations::Leases, Operations::Reads] {
            two.switch.set_on(on, Trouble::Fail(ErrorKind::NotSent));
            assert_eq!(two.load("old").await.source, Source::Loaded);
            two.switch.clear();
            one.films.remove(&7).await.unwrap();
            until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        }
    }

    async fn an_insert_that_the_far_store_does_not_take_is_told_to_other_processes(world: World) {
        let one = world.process_with(|films| films.with_max_value(50));
        let two = world.process();
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.load("none").await;
        let refused = one.films.insert(7, "x".repeat(100)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
    }

    async fn that_there_is_no_value_any_more_is_told_to_other_processes(world: World) {
        let process = || {
            world.process_with(|films| films.with_negative_ttl(TEN).with_refresh_after(TEN))
        };
        let (one, two) = (process(), process());
        listening(&[&one, &two]).await;
        one.load("old").await;
        two.load("none").await;
        world.advance(Duration::from_secs(20));
        let gone = || async { Ok::<_, Broken>(None::<String>) };
        // The value is served once more while the refresh runs.
        assert_eq!(one.films.find_or_load(&7, gone).await.unwrap().as_str(), "old");
        until("the other hears of it", || two.films.get_near(&7).is_none()).await;
        let missing = two.load_or("none").await;
        assert!(matches!(missing, Err(LoadError::NotFound)), "{missing:?}");
    }
}
