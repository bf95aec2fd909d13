use std::sync::Arc;
use std::time::Duration;

use larder_store::bus::{Channel, Event, SubscribeRequest, Topic};
use larder_store::program::Record;
use larder_store::{ErrorKind, Key, Kind, Put, Refusal, Store, Ttl};
use tokio::time::{Instant, timeout};

use super::{Faulty, Lie, Operations, Trouble};
use crate::ModelStore;
use crate::contract::records::{Add, ReadTally, Tally};

const SEAT: Kind = Kind::pinned("seat");
const MINUTE: Ttl = Ttl::from_secs(60);
const FULL: ErrorKind = ErrorKind::Refused(Refusal::Full);

fn store() -> Arc<Faulty<ModelStore>> {
    Arc::new(Faulty::new(Arc::new(ModelStore::new())))
}

fn put(id: &str, value: &'static str) -> Put {
    Put::new(Key::new(SEAT, id), value, MINUTE)
}

#[tokio::test]
async fn only_the_operations_that_are_meant_fail_and_do_nothing() {
    let store = store();
    store
        .switch()
        .set_on(Operations::Writes, Trouble::Fail(FULL));
    assert_eq!(store.put(&put("a", "1")).await.unwrap_err().kind(), FULL);
    for put in store.put_many(&[put("a", "1"), put("b", "2")]).await {
        assert_eq!(put.unwrap_err().kind(), FULL);
    }
    assert_eq!(store.get(&Key::new(SEAT, "a")).await.unwrap(), None);
    store.switch().clear();
    assert!(store.put(&put("a", "1")).await.unwrap().is_stored());
    assert_eq!(store.switch().operations(), 4);
}

#[tokio::test]
async fn a_program_whose_answer_is_lost_has_run() {
    let store = store();
    let (switch, key) = (store.switch(), Key::new(Tally::KIND, "t"));
    let programs = store.programs().unwrap();
    let add = Add {
        by: 1,
        limit: 9,
        ttl: MINUTE,
    };
    switch.set_next(1, Trouble::LoseAnswer);
    let lost = programs.run(&key, &add).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::MayHaveRun);
    assert_eq!(programs.run(&key, &ReadTally).await.unwrap(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_hangs_until_it_is_dropped_and_then_harms_nobody() {
    let store = store();
    store.switch().set_next(1, Trouble::Hang);
    let hour = Duration::from_secs(3600);
    assert!(timeout(hour, store.put(&put("a", "1"))).await.is_err());
    assert_eq!(store.get(&Key::new(SEAT, "a")).await.unwrap(), None);
    store.switch().set_next(1, Trouble::HangAfterwards);
    assert!(timeout(hour, store.put(&put("a", "1"))).await.is_err());
    assert!(store.get(&Key::new(SEAT, "a")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time() {
    let (store, started) = (store(), Instant::now());
    store
        .switch()
        .set(Trouble::Delay(Duration::from_millis(250)));
    assert!(store.put(&put("a", "1")).await.unwrap().is_stored());
    assert_eq!(started.elapsed(), Duration::from_millis(250));
}

#[tokio::test]
async fn a_lie_is_never_the_value_and_writes_are_honest() {
    let store = store();
    let (a, b) = (put("a", "ada ada ada"), put("b", "bob"));
    for lie in [
        Lie::Truncated,
        Lie::Garbage,
        Lie::BitFlipped,
        Lie::ValueOf(b.key().clone()),
    ] {
        store.switch().set(Trouble::Lie(lie.clone()));
        assert!(
            store.put(&a).await.unwrap().is_stored() && store.put(&b).await.unwrap().is_stored()
        );
        let told = store.get(a.key()).await.unwrap().unwrap();
        assert_ne!(&told.value, a.value(), "{lie:?}");
        for told in store.get_many(&[a.key().clone()]).await {
            assert_ne!(&told.unwrap().unwrap().value, a.value(), "{lie:?}");
        }
        store.switch().clear();
        assert_eq!(&store.get(a.key()).await.unwrap().unwrap().value, a.value());
    }
}

#[tokio::test]
async fn messages_are_lost_at_random_and_nobody_is_told() {
    let store = Arc::new(Faulty::new(Arc::new(ModelStore::new())));
    let (switch, bus) = (store.switch(), store.bus().unwrap());
    let channel = Channel::new(Topic::broadcast("seat"), 1_u32);
    let request = SubscribeRequest::to_channel(channel.clone());
    switch.lose_messages(30, 7);
    let mut subscription = bus.subscribe(request).await.unwrap();
    let (sent, mut heard) = (200, 0);
    for _ in 0..sent {
        bus.publish(&channel, "taken".into()).await.unwrap();
        // The message is passed on by a task of its own.
        tokio::task::yield_now().await;
    }
    switch.lose_messages(0, 7);
    bus.publish(&channel, "the last one".into()).await.unwrap();
    while let Some(Event::Message(message)) = subscription.next().await {
        if message.payload == "the last one" {
            break;
        }
        heard += 1;
    }
    assert_eq!(heard + switch.messages_lost(), sent);
    assert!((100..180).contains(&heard), "{heard} of {sent}");
}
